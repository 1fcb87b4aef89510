"""HTTP: our answers against a bare handler of the same bytes, over 100,000 reports; then 200 who listen."""

import asyncio
import json
import socket
import sys
import time
from contextlib import closing
from itertools import chain
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import uvloop

from benchmarks import http_load, http_world, process
from benchmarks.apart import MeasureFailed, apart
from benchmarks.rounds import Effort, Rounds
from benchmarks.verdicts import Verdict

REPORTS, QUICK_REPORTS = 100_000, 5_000
LEAST_SHARE = 0.7
LISTENERS, MOST_SHARE = 200, 0.05
# Many short turns: what else the machine does in a second, it does to both.
ASKED_S, TURNS = 1.0, 4
IDLE_S, QUICK_IDLE_S, SETTLE_S = 60.0, 10.0, 3.0
STATUS, PAGE = "status", "reports"


def figures(effort: Effort) -> list[Verdict]:
    """Ask both in turn for what our daemon answers; then only listen to it."""
    count = effort.scaled(REPORTS, QUICK_REPORTS)
    on = apart("benchmarks.http_world:make", folder=str(effort.folder / "home"), count=count, limit_s=300)
    paths = {STATUS: "/api/status", PAGE: f"/api/reports?date={on}"}
    with http_world.served(effort.folder, count) as (pid, port):
        bodies = effort.folder / "bodies"
        bodies.mkdir()
        for name, path in paths.items():
            (bodies / name).write_bytes(_fetched(port, path))
        if len(json.loads((bodies / PAGE).read_bytes())) != 100:
            raise MeasureFailed("a page of reports has not a hundred rows")
        verdicts = _rates(effort, pid, port, bodies, paths)
        return [*verdicts, *_listening(effort, pid, port)]


def _rates(effort: Effort, pid: int, port: int, bodies: Path, paths: dict[str, str]) -> list[Verdict]:
    peer_port, token = _free_port(), http_world.TOKEN
    command = [sys.executable, "-m", "benchmarks.peers.bare_http", str(bodies), str(peer_port)]
    peer_folder = effort.folder / "peer"
    peer_folder.mkdir()
    with process.started(command, peer_folder) as (peer, _):
        sides = {name: (Side(pid, port, path, token), Side(peer.pid, peer_port, f"/{name}", None))
                 for name, path in paths.items()}  # fmt: skip
        for side in chain(*sides.values()):
            side.ask()  # warm: the first answers are made, the byte-code is loaded
            side.forget()
        for _ in range(TURNS * effort.rounds):
            for side in chain(*sides.values()):
                side.ask()
    return [verdict for name, (ours, bare) in sides.items() for verdict in _judged(effort, name, ours, bare)]


class Side:
    """One of the two that are asked, and how it fared in each turn."""

    def __init__(self, pid: int, port: int, path: str, token: str | None) -> None:
        self.rates: list[float] = []
        self.cpus_us: list[float] = []
        self._pid, self._port, self._path, self._token = pid, port, path, token

    def ask(self) -> None:
        """Ask for a turn, by a few callers who each wait for their answer."""
        before = process.cpu_so_far(self._pid)
        rate = uvloop.run(http_load.rate(self._port, self._path, ASKED_S, self._token))
        self.rates.append(rate)
        self.cpus_us.append((process.cpu_so_far(self._pid) - before) / (rate * ASKED_S) * 1e6)

    def forget(self) -> None:
        """Begin anew."""
        self.rates, self.cpus_us = [], []


def _judged(effort: Effort, name: str, ours: Side, bare: Side) -> list[Verdict]:
    rounds = Rounds(figures={"ours": ours.rates, "bare": bare.rates})
    share = rounds.ratio("ours", "bare")
    cpu, bare_cpu = median(ours.cpus_us), median(bare.cpus_us)
    effort.tell(f"  {name}: {rounds.spread('ours').shown()}/s, bare {rounds.spread('bare').shown()}/s")
    return [
        Verdict(figure=f"GET {name}, answers/s", measured=rounds.spread("ours").shown()),
        Verdict(
            figure="... share of a bare handler of the same bytes",
            measured=share.shown(".2f"),
            goal=f">= {LEAST_SHARE}",
            is_met=share.median >= LEAST_SHARE,
        ),
        Verdict(
            figure="... the same by processor time an answer",
            measured=f"{bare_cpu / cpu:.2f} ({cpu:.0f} us against {bare_cpu:.0f})",
        ),
    ]


def _listening(effort: Effort, pid: int, port: int) -> list[Verdict]:
    seconds = QUICK_IDLE_S if effort.is_quick else IDLE_S
    alone = uvloop.run(_share(pid, seconds))
    share = uvloop.run(_share_with_listeners(pid, port, seconds))
    effort.tell(f"  idle {alone:.2%} of a core, with {LISTENERS} listeners {share:.2%}")
    return [
        Verdict(figure="idle daemon over this ledger, share of a core", measured=f"{alone:.2%}"),
        Verdict(
            figure=f"... with {LISTENERS} who listen to events",
            measured=f"{share:.2%}",
            goal=f"< {MOST_SHARE:.0%}",
            is_met=share < MOST_SHARE,
        ),
    ]


async def _share_with_listeners(pid: int, port: int, seconds: float) -> float:
    token = http_world.TOKEN
    async with http_load.listening(port, "/api/events", LISTENERS, token) as heard:
        await asyncio.sleep(SETTLE_S)
        if not all(heard):
            raise MeasureFailed(f"{heard.count(0)} of {LISTENERS} were not listened to")
        return await _share(pid, seconds)


async def _share(pid: int, seconds: float) -> float:
    """How much of a core all threads of a process take."""
    before, began = process.cpu_so_far(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    return (process.cpu_so_far(pid) - before) / (time.perf_counter() - began)


def _fetched(port: int, path: str) -> bytes:
    request = Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {http_world.TOKEN}"}
    )
    with urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
