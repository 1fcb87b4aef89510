"""Send the night's digest to the team every morning: this night's, and never an older one as new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from daemon.context import Context
from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze, handler
from daemon.notify.base import Message
from handlers.batch import local_date, make_batch
from handlers.digest_message import as_message
from handlers.digest_plan import Parcel, asked_again, expected_date, message_id_of, owed
from state.database import StoreError
from state.digest_file import batches_beyond, covering
from state.records import Delivery, DeliveryState, Severity, Task, TaskState

LATE_DAYS = 7  # an older digest that was never sent is no news any more
# While the night's batch is at work it is waited for, but not for longer than this after it began.
BATCH_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What this run is to send."""

    expected: date  # the digest the team waits for
    due: date  # what lies before it is late
    is_by_hand: bool  # somebody named the date: only that one
    again: bool


@handler("send-digest", cron="0 6 * * *", section="digest", timeout="2m", max_attempts=5, deadline="1h")
async def send_digest(ctx: Context) -> Outcome:
    """Send the digest of the newest night, and what earlier nights still owe."""
    aim = await _aim(ctx)
    if not await ctx.house.digests.batches_of(aim.expected):
        if _is_at_work(ctx, aim.expected):
            return Snooze(minutes=0.5, reason=f"the batch of {aim.expected.isoformat()} is at work")
        await _make_missing(ctx, aim)
    parcels = await _parcels(ctx, aim)
    if not parcels:
        return await _nothing_owed(ctx, aim.expected)
    outcomes = [await _send(ctx, parcel) for parcel in parcels]
    is_proved = all(state is DeliveryState.DELIVERED for state in outcomes)
    return Done(
        date=aim.expected.isoformat(),
        outcome="delivered" if is_proved else "unknown",
        messages=len(outcomes),
        channel=_channel(ctx),
    )


async def _nothing_owed(ctx: Context, day: date) -> Cancel:
    await ctx.house.digests.note_last_sent()  # a crash may have come between the proof and the note
    times = [it.sent_at for it in await ctx.house.digests.batches_of(day) if it.sent_at is not None]
    when = f" at {max(times):%Y-%m-%d %H:%M} UTC" if times else ""
    return Cancel(reason=f"the digest of {day.isoformat()} was already sent{when}")


async def _aim(ctx: Context) -> Aim:
    now = ctx.house.clock.now()
    today = local_date(now, ctx.options.timezone)
    slot = ctx.house.schedules.newest_slot("nightly-batch", now)
    due = slot.nominal.date() if slot else today
    again = bool(ctx.task.args.get("resend"))
    if named := ctx.task.args.get("date"):
        return Aim(expected=_named_date(named), due=due, is_by_hand=True, again=again)
    newest = await ctx.house.digests.newest_date(today)
    expected = expected_date(due, newest, today)
    return Aim(expected=expected, due=due, is_by_hand=False, again=again)


def _named_date(named: object) -> date:
    try:
        return date.fromisoformat(str(named))
    except ValueError:
        raise HandlerError(f"date: {named!r} is no date; write it as 2026-11-21", permanent=True) from None


def _is_at_work(ctx: Context, day: date) -> bool:
    """Whether the batch of that night is running and has not been at it for suspiciously long."""
    patience_ends = ctx.house.clock.now() - BATCH_PATIENCE

    def is_it(task: Task) -> bool:
        return (
            task.handler == "nightly-batch"
            and task.state is TaskState.EXECUTING
            and (task.slot or "").startswith(day.isoformat())
            and task.started_at is not None
            and task.started_at > patience_ends
        )

    return any(is_it(task) for task in ctx.house.store.tasks.values())


async def _make_missing(ctx: Context, aim: Aim) -> None:
    """Make the digest that nobody made; if that cannot be, say so to the team and alert."""
    if aim.is_by_hand and aim.expected != aim.due:
        raise HandlerError(
            f"there is no digest of {aim.expected.isoformat()}; nightdesk digest list shows those there are",
            permanent=True,
        )
    ctx.log.warning("digest.missing", extra={"fields": {"date": aim.expected.isoformat()}})
    try:
        await make_batch(ctx.house, ctx.options, task_id=ctx.task.id, day=aim.expected, log=ctx.log)
    except (HandlerError, StoreError) as error:
        await _tell_missing(ctx, aim.expected, str(error))
        raise HandlerError(f"the digest of {aim.expected.isoformat()} could not be made: {error}") from error


async def _parcels(ctx: Context, aim: Aim) -> list[Parcel]:
    digests = ctx.house.digests
    if aim.is_by_hand and aim.again:
        return asked_again(await digests.batches_of(aim.expected), aim.expected, ctx.task.id)
    since = aim.expected if aim.is_by_hand else aim.expected - timedelta(days=LATE_DAYS)
    unsent = await digests.unsent(aim.expected, since)
    delivered = {day for day in {batch.date for batch in unsent} if await _was_delivered(ctx, day)}
    parcels = owed(unsent, aim.expected, aim.due, delivered)
    # A late one whose fate is unknown has been alerted, and waits for somebody's word.
    return [it for it in parcels if not (it.is_late and not aim.is_by_hand and _is_unknown(ctx, it))]


async def _was_delivered(ctx: Context, day: date) -> bool:
    return any(batch.sent_at is not None for batch in await ctx.house.digests.batches_of(day))


def _is_unknown(ctx: Context, parcel: Parcel) -> bool:
    delivery = ctx.house.store.deliveries.get(f"{parcel.message_id}@{_channel(ctx)}")
    return delivery is not None and delivery.state is DeliveryState.UNKNOWN


async def _send(ctx: Context, parcel: Parcel) -> DeliveryState:
    """Send one message; raises where it did not arrive, so that the task is tried again."""
    digest = await _content(ctx, parcel)
    message = as_message(digest, ctx.options, message_id=parcel.message_id, is_late=parcel.is_late)
    channel = _channel(ctx)
    if channel not in ctx.house.notify.channels:
        await _alert_unsent(ctx, parcel.day, f'there is no channel "{channel}"')
        raise HandlerError(f'there is no channel "{channel}" to send the digest to', permanent=True)
    if not parcel.is_sent and not await ctx.house.digests.begin(parcel.batch_ids, parcel.message_id):
        raise HandlerError(f"the digest of {parcel.day.isoformat()} is being sent by another run just now")
    delivery = await ctx.house.notify.send(
        message,
        to=channel,
        subject=parcel.day.isoformat(),
        # Asked for once: a second attempt of this task knows no more than the first one did.
        resend=parcel.is_again and ctx.task.attempt <= 1,
    )
    await _settle(ctx, parcel, delivery)
    return delivery.state


async def _settle(ctx: Context, parcel: Parcel, delivery: Delivery) -> None:
    """Draw the consequence of what is known of the delivery."""
    day = parcel.day
    if delivery.state is DeliveryState.DELIVERED:
        at = delivery.last_tried_at or ctx.house.clock.now()
        await ctx.house.digests.mark_sent(parcel.batch_ids, delivery.id, at)
        for name in ("digest.unsent", "digest.missing", "digest.unknown"):
            await ctx.house.alerts.resolve(name, labels={"date": day.isoformat()})
    elif delivery.state is DeliveryState.UNKNOWN:
        await _alert_unknown(ctx, day, delivery)
    else:
        is_permanent = delivery.state is DeliveryState.FAILED
        if is_permanent or ctx.task.attempt >= ctx.task.max_attempts:
            await _alert_unsent(ctx, day, delivery.error)
        raise HandlerError(
            f"the digest of {day.isoformat()} did not arrive on {delivery.channel}: {delivery.error}",
            permanent=is_permanent,
            retry_after=ctx.house.notify.retry_after(delivery),
        )


async def _content(ctx: Context, parcel: Parcel) -> Mapping[str, Any]:
    """The part of the date's digest that the parcel covers, from its file or, where that is bad, rebuilt."""
    digests = ctx.house.digests
    known = await digests.batches_of(parcel.day)
    digest = await _sound_digest(ctx, parcel.day)
    ids: Sequence[str] = parcel.batch_ids
    if parcel.is_first:
        # Batches that only the file knows of were made before the database was lost. They are sent
        # along unless a digest went out after them.
        ids = [*ids, *batches_beyond(digest, {batch.id for batch in known}, digests.last_sent_at)]
    part = covering(digest, ids)
    assert part is not None, "a sound digest holds every batch of its date"
    return part


async def _sound_digest(ctx: Context, day: date) -> Mapping[str, Any]:
    found = await ctx.house.digests.read_file(day)
    if found.digest is not None:
        return found.digest
    fields = {"date": day.isoformat(), "reason": found.state.value, "detail": found.detail}
    ctx.log.warning("digest.rebuilt", extra={"fields": fields})
    try:
        digest = await ctx.house.digests.write_file(day, ctx.house.clock.now())
    except OSError as error:
        # The team need not wait for the disk: what is sent comes from the database all the same.
        ctx.log.error("digest.unwritten", extra={"fields": fields | {"error": str(error.strerror)}})  # noqa: TRY400
        digest = await ctx.house.digests.build(day)
    assert digest is not None, "a date with a batch has a digest"
    return digest


def _channel(ctx: Context) -> str:
    """A target that is a configured channel takes the place of the channel."""
    target: str = ctx.options.target
    channel: str = ctx.options.channel
    return target if target and target in ctx.house.notify.channels else channel


async def _tell_missing(ctx: Context, day: date, reason: str) -> None:
    """Alert, and tell the team in place of the digest. Yesterday's is not sent instead."""
    labels = {"date": day.isoformat()}
    try:
        await ctx.house.alerts.fire(
            "digest.missing",
            severity=Severity.ERROR,
            summary=f"The digest of {day.isoformat()} could not be made",
            labels=labels,
            details={"reason": reason},
            advice="nightdesk run-once nightly-batch",
        )
        if (channel := _channel(ctx)) in ctx.house.notify.channels:
            await ctx.house.notify.send(
                _missing_message(ctx, day, reason), to=channel, subject=day.isoformat()
            )
    except StoreError as error:
        # Nothing can be written down just now; the task's own failure still tells of it.
        ctx.log.error("digest.untold", extra={"fields": labels | {"error": str(error)}})  # noqa: TRY400


def _missing_message(ctx: Context, day: date, reason: str) -> Message:
    return Message(
        id=message_id_of(day, ("missing",)),
        kind="digest",
        title="Tonight's digest is not available",
        text=f"The digest of {day.isoformat()} could not be made: {reason}\n\n"
        "An older one is not sent in its place. It follows by itself once it can be made.",
        created_at=ctx.house.clock.now(),
    )


async def _alert_unsent(ctx: Context, day: date, reason: str | None) -> None:
    await ctx.house.alerts.fire(
        "digest.unsent",
        severity=Severity.ERROR,
        summary=f"The digest of {day.isoformat()} was not sent",
        labels={"date": day.isoformat()},
        details={"channel": _channel(ctx), "reason": reason},
        advice=f"nightdesk notify test {_channel(ctx)}, then nightdesk digest send {day.isoformat()}",
    )


async def _alert_unknown(ctx: Context, day: date, delivery: Delivery) -> None:
    await ctx.house.alerts.fire(
        "digest.unknown",
        severity=Severity.ERROR,
        summary=f"Nobody can say whether the digest of {day.isoformat()} has arrived",
        labels={"date": day.isoformat()},
        details={"channel": delivery.channel, "reason": delivery.error},
        advice=f"Look into the channel; if it is not there: nightdesk digest send {day.isoformat()} --again",
    )
