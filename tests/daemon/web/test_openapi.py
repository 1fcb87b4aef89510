"""The description of the API: it is whole, and every route keeps the door it describes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.app import App
from daemon.web.api import ROUTES
from daemon.web.caller import Scope
from daemon.web.openapi import document
from state.home import Home
from tests.daemon.web.served import HTTP, READ_TOKEN, TOKEN, asking, opened, served, write_config

DOCUMENT = document(ROUTES)
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
GUARDED = [it for it in OPERATIONS if it[2]["security"] and {} not in it[2]["security"]]
OPERATING = [it for it in GUARDED if it[2]["security"] == [{"bearer": ["operate"]}]]
EXAMPLES = {"id": "x", "name": "x", "company": "x", "companyId": "x", "date": "newest", "day": "2026-11-21"}
Operation = tuple[str, str, dict[str, Any]]


def named(operation: Operation) -> str:
    return f"{operation[0]} {operation[1]}"


def filled(path: str) -> str:
    for name, value in EXAMPLES.items():
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    async with opened(write_config(tmp_path, {**HTTP, "failuresPerMinute": 1000}), home) as app:
        yield app


async def test_every_route_but_liveness_readiness_and_the_word_for_the_health_needs_a_token(
    app: App,
) -> None:
    free = {named(it) for it in OPERATIONS} - {named(it) for it in GUARDED}
    assert free == {"GET /livez", "GET /readyz", "GET /api/reports/system/health"}
    async with served(app), asking(app, None) as nobody:
        for method, path, _ in GUARDED:
            for shown in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ключ"}):
                async with nobody.request(method, filled(path), headers=shown) as answer:
                    assert answer.status == 401, f"{method} {path}: {await answer.text()}"
                    assert answer.content_type == "application/problem+json"
                    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="nightdesk"')
                    assert ("error=" in answer.headers["WWW-Authenticate"]) is bool(shown)


async def test_every_route_that_does_something_needs_a_token_that_may(app: App) -> None:
    assert len(OPERATING) > 20
    async with served(app), asking(app, READ_TOKEN) as reader:
        for method, path, _ in OPERATING:
            async with reader.request(method, filled(path)) as answer:
                assert answer.status == 403, f"{method} {path}: {await answer.text()}"
                assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


async def test_the_description_is_given_to_readers(app: App) -> None:
    async with served(app), asking(app, READ_TOKEN) as reader, reader.get("/openapi.json") as answer:
        assert (answer.status, await answer.json()) == (200, DOCUMENT)


async def test_what_is_kept_already_is_not_sent_again(app: App) -> None:
    async with served(app), asking(app, TOKEN) as caller:
        async with caller.get("/openapi.json") as first:
            tag = first.headers["ETag"]
            assert first.headers["Cache-Control"] == "private, no-cache"
        for known in (tag, f'"other", W/{tag}', "*"):
            async with caller.get("/openapi.json", headers={"If-None-Match": known}) as again:
                assert (again.status, again.headers["ETag"], await again.read()) == (304, tag, b"")
        async with caller.get("/openapi.json", headers={"If-None-Match": '"other"'}) as other:
            assert other.status == 200


def test_every_route_that_a_program_reads_is_described() -> None:
    described = {(method, path) for method, path, _ in OPERATIONS}
    assert {(it.method, it.path) for it in ROUTES if it.scope is not Scope.OPEN} <= described
    assert len({(it.method, it.path) for it in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        assert route.answer.__doc__, route.path
        assert (route.body is not None) == (route.method != "GET"), route.path
        assert (route.scope is Scope.OPERATE) == (route.method != "GET"), route.path


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_an_operation_is_described_to_the_end(operation: Operation) -> None:
    method, path, told = operation
    assert told["summary"].endswith((".", ":")) or told["summary"][-1].isalpha()
    names = {it["name"] for it in told["parameters"] if it["in"] == "path"}
    assert names == {part[1:-1] for part in path.split("/") if part.startswith("{")}
    assert all(it["description"] and it["schema"] for it in told["parameters"])
    assert any(code.startswith("2") for code in told["responses"])
    if method != "GET":
        assert "requestBody" in told
        assert {"401", "403", "413", "429"} <= told["responses"].keys()


def test_names_and_ids_stand_for_one_thing_each() -> None:
    ids = [told["operationId"] for _, _, told in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert [name for name in DOCUMENT["components"]["schemas"] if "." in name] == []
