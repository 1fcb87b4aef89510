"""A daemon that is killed again and again under load loses nothing, does nothing twice, and tells no lie."""

import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from tests.journeys.desk import Desk, open_desk
from tests.journeys.load import Eye, Line, Poster

KILLS = int(os.environ.get("NIGHTDESK_KILLS", "50"))
SEED = int(os.environ.get("NIGHTDESK_SEED") or random.SystemRandom().randrange(1_000_000))
HOMES = 2  # side by side, one for each of two cores
POSTERS = 4
# Seconds after the socket answers, at which the daemon is killed; or after it was begun.
ALIVE_S = (0.05, 0.6)
BEGUN_S = (0.0, 0.7)
STOPS = 5
DRAIN_S = 60.0  # a retry waits five seconds, and a long queue is worked off

JOBS = '''"""Jobs of a user's own, each of which leaves a mark that a kill does not take back."""

import asyncio
import os
from pathlib import Path

from daemon.context import Context
from daemon.engine.handler import HandlerError, handler

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
MARKS = os.open(Path(__file__).with_name("marks.txt"), FLAGS, 0o600)


def leave_mark(ctx: Context) -> None:
    os.write(MARKS, f"{ctx.task.id}\\n".encode())


@handler("quick")
async def quick(ctx: Context) -> None:
    leave_mark(ctx)


@handler("slow")
async def slow(ctx: Context) -> None:
    await asyncio.sleep(0.05)
    leave_mark(ctx)


@handler("flaky", max_attempts=3)
async def flaky(ctx: Context) -> None:
    if ctx.task.attempt == 1:
        raise HandlerError("the first attempt always fails")
    leave_mark(ctx)


@handler("tick")
async def tick(ctx: Context) -> None:
    leave_mark(ctx)
'''
CONFIG = {
    "timezone": "UTC",
    "handlers": ["handlers", "crash_jobs"],
    "schedules": {"tick": {"cron": "@every 1s"}},
}
# Of ten tasks six are quick, three take a while, one fails at first.
MIX = ("quick", "slow", "quick", "quick", "slow", "quick", "flaky", "quick", "slow", "quick")


def test_kills_under_load_lose_no_task_and_do_none_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with ExitStack() as stack:
        desks = [stack.enter_context(open_desk(tmp_path / f"desk-{number}")) for number in range(HOMES)]
        pool = stack.enter_context(ThreadPoolExecutor(HOMES))
        began_s = time.monotonic()
        lives = [
            pool.submit(live, desk, random.Random(SEED + number), KILLS // HOMES + (number < KILLS % HOMES))
            for number, desk in enumerate(desks)
        ]
        told = sum((life.result() for life in lives), Counter[str]())
    took_s = time.monotonic() - began_s
    line = ", ".join(f"{count} {what}" for what, count in told.items())
    record_property("crash", f"seed {SEED}: {line}")
    print(f"\nNIGHTDESK_SEED={SEED}, {took_s:.0f} s: {line}")  # noqa: T201 - for `pytest -s`


def test_stops_under_load_end_in_good_order_and_leave_nothing_behind(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        settle(desk)
        enough, gone = threading.Event(), threading.Event()
        posters = [Poster(desk.home, f"poster-{number}", MIX, enough, gone) for number in range(POSTERS)]
        with watched(desk) as eye:
            with at_work(posters):
                for _ in range(STOPS):
                    desk.start()
                    time.sleep(ALIVE_S[1])
                    desk.stop()
                    assert not desk.home.control_socket.exists()
                    assert desk.state()["generation"] == generation(desk), "the last word was not saved"
                desk.start()
            drain(desk)
            desk.stop()
        told = reckon(desk, {key: ids for poster in posters for key, ids in poster.accepted.items()})
        eye.look()
    assert desk.alerts("daemon.unclean-stop") == []
    assert (told["interrupted and run again"], told["effects made twice, as handlers must bear"]) == (0, 0)


def live(desk: Desk, chance: random.Random, kills: int) -> "Counter[str]":
    """The whole life of one home, and the reckoning after it."""
    settle(desk)
    told = Counter[str](kills=kills)
    enough, gone = threading.Event(), threading.Event()
    posters = [Poster(desk.home, f"poster-{number}", MIX, enough, gone) for number in range(POSTERS)]
    try:
        with watched(desk) as eye:
            with at_work(posters) as works:
                for _ in range(kills):
                    told[one_life(desk, chance)] += 1
                    check(works)
                desk.start()
            drain(desk)
            desk.stop()
        eye.look()
        accepted = {key: ids for poster in posters for key, ids in poster.accepted.items()}
        told.update(reckon(desk, accepted))
    except Exception as error:
        error.add_note(f"NIGHTDESK_SEED={SEED} NIGHTDESK_KILLS={KILLS}, in {desk.folder}: {dict(told)}")
        raise
    told["answers lost and asked again"] = sum(poster.lost for poster in posters)
    told["looks at the state file"] = eye.polls
    told["saves seen"] = eye.saves
    return told


def settle(desk: Desk) -> None:
    """Write the configuration, and the package of jobs beside it."""
    package = desk.folder / "crash_jobs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(JOBS)
    desk.write_config(**CONFIG)


@contextmanager
def watched(desk: Desk) -> Iterator[Eye]:
    """Have the state file looked at for as long as the block runs."""
    enough = threading.Event()
    eye = Eye(desk.home, enough)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(eye.run)
        try:
            yield eye
        finally:
            enough.set()
    looking.result()


@contextmanager
def at_work(posters: list[Poster]) -> Iterator[list["Future[None]"]]:
    """Have tasks posted for as long as the block runs; what was begun is seen through."""
    with ThreadPoolExecutor(len(posters)) as pool:
        works = [pool.submit(poster.run) for poster in posters]
        try:
            yield works
        except BaseException:
            posters[0].gone.set()
            raise
        finally:
            posters[0].enough.set()
    check(works)


def check(works: list["Future[None]"]) -> None:
    for work in works:
        if work.done():
            work.result()


def one_life(desk: Desk, chance: random.Random) -> str:
    """Start, work for a moment, be killed: mostly at work, now and then while starting or stopping."""
    draw = chance.random()
    if draw < 0.1:
        desk.launch()
        time.sleep(chance.uniform(*BEGUN_S))
        desk.kill()
        return "killed while starting"
    desk.start()
    time.sleep(chance.uniform(*ALIVE_S))
    if draw < 0.2:
        os.kill(desk.pid, signal.SIGTERM)
        time.sleep(chance.uniform(0.0, 0.05))
        desk.kill()
        return "killed while stopping"
    desk.kill()
    return "killed at work"


def drain(desk: Desk) -> None:
    """Let all that was accepted be done; then let nothing more come due."""
    desk.wait_for(
        "a queue without the posters' tasks",
        lambda: desk.rows("SELECT count(*) FROM task WHERE key IS NOT NULL")[0][0] == 0,
        patience_s=DRAIN_S,
    )
    with closing(Line(desk.home)) as line:
        body = json.dumps({"until": "1h", "reason": "the reckoning"})
        line.request("POST", "/api/schedules/tick/pause", body)
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
    desk.wait_for("an empty queue", lambda: desk.rows("SELECT count(*) FROM task")[0][0] == 0)


def reckon(desk: Desk, accepted: dict[str, set[str]]) -> "Counter[str]":
    """Compare what was promised with what the files hold."""
    assert desk.rows("PRAGMA integrity_check")[0][0] == "ok"
    assert [dict(row) for row in desk.rows("SELECT * FROM task")] == []
    assert desk.state()["queueTotal"] == 0
    leftovers = [it.name for it in desk.folder.rglob("*") if ".tmp" in it.name or ".damaged-" in it.name]
    assert leftovers == []
    assert desk.alerts("state.restored") == []
    completed = Counter(row[0] for row in desk.rows("SELECT id FROM run WHERE state = 'completed'"))
    assert [task for task, count in completed.items() if count > 1] == []
    reckon_keys(desk, accepted, completed)
    told = reckon_slots(desk, completed)
    marks = Counter((desk.folder / "crash_jobs" / "marks.txt").read_text().split())
    jobs = {row[0] for row in desk.rows("SELECT id FROM run WHERE handler <> 'heartbeat'")}
    assert jobs - set(marks) == set(), "completed without having been done"
    interrupted = desk.rows("SELECT count(*) FROM run WHERE error LIKE 'interrupted%'")[0][0]
    return told + Counter(
        {
            "accepted": len(accepted),
            "completed": len(completed),
            "interrupted and run again": interrupted,
            "effects made twice, as handlers must bear": sum(count > 1 for count in marks.values()),
        }
    )


def generation(desk: Desk) -> int:
    """How many groups of changes the database holds."""
    return int(desk.rows("SELECT value FROM note WHERE name = 'generation'")[0][0])


def reckon_keys(desk: Desk, accepted: dict[str, set[str]], completed: "Counter[str]") -> None:
    """Every accepted key has one task, and that task was completed once."""
    tasks = {row["key"]: {row["task_id"]} for row in desk.rows("SELECT key, task_id FROM task_key")}
    runs: dict[str, set[str]] = {}
    for row in desk.rows("SELECT key, id FROM run WHERE key IS NOT NULL"):
        runs.setdefault(row["key"], set()).add(row["id"])
    done = {key for key, ids in runs.items() if any(completed[task] for task in ids)}
    assert sorted(set(accepted) - done) == [], "accepted, and lost"
    assert sorted(set(runs) - set(accepted)) == [], "done, and nobody was ever told of it"
    assert differing(accepted, tasks) == {}, "answered with another task than the key has"
    assert differing(accepted, runs) == {}, "done as another task than the one that was accepted"
    assert sorted(key for key, ids in runs.items() if sum(completed[task] for task in ids) != 1) == []


def differing(
    promised: dict[str, set[str]], found: dict[str, set[str]]
) -> dict[str, tuple[set[str], set[str]]]:
    """Where a key has not exactly one task, or not the same one on both sides."""
    return {
        key: (ids, found.get(key, set()))
        for key, ids in promised.items()
        if len(ids) != 1 or found.get(key) != ids
    }


def reckon_slots(desk: Desk, completed: "Counter[str]") -> "Counter[str]":
    """Every second has its slot, over all those deaths: served once, or left out for a reason."""
    rows = desk.rows("SELECT * FROM slot WHERE schedule = 'tick' ORDER BY slot")
    times = [datetime.fromisoformat(row["slot"]) for row in rows]
    second = timedelta(seconds=1)
    gaps = [(str(one), str(two)) for one, two in itertools.pairwise(times) if two - one != second]
    assert gaps == []
    fired = [row for row in rows if row["state"] == "fired"]
    skipped = [row for row in rows if row["state"] == "skipped"]
    assert [row["slot"] for row in skipped if not row["reason"]] == []
    assert [row["slot"] for row in fired if completed[row["task_id"]] != 1] == []
    served = Counter(
        row["slot"] for row in desk.rows("SELECT DISTINCT slot, id FROM run WHERE schedule = 'tick'")
    )
    assert served == Counter(row["slot"] for row in fired)
    return Counter({"slots fired": len(fired), "slots left out with a reason": len(skipped)})
