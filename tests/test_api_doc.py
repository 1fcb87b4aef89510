"""docs/API.md, held to its word: every command typed as printed, and every route that it names."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.web.api import ROUTES
from tests.journeys.desk import Desk, open_desk
from tests.shell_tour import ROOT, blocks, clone_into, run_script, sections

DOCUMENT = "docs/API.md"
SECTIONS = sections(DOCUMENT)
PORT_IN_TEXT = "8780"
TOKEN = "operate-with-this-long-token"
SAYS = {
    "Tokens": ("nd_", '"hash":"sha256:'),
    "Looking": ('"ready": true', "nightly-batch 20"),
    "Doing": ('"pauseReason":"the rack moves"', '"completed"', "true", '"added":1'),
    "Errors": ('did you mean "limit"?', "401 show a token"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon on a port that is free here, in a folder that looks like a clone."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with open_desk(tmp_path_factory.mktemp("clone")) as desk:
        clone_into(desk.folder)
        settings = json.loads(desk.config.read_text())
        desk.write_config(**{**settings, "http": {"port": port}})
        desk.environ["NIGHTDESK_TOKEN"] = TOKEN
        desk.start()
        desk.wait_for("the port", lambda: desk.client.get("/api/status")["httpPort"])
        yield desk


def test_every_section_with_commands_is_tried() -> None:
    assert {name for name, text in SECTIONS.items() if blocks(text, "sh")} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
def test_the_commands_of_a_section_do_what_is_said(desk: Desk, name: str) -> None:
    port = str(desk.client.get("/api/status")["httpPort"])
    script = "\n".join(blocks(SECTIONS[name], "sh")).replace(PORT_IN_TEXT, port)
    ran = run_script(script, desk.folder, {"NIGHTDESK_TOKEN": TOKEN})
    assert ran.code == 0, ran.told
    for said in SAYS[name]:
        assert said in ran.out, f"{said} is not in:\n{ran.told}"


def test_every_route_is_named_and_there() -> None:
    paths = {
        route.path for route in ROUTES if route.path.startswith(("/api", "/livez", "/readyz", "/metrics"))
    }
    named = set(
        re.findall(r"/(?:api|livez|readyz|metrics|openapi)[^\s`|,\"'?)]*", Path(ROOT, DOCUMENT).read_text())
    )
    known = {re.sub(r"PLAN|nightly-batch", "{}", path) for path in named}
    shapes = {re.sub(r"{\w+}", "{}", path) for path in (*paths, "/openapi.json")}
    assert {re.sub(r"{\w+}", "{}", path) for path in known} - shapes == set()
    endings = set(re.findall(r"`([\w{}/]+)`", SECTIONS["Every route"]))
    for path in paths - named:
        assert any(path.endswith(f"/{ending}") for ending in endings), f"{path} is not named"
