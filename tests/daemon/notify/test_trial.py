"""Channels are tried side by side, and none of them spoils the trial of another."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from daemon.clock import SystemClock
from daemon.notify.base import Message, Receipt, Step
from daemon.notify.trial import try_out


class Line:
    """A channel whose check does as it is told."""

    Options: ClassVar[type[BaseModel]] = BaseModel
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False

    def __init__(self, *steps: Step, error: Exception | None = None, hangs: bool = False) -> None:
        self._steps = steps
        self._error = error
        self._hangs = hangs

    async def send(self, message: Message) -> Receipt:
        raise AssertionError("a trial sends nothing")

    async def check(self) -> Sequence[Step]:
        if self._hangs:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error
        return self._steps


def step(*, is_ok: bool) -> Step:
    return Step(name="connect", is_ok=is_ok, detail="answered", took_s=0.0123)


async def test_every_channel_has_its_own_outcome() -> None:
    lines = {
        "good": Line(step(is_ok=True)),
        "bad": Line(step(is_ok=True), step(is_ok=False)),
        "broken": Line(error=RuntimeError("https://hooks.example/canary")),
        "hanging": Line(hangs=True),
    }
    trials = {it.channel: it for it in await try_out(lines, SystemClock(), within_s=0.2)}
    assert {name: it.is_ok for name, it in trials.items()} == {
        "good": True,
        "bad": False,
        "broken": False,
        "hanging": False,
    }
    assert trials["broken"].steps[0].detail == "the channel broke (RuntimeError)"
    assert trials["hanging"].steps[0].detail == "no end within 0.2 s"
    assert trials["hanging"].steps[0].took_s >= 0.2


async def test_a_trial_reads_as_a_row() -> None:
    (trial,) = await try_out({"good": Line(step(is_ok=True))}, SystemClock())
    assert trial.as_row() == {
        "channel": "good",
        "ok": True,
        "steps": [{"name": "connect", "ok": True, "detail": "answered", "tookS": 0.012}],
    }
