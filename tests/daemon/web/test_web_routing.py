"""Which route a path leads to, however it is written."""

from http import HTTPStatus

import pytest

from daemon.web.asking import Answer, Asking
from daemon.web.problems import Refusal
from daemon.web.route import Nothing, do, read
from daemon.web.routing import Router


async def answer(asking: Asking) -> Answer:
    """Nothing in particular."""
    return Answer(value=None)


ROUTER = Router(
    [
        read("/", answer),
        read("/reports/{company}/{date}", answer),
        read("/reports/system/health", answer),
        read("/reports/missing", answer),
        do("/reports/{company}", answer, Nothing),
        do("/reports/{company}/{day}/resolve", answer, Nothing),
        read("/plans/{id}", answer),
        do("/plans/{id}", answer, Nothing, method="DELETE"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "found", "names"),
    [
        ("GET", "/", "/", {}),
        ("HEAD", "/", "/", {}),
        ("GET", "/reports/acme/2026-11-21", "/reports/{company}/{date}", {"company": "acme"}),
        ("GET", "/reports/system/health", "/reports/system/health", {}),
        ("GET", "/reports/a%2Fb/newest", "/reports/{company}/{date}", {"company": "a/b"}),
        ("GET", "/reports/%C3%A4/newest", "/reports/{company}/{date}", {"company": "ä"}),
        ("POST", "/reports/missing-one", "/reports/{company}", {"company": "missing-one"}),
        ("DELETE", "/plans/p-1", "/plans/{id}", {"id": "p-1"}),
    ],
)
def test_a_path_leads_to_its_route(method: str, path: str, found: str, names: dict[str, str]) -> None:
    match = ROUTER.find(method, path)
    assert match.route.path == found
    assert names.items() <= match.names.items()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "", 404),
        ("GET", "//", 404),
        ("GET", "/reports/missing/", 404),
        ("GET", "/reports//newest", 404),
        ("GET", "/reports/../plans/1", 404),
        ("GET", "/reports/%ff/newest", 404),
        ("GET", "/%2e%2e/etc/passwd", 404),
        ("POST", "/reports/missing", 405),
        ("OPTIONS", "/", 405),
        ("TRACE", "/plans/1", 405),
    ],
)
def test_what_leads_nowhere_is_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        ROUTER.find(method, path)
    assert refused.value.status == HTTPStatus(status)


def test_a_method_that_is_none_here_is_told_the_others() -> None:
    with pytest.raises(Refusal, match=r"PUT /plans/1.*DELETE, GET, HEAD") as refused:
        ROUTER.find("PUT", "/plans/1")
    assert refused.value.headers == {"Allow": "DELETE, GET, HEAD"}
