"""Say every morning how everything is: coverage, components, what failed and why, and what to do."""

import asyncio
from collections.abc import Sequence

from daemon.context import Context
from daemon.dispatch.silences import ageing
from daemon.engine.handler import Done, HandlerError, Outcome, handler
from daemon.notify.base import Message
from daemon.reports.certificates import write
from daemon.reports.closing import seal_the_ended
from daemon.reports.health import Health, examine
from handlers.health_message import as_message, as_text
from state.codec import to_pretty_json
from state.disk import write_whole
from state.ledger.errors import LedgerError
from state.ledger.records import Certificate
from state.records import Delivery, DeliveryState, Severity

ALERT = "health.critical"
FOLDER = "health"


@handler("daily-health", cron="0 8 * * *", section="reports", timeout="5m", max_attempts=3, deadline="1h")
async def daily_health(ctx: Context) -> Outcome:
    """Examine everything, seal what has ended and the newest date, tell of it, alert what is critical."""
    house = ctx.house
    silences = ageing(house.store.silences.values(), house.clock.now())
    health = await examine(house, silences, deep=True)
    sealed = await _certify(ctx, health)
    file = await _written(ctx, health, sealed)
    await _alert(ctx, health)
    delivery = await _send(ctx, as_message(health, sealed, message_id=f"health-{ctx.task.id}"))
    return Done(
        status=health.status.value,
        coverage=None if health.coverage is None else health.coverage.percent,
        critical=len(health.critical),
        certificate=_newest(sealed, health),
        certified=[it.date.isoformat() for it in sealed],
        file=file,
        channel=None if delivery is None else delivery.channel,
        outcome=None if delivery is None else delivery.state.value,
    )


async def _certify(ctx: Context, health: Health) -> list[Certificate]:
    """Seal the dates before that have ended since their last certificate, then the one the report is of."""
    house, sealed = ctx.house, list[Certificate]()
    if house.ledger is None or health.coverage is None:
        return sealed
    on, now = health.coverage.date, house.clock.now()
    try:
        sealed += await seal_the_ended(house.ledger, house.home, on, now)
        sealed.append(await write(house.ledger, house.home, on, now))
    except (LedgerError, OSError) as error:
        # A morning without a certificate is still to hear how things are; the next one writes it.
        ctx.log.error("certificate.unwritten", extra={"fields": {"error": str(error)}})  # noqa: TRY400
    return sealed


def _newest(sealed: Sequence[Certificate], health: Health) -> str | None:
    """The hash of the certificate of the date that the report is of; None where it could not be written."""
    on = None if health.coverage is None else health.coverage.date
    return next((it.hash for it in sealed if it.date == on), None)


async def _written(ctx: Context, health: Health, sealed: Sequence[Certificate]) -> str | None:
    """Keep the report in the logs, for people and for programs; where it is."""
    folder = ctx.house.home.logs / FOLDER
    path = folder / f"health-{health.at:%Y-%m-%d}.json"

    def write() -> None:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_whole(path.with_suffix(".txt"), as_text(health, sealed).encode())
        write_whole(path, to_pretty_json({**health.as_row(), "certificate": _newest(sealed, health)}) + b"\n")

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        ctx.log.error("health.unwritten", extra={"fields": {"error": error.strerror}})  # noqa: TRY400
        return None
    return str(path)


async def _alert(ctx: Context, health: Health) -> None:
    """Alert what is critical; a morning without ends the alert of the last one."""
    if not health.critical:
        await ctx.house.alerts.resolve(ALERT)
        return
    await ctx.house.alerts.fire(
        ALERT,
        severity=Severity.CRITICAL,
        summary=f"the daily health found {len(health.critical)} critical: {health.critical[0]}",
        details={"findings": health.critical},
        advice=health.recommendations[0].command if health.recommendations else "nightdesk health now",
    )


async def _send(ctx: Context, message: Message) -> Delivery | None:
    """Send it where the digest goes; None where no channel is there.

    Raises:
        HandlerError: it did not arrive; the next attempt examines everything anew and sends it.
    """
    notify, digest = ctx.house.notify, ctx.house.config.digest
    channel = digest.target if digest.target in notify.channels else digest.channel
    if channel not in notify.channels:
        return None
    delivery = await notify.send(message, to=channel, subject=f"{message.created_at:%Y-%m-%d}")
    if delivery.state in (DeliveryState.DELIVERED, DeliveryState.UNKNOWN):
        return delivery
    raise HandlerError(
        f"the health report did not arrive on {channel}: {delivery.error}",
        permanent=delivery.state is DeliveryState.FAILED,
        retry_after=notify.retry_after(delivery),
    )
