"""The files of the dashboard: what is served, how, and that nothing else is."""

import gzip
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from daemon.web.pages import FOLDER, files

OURS = [path for path in sorted(FOLDER.rglob("*")) if path.suffix in (".js", ".html", ".css", ".svg")]
OURS = [path for path in OURS if "vendor" not in path.parts]
# What makes markup or code out of text, and what the content security policy would have to be weaker for.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"
    r"|setAttribute\(\"style|\sstyle=|\son[a-z]+=\"|javascript:|https?://(?!www\.w3\.org/)"
)
# The sums of uplot 1.6.32 as it is published at npmjs.com.
VENDORED = {
    "vendor/uplot/uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "vendor/uplot/uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "vendor/uplot/LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
LONGEST = 400  # lines
ASTRAY = (
    "nothing.js",
    "js/",
    "js",
    "../pages.py",
    "..%2Fpages.py",
    "%2E%2E/pages.py",
    "js/%2E%2E/%2E%2E%2Fpages.py",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "js/main.js%00",
    "js/views/%F0%9F%98%80",
)
LED = {
    "/alerts": "./#/alerts",
    "/alerts/task.failed-1": "../#/alerts/task.failed-1",
    "/digests": "./#/digests",
    "/digests/2026-11-21": "../#/digests/2026-11-21",
    "/reports": "./#/reports",
    "/reports/AA/2026-11-21": "../../#/reports/AA/2026-11-21",
    "/alerts/%0d%0aSet-Cookie:x": "../#/alerts/%0D%0ASet-Cookie%3Ax",
    "/alerts/%2F%2Fexample.com": "../#/alerts/%2F%2Fexample.com",
}


class Links(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        found = named.get("src") or (named.get("href") if tag == "link" else None)
        if found:
            self.found.append(found)


async def test_the_page_comes_packed_and_with_its_policy(api: aiohttp.ClientSession) -> None:
    async with api.get("/") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    links = Links()
    links.feed(text)
    assert len(links.found) == 7
    for link in links.found:
        async with api.get(f"/{link}") as answer:
            assert answer.status == 200, link


async def test_every_file_comes_as_it_lies_there(api: aiohttp.ClientSession) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
    for name in files():
        async with api.get(f"/static/{name}", headers={"Accept-Encoding": "identity"}) as answer:
            assert await answer.read() == (FOLDER / name).read_bytes(), name
            assert "Content-Encoding" not in answer.headers
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.content_type == kinds.get(Path(name).suffix, "text/plain")


async def test_what_a_browser_has_is_not_sent_again(api: aiohttp.ClientSession) -> None:
    async with api.get("/static/js/main.js") as answer:
        tag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
    async with api.get("/static/js/main.js", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""
    async with api.get("/static/js/api.js", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200


async def test_no_path_leads_out_of_the_table(api: aiohttp.ClientSession) -> None:
    for path in ASTRAY:
        async with api.get(URL(f"/static/{path}", encoded=True)) as answer:
            assert (path, answer.status) == (path, 404)
            assert answer.content_type == "application/problem+json"


async def test_an_address_of_a_message_leads_into_the_page(api: aiohttp.ClientSession) -> None:
    for path, place in LED.items():
        async with api.get(URL(path, encoded=True), allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"] == place


async def test_the_control_socket_may_do_everything(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/me") as answer:
        assert await answer.json() == {"name": "local", "scope": "operate"}


@pytest.mark.parametrize("path", OURS, ids=[path.relative_to(FOLDER).as_posix() for path in OURS])
def test_our_own_files_make_no_markup_of_text_and_load_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert FORBIDDEN.findall(text) == []
    assert len(text.splitlines()) <= LONGEST


def test_every_module_that_is_imported_is_there() -> None:
    for path in FOLDER.rglob("*.js"):
        for name in re.findall(r"""^import .*?["'](\.[^"']+)["'];""", path.read_text(), re.MULTILINE):
            assert (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_what_is_not_ours_is_as_it_was_published() -> None:
    sums = {name: sha256((FOLDER / name).read_bytes()).hexdigest() for name in VENDORED}
    assert sums == VENDORED


def test_packing_is_worth_it() -> None:
    plain = sum(len(file.plain) for file in files().values())
    packed = sum(len(file.packed or file.plain) for file in files().values())
    assert packed < 0.45 * plain
    for file in files().values():
        assert file.packed is None or gzip.decompress(file.packed) == file.plain
