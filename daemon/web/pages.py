"""The dashboard: its files as they lie in the package, and who somebody is by the token that was shown."""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from daemon.operations import Unknown
from daemon.web.answers import Shape
from daemon.web.asking import Answer, Asking, Raw
from daemon.web.caller import Scope
from daemon.web.packing import takes_gzip
from daemon.web.route import Answering, Route, read

FOLDER = Path(__file__).resolve().parent / "static"
PAGE = "index.html"
MEDIA: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",  # a licence
}
PLAIN = MEDIA[""]
# Packing is worth it from here on: less fits into one packet as it is.
SMALLEST_PACKED = 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent: plain, and packed where that is worth it."""

    media: str
    plain: bytes
    packed: bytes | None


class Me(Shape):
    """Who is asking."""

    name: str
    scope: Literal["read", "operate"]


@cache
def files() -> Mapping[str, File]:
    """Every file of the dashboard by its name below /static/, read and packed when first asked for.

    A table: what is not in it is not there, however a path is written.
    """
    found = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.suffix in MEDIA)
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in found}


async def page(asking: Asking) -> Answer:
    """The dashboard itself, which asks for everything else; whoever has no token sees a door."""
    return await _file(asking, PAGE)


async def static(asking: Asking) -> Answer:
    """A file of the dashboard."""
    return await _file(asking, "/".join(asking.path.values()))


def leading_to(name: str) -> Answering:
    """An address as messages give it: leads to the view of that name in the page."""

    async def lead(asking: Asking) -> Answer:
        """The page, at the view that is meant."""
        parts = [name, *asking.path.values()]
        # Relative, so that it also holds where a proxy serves the page below a path of its own.
        home = "../" * (len(parts) - 1) or "./"
        where = f"{home}#/{'/'.join(quote(part, safe='') for part in parts)}"
        return Answer(value=Raw(body=b"", media=PLAIN), headers={"Location": where})

    return lead


async def me(asking: Asking) -> Answer:
    """Who is asking, by the token that was shown, and how much that one may."""
    caller = asking.caller
    assert caller is not None, "a route that is not open is answered to callers only"
    scope = Scope.OPERATE if caller.may(Scope.OPERATE) else Scope.READ
    return Answer(value={"name": caller.name, "scope": scope.value})


async def _file(asking: Asking, name: str) -> Answer:
    """A file, packed where the browser can unpack it.

    Raises:
        Unknown: there is no such file.
    """
    known = await asyncio.to_thread(files)
    if name not in known:
        raise Unknown("the dashboard has no such file")
    file = known[name]
    headers = {"Vary": "Accept-Encoding"}
    if file.packed is None or not takes_gzip(asking.headers.get("Accept-Encoding")):
        return Answer(value=Raw(body=file.plain, media=file.media), headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Answer(value=Raw(body=file.packed, media=file.media), headers=headers)


def _read(path: Path) -> File:
    plain = path.read_bytes()
    packed = gzip.compress(plain, mtime=0) if len(plain) >= SMALLEST_PACKED else None
    return File(media=MEDIA[path.suffix], plain=plain, packed=packed)


def _shown(path: str, answer: Answering) -> Route:
    """A route of the page: open to anybody, and asked for again with what the browser has."""
    return read(path, answer, Scope.OPEN, is_tagged=True)


def _led(path: str) -> Route:
    """A route that leads into the page, to the view its first part names."""
    name = path.split("/")[1]
    return Route(method="GET", path=path, scope=Scope.OPEN, answer=leading_to(name), status=HTTPStatus.FOUND)


PAGE_ROUTES: tuple[Route, ...] = (
    _shown("/", page),
    _shown("/static/{file}", static),
    _shown("/static/{folder}/{file}", static),
    _shown("/static/{folder}/{part}/{file}", static),
    _led("/alerts"),
    _led("/alerts/{id}"),
    _led("/digests"),
    _led("/digests/{date}"),
    _led("/reports"),
    _led("/reports/{company}/{date}"),
    read("/api/me", me, gives=Me),
)
