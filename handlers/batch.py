"""One batch: score what waits, record it, write the digest of its date."""

import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from daemon.context import Services
from daemon.engine.handler import HandlerError
from handlers.scoring import Scorer
from state.digests import Window
from state.items import Judgement, WindowMoved
from state.records import Batch, Severity

if TYPE_CHECKING:
    from daemon.config.sections import DigestSection

# Each loss of the race means that another batch has just taken what waited; five in a row mean a fault.
MAX_RACES = 5
PROGRESS_EVERY = 10_000
CLOCK_SKEW = timedelta(days=1)  # a lead from further ahead than this tells nothing of how new the batch is
Log = logging.LoggerAdapter[logging.Logger]


def local_date(now: datetime, timezone: str) -> date:
    """The date that people in a zone write at this moment."""
    return now.astimezone(ZoneInfo(timezone)).date()


async def make_batch(
    house: Services, options: "DigestSection", *, task_id: str, day: date, log: Log
) -> Batch:
    """Take all that waits into one batch of a date; its digest is written when this returns.

    One batch per task, however often it is called. Where nothing waits and the date has a batch
    already, that one stands for both.

    Raises:
        HandlerError: the digest could not be written, or other batches took everything each time.
        StoreError: the database refused; the same call may be made again.
    """
    started_s = house.clock.monotonic()
    batch = await house.digests.batch_of(task_id)
    if batch is None:
        batch = await _taken(house, options, task_id, day, log)
    await _write(house, batch.date)
    took = timedelta(seconds=house.clock.monotonic() - started_s)
    log.info("batch.done", extra={"fields": _told(batch) | {"took_s": round(took.total_seconds(), 3)}})
    await _warn_of_empty(house, batch.date)
    await _warn_of_slow(house, batch, took, options.slow_after)
    return batch


async def _taken(house: Services, options: "DigestSection", task_id: str, day: date, log: Log) -> Batch:
    for _ in range(MAX_RACES):
        window = await house.digests.window()
        if window.queue_total == 0 and (earlier := await house.digests.batches_of(day)):
            log.info("batch.unneeded", extra={"fields": _told(earlier[-1])})
            return earlier[-1]
        try:
            await _judge(house, options, window, log)
            return await house.digests.record(_batch(house, task_id, day, window))
        except WindowMoved as moved:
            log.warning("batch.overtaken", extra={"fields": {"date": day.isoformat(), "reason": str(moved)}})
    raise HandlerError(f"other batches took the waiting leads {MAX_RACES} times in a row")


async def _judge(house: Services, options: "DigestSection", window: Window, log: Log) -> None:
    """Score a window chunk by chunk; the loop is free in between, and while a chunk is scored."""
    now = house.clock.now()
    newest = await house.items.newest_created(
        window.after_seq, window.until_seq, (now + CLOCK_SKEW).timestamp()
    )
    judge = _judge_by(Scorer(options.scoring, now, newest=newest), options.threshold)
    at, done = window.after_seq, 0
    while at < window.until_seq:
        at, count = await house.items.judge(at, window.until_seq, judge)
        done += count
        if done % PROGRESS_EVERY == 0 and done:
            log.info("batch.progress", extra={"fields": {"done": done, "of": window.queue_total}})


def _judge_by(scorer: Scorer, threshold: float) -> Callable[[Mapping[str, Any]], Judgement]:
    def judge(body: Mapping[str, Any]) -> Judgement:
        score, reasons = scorer.score(body)
        return Judgement(score, score > threshold, reasons)

    return judge


def _batch(house: Services, task_id: str, day: date, window: Window) -> Batch:
    return Batch(
        id=str(uuid.uuid4()),
        task_id=task_id,
        date=day,
        generated_at=house.clock.now(),
        after_seq=window.after_seq,
        until_seq=window.until_seq,
        docs_processed=window.queue_total,
        queue_total=window.queue_total,
        marked_for_draft=0,  # counted when it is recorded
    )


async def _write(house: Services, day: date) -> None:
    try:
        await house.digests.write_file(day, house.clock.now())
    except OSError as error:
        path = house.digests.path(day)
        raise HandlerError(f"{path}: the digest could not be written: {error.strerror}") from error


async def _warn_of_empty(house: Services, day: date) -> None:
    """An empty date may be the first sign of a source that has died."""
    if any(batch.docs_processed for batch in await house.digests.batches_of(day)):
        await house.alerts.resolve("batch.empty", labels={"handler": "nightly-batch"})
        return
    await house.alerts.fire(
        "batch.empty",
        severity=Severity.WARNING,
        summary=f"No lead was waiting for the batch of {day.isoformat()}",
        labels={"handler": "nightly-batch"},
        details={"date": day.isoformat()},
        advice="Look whether the source still delivers: nightdesk items list",
    )


async def _warn_of_slow(house: Services, batch: Batch, took: timedelta, slow_after: timedelta) -> None:
    if took <= slow_after:
        await house.alerts.resolve("batch.slow", labels={"handler": "nightly-batch"})
        return
    await house.alerts.fire(
        "batch.slow",
        severity=Severity.WARNING,
        summary=f"The batch of {batch.date.isoformat()} took {took.total_seconds():.0f} s",
        labels={"handler": "nightly-batch"},
        details=_told(batch) | {"tookSeconds": round(took.total_seconds(), 1)},
        advice="Look what else kept the machine busy; slowBatchAfter sets what counts as slow",
    )


def _told(batch: Batch) -> dict[str, Any]:
    return {
        "batch": batch.id,
        "date": batch.date.isoformat(),
        "docs_processed": batch.docs_processed,
        "marked_for_draft": batch.marked_for_draft,
    }
