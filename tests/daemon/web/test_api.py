"""The API, asked over its socket."""

import io
import json
from typing import Any

import aiohttp
import pytest

from daemon.app import App
from daemon.engine.queue import QueueFull
from state.database import StoreError, StoreFull
from state.home import Home
from state.records import Severity

Api = aiohttp.ClientSession


async def get(api: Api, path: str) -> Any:
    async with api.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def post(api: Api, path: str, body: Any) -> tuple[int, Any]:
    async with api.post(path, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_the_process_is_alive_and_ready(api: Api, app: App) -> None:
    assert await get(api, "/livez") == {"status": "ok"}
    assert await get(api, "/readyz") == {"status": "ready"}
    app.is_ready = False
    async with api.get("/readyz") as answer:
        lacks = ["daemon: it is starting or stopping"]
        assert (answer.status, await answer.json()) == (503, {"status": "not ready", "lacks": lacks})


async def test_a_process_whose_loops_have_stopped_is_not_alive(api: Api, app: App) -> None:
    app.pulse.ticked_at -= 11
    async with api.get("/livez") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "the loops have stopped"})


@pytest.mark.parametrize(
    "path",
    [
        *["/api/schedules", "/api/tasks", "/api/history", "/api/digests", "/api/items", "/api/alerts"],
        *["/api/silences", "/api/channels"],
    ],
)
async def test_lists_are_arrays(api: Api, path: str) -> None:
    assert isinstance(await get(api, path), list)


async def test_a_task_is_accepted_once_it_is_on_the_disk_and_once_for_a_key(api: Api, home: Home) -> None:
    body = {"handler": "command", "args": {"argv": ["true"]}, "key": "k"}
    code, first = await post(api, "/api/tasks", body)
    assert code == 202
    assert set(first) == {"id", "state", "duplicate"}
    code, again = await post(api, "/api/tasks?wait=10", body)
    assert (code, again["id"], again["duplicate"], again["state"]) == (202, first["id"], True, "completed")
    task = await get(api, f"/api/tasks/{first['id']}?wait=1")
    assert (task["state"], task["key"]) == ("completed", "k")


async def test_a_schedule_is_triggered_paused_and_resumed(api: Api) -> None:
    code, made = await post(api, "/api/schedules/hello/trigger?wait=10", {})
    assert (code, made["schedule"], made["state"]) == (202, "hello", "completed")
    code, paused = await post(api, "/api/schedules/hello/pause", {"until": "1h", "reason": "r"})
    assert (code, paused["pauseReason"]) == (200, "r")
    code, resumed = await post(api, "/api/schedules/hello/resume", {})
    assert (code, resumed["pausedUntil"]) == (200, None)


async def test_leads_are_added_listed_and_counted(api: Api) -> None:
    code, answer = await post(
        api, "/api/items", [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}, {"id": 1}]
    )
    assert code == 200
    assert (answer["added"], answer["duplicates"], answer["refused"][0]["index"]) == (2, 0, 2)
    async with api.get("/api/items?limit=1&offset=1") as listed:
        assert listed.headers["X-Total-Count"] == "2"
        assert await listed.json() == [{"id": "b", "title": "B"}]


async def test_a_digest_is_shown_and_sent(api: Api) -> None:
    await post(api, "/api/items", [{"id": "a", "title": "A", "score": 1}])
    await post(api, "/api/tasks?wait=10", {"handler": "nightly-batch"})
    newest = await get(api, "/api/digests/newest")
    assert newest["summary"]["markedForDraft"] == 1
    assert await get(api, f"/api/digests/{newest['date']}") == newest
    code, sent = await post(api, f"/api/digests/{newest['date']}/send?wait=10", {"again": False})
    assert (code, sent["state"]) == (202, "completed")
    (row,) = await get(api, "/api/digests")
    assert row["sentAt"] is not None


async def test_a_channel_is_tried(api: Api) -> None:
    code, delivery = await post(api, "/api/notify/test", {"channel": "log"})
    assert (code, delivery["state"], delivery["kind"]) == (200, "delivered", "test")
    (row,) = await get(api, "/api/channels")
    assert (row["name"], row["type"], row["isDelivery"], row["state"]) == ("log", "log", False, "ok")
    assert row["lastOkAt"] is not None
    code, checked = await post(api, "/api/channels/check", {"channel": "log"})
    assert (code, [it["channel"] for it in checked], checked[0]["ok"]) == (200, ["log"], True)


async def test_an_alert_is_shown_taken_on_and_closed(api: Api, app: App) -> None:
    alert = await app.alerts.fire("x.broke", severity=Severity.ERROR, summary="it broke")
    (row,) = await get(api, "/api/alerts?open=1")
    assert (row["id"], row["told"]) == (alert.id, None)
    page = await get(api, f"/api/alerts/{alert.id}?limit=5&offset=0")
    assert (page["id"], page["tellings"], page["notices"], page["incidents"]) == (alert.id, [], [], [])
    code, taken = await post(api, f"/api/alerts/{alert.id}/ack", {"by": "anna"})
    assert (code, taken["acknowledgedBy"]) == (200, "anna")
    code, closed = await post(api, "/api/alerts/x.broke/resolve", {})
    assert (code, closed["resolvedAt"] is not None) == (200, True)
    assert await get(api, "/api/alerts?open=1") == []


async def test_a_silence_is_made_listed_and_ended(api: Api) -> None:
    body = {"match": "x.broke,handler=night*", "until": "2h", "reason": "the rack moves", "owner": "anna"}
    code, made = await post(api, "/api/silences", body)
    assert (code, made["match"], made["owner"]) == (201, "x.broke,handler=night*", "anna")
    assert [it["id"] for it in await get(api, "/api/silences")] == [made["id"]]
    code, ended = await post(api, f"/api/silences/{made['id']}/end", {"by": "ben"})
    assert (code, ended["endedBy"]) == (200, "ben")
    assert await get(api, "/api/silences") == []


async def test_a_test_alert_tells_why_it_reaches_nobody(api: Api, app: App) -> None:
    code, found = await post(api, "/api/alerts/test", {"severity": "critical"})
    assert (code, found["delivered"], found["reason"]) == (200, False, "no route takes it")
    assert app.alerts.open == []


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "told"),
    [
        ("GET", "/nope", None, 404, "/nope"),
        ("DELETE", "/api/tasks", None, 405, "DELETE /api/tasks"),
        ("GET", "/api/tasks/nope", None, 404, 'there is no task "nope"'),
        ("GET", "/api/tasks/nope?wait=61", None, 400, 'wait: "61" is no whole number from 0 to 60'),
        ("GET", "/api/tasks?limit=ten", None, 400, 'limit: "ten"'),
        ("GET", "/api/tasks?limit=-1", None, 400, "limit"),
        ("GET", f"/api/tasks?limit={'9' * 5000}", None, 400, "limit"),
        ("GET", "/api/tasks?state=asleep", None, 400, "state"),
        ("GET", "/api/digests/yesterday", None, 400, 'date: "yesterday"'),
        ("GET", "/api/digests/2001-01-01", None, 404, "there is no digest of 2001-01-01"),
        ("POST", "/api/tasks", "no json", 400, "the body is not JSON"),
        ("POST", "/api/tasks", "[1]", 400, "Expected `object`"),
        ("POST", "/api/tasks", "", 400, "`handler`"),
        ("POST", "/api/tasks", '{"handler": 7}', 400, "$.handler"),
        ("POST", "/api/tasks", '{"handler": ""}', 400, "$.handler"),
        ("POST", "/api/tasks", '{"handlr": "x"}', 400, "`handlr`"),
        ("POST", "/api/tasks", '{"handler": "nigthly-batch"}', 404, 'did you mean "nightly-batch"?'),
        ("POST", "/api/tasks", '{"handler": "command", "args": []}', 400, "$.args"),
        ("POST", "/api/tasks", '{"handler": "command", "key": "a\\nb"}', 400, "key"),
        ("POST", "/api/tasks", '{"handler": "command", "args": {"a": NaN}}', 400, "not JSON"),
        (
            "POST",
            "/api/tasks",
            '{"handler": "command", "args": {"a": %s}}' % ("[" * 400 + "]" * 400),
            400,
            "args",
        ),
        ("POST", "/api/schedules/helo/trigger", "{}", 404, 'did you mean "hello"?'),
        ("POST", "/api/schedules/hello/pause", "{}", 400, "`until`"),
        ("POST", "/api/schedules/hello/pause", '{"until": "soon", "reason": "r"}', 400, "until"),
        ("POST", "/api/schedules/hello/resume", '{"why": 1}', 400, "`why`"),
        ("POST", "/api/items", "{}", 400, "Expected `array`"),
        ("POST", "/api/notify/test", '{"channel": "lgo"}', 404, 'did you mean "log"?'),
        ("POST", "/api/channels/check", '{"channel": "lgo"}', 404, 'did you mean "log"?'),
        ("POST", "/api/channels/check", '{"type": "smtp"}', 404, "no channel of type smtp is configured"),
        ("GET", "/api/alerts/nope", None, 404, 'there is no alert "nope" of late'),
        ("GET", "/api/alerts/nope?limit=1001", None, 400, "limit"),
        ("POST", "/api/alerts/nope/ack", "{}", 404, 'no alert "nope" is open'),
        ("POST", "/api/alerts/nope/ack", '{"who": "x"}', 400, "`who`"),
        ("POST", "/api/alerts/test", '{"severity": "loud"}', 400, 'severity: "loud" is none'),
        ("POST", "/api/silences", '{"match": "x"}', 400, "`until`"),
        ("POST", "/api/silences", '{"match": "x", "until": "25h", "reason": "r"}', 400, "24 hours"),
        ("POST", "/api/silences/nope/end", "{}", 404, "none is in force"),
        ("POST", "/api/tasks", "x" * 70_000, 413, "65,536 bytes"),
        ("POST", "/api/items", "x" * 1_100_000, 413, "1,048,576 bytes"),
    ],
)
async def test_what_makes_no_sense_is_a_problem_that_says_why(
    api: Api, method: str, path: str, body: str | None, code: int, told: str
) -> None:
    data = None if body is None else io.BytesIO(body.encode())
    async with api.request(method, path, data=data) as answer:
        assert answer.status == code, await answer.text()
        assert answer.content_type == "application/problem+json"
        problem = json.loads(await answer.text())
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert (problem["status"], problem["instance"]) == (code, path.partition("?")[0])
    assert told in problem["detail"]
    assert "Traceback" not in problem["detail"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreFull("the disk is full"), 507), (StoreError("refused"), 503), (QueueFull("too many"), 503)],
)
async def test_what_could_not_be_stored_is_never_accepted(
    api: Api, app: App, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(app.queue, "enqueue", refuse)
    async with api.post("/api/tasks", json={"handler": "command"}) as answer:
        problem = json.loads(await answer.text())
        assert (answer.status, problem["detail"]) == (code, str(error))
        assert ("Retry-After" in answer.headers) == (code == 503)


async def test_a_full_queue_refuses(api: Api, app: App) -> None:
    app.queue._max_waiting = 0
    code, problem = await post(api, "/api/tasks", {"handler": "command"})
    assert code == 503
    assert "tasks wait already" in problem["detail"]


async def test_what_nobody_foresaw_is_told_without_its_text(
    api: Api, app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(app.queue, "enqueue", break_down)
    code, problem = await post(api, "/api/tasks", {"handler": "command"})
    assert code == 500
    assert problem["detail"] == "an unexpected RuntimeError; the log says where"
    assert "request.failed" in caplog.text
