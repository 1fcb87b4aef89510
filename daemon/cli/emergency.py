"""`nightdesk emergency`: see to it that reports are there, whatever else has failed."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.digest import DateType
from daemon.cli.exits import DONE, WRONG
from daemon.cli.tables import clean
from daemon.cli.times import Shower, shower

if TYPE_CHECKING:
    from daemon.operations import Operations

EMERGENCY = "/api/reports/emergency"
SAID = {
    "willSend": "will be sent",
    "sentAgain": "of these again",
    "alreadyDelivered": "delivered already",
    "excused": "excused",
    "unknown": "unknown (nightdesk reports resolve)",
    "notDueYet": "not due yet",
}
FINAL = ("done", "cancelled", "stopped")
Row = Mapping[str, Any]


@click.group("emergency", cls=Group)
def emergency() -> None:
    """Have reports be there now: trigger, show and cancel plans. What has arrived is not sent again."""


@emergency.command()
@click.option("--company", metavar="ID", help="For one company.")
@click.option("--all", "is_all", is_flag=True, help="For all companies: a few first, then the rest.")
@click.option("--reason", required=True, metavar="R", help="Why; it is kept.")
@click.option("--date", "day", type=DateType(), help="Of which date.  [today]")
@click.option(
    "--delay-minutes",
    "delay",
    type=click.FloatRange(0, 1440),
    default=0,
    help="Begin so much later; until then it can be cancelled.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Only count; nothing is planned and nothing sent.")
@click.option("--force", metavar="PLAN", help="Send again what has arrived, after a look at this plan.")
@click.option("--key", metavar="K", help="Another key, another plan: for the same reason once more.")
@pass_call
def trigger(
    call: Call,
    company: str | None,
    is_all: bool,
    reason: str,
    day: date | None,
    delay: float,
    is_dry: bool,
    force: str | None,
    key: str | None,
) -> int:
    """See to it that one company, or every one, has its report of a date.

    Pressed again with the same reason it is the same plan. Without a daemon it is carried out here.
    """
    if (company is None) is not is_all:
        raise click.UsageError("name one company by --company ID, or all of them by --all")

    async def work(operations: "Operations") -> Any:
        await operations.companies.take_file()
        made = await operations.emergency.trigger(
            reason=reason,
            owner=call.user,
            company_id=company,
            day=day,
            delay_minutes=delay,
            is_dry=is_dry,
            force_of=force,
            key=key,
        )
        if delay and not is_dry:
            call.note("nightdesk: no daemon is running; the plan begins when its time has come and one does")
        if is_dry or delay:
            return made
        return {**made, **await operations.emergency.drive(made["planId"])}

    body = {"reason": reason, "owner": call.user, "delayMinutes": delay, "dryRun": is_dry}
    body |= {"date": None if day is None else day.isoformat(), "force": force, "key": key}
    one = f"{EMERGENCY}/companies/{segment(company or '')}/trigger-report"
    path = f"{EMERGENCY}/trigger-all-reports" if is_all else one
    return _tell(call, ask_or_do(call, lambda: call.client.post(path, body), work))


@emergency.command()
@click.argument("plan")
@pass_call
def show(call: Call, plan: str) -> int:
    """A plan: what it does, and how far it is."""

    async def work(operations: "Operations") -> Any:
        return await operations.emergency.show(plan)

    return _tell(call, ask_or_do(call, lambda: call.client.get(_path(plan)), work, is_looking=True))


@emergency.command()
@click.argument("plan")
@pass_call
def cancel(call: Call, plan: str) -> int:
    """Give up a plan that has not begun."""

    async def work(operations: "Operations") -> Any:
        return await operations.emergency.cancel(plan, call.user)

    asked = ask_or_do(call, lambda: call.client.delete(_path(plan), {"by": call.user}), work)
    return _tell(call, asked)


def _path(plan: str) -> str:
    return f"{EMERGENCY}/plans/{segment(plan)}"


def _tell(call: Call, plan: Row) -> int:
    """Say what a plan does; the exit code says whether it was stopped."""
    if call.is_json:
        call.answer(plan)
    else:
        call.say(_page(call, plan))
        if plan.get("duplicate"):
            call.note("nightdesk: this plan was there already: the same reason, date and companies")
    return WRONG if plan["state"] == "stopped" else DONE


def _page(call: Call, plan: Row) -> str:
    times = shower(call)
    whom = "all companies" if plan["companies"] is None else ", ".join(plan["companies"])
    about = f"reports of {', '.join(plan['dates'])} for {whom}: {plan['reason']}"
    if plan["planId"] is None:
        head = f"A dry run; nothing is planned. {about}"
    else:
        head = f"{plan['planId']}: {plan['state']}. {about}"
    counts = plan["counts"]
    lines = [f"  {counts[name]:>7,} {said}" for name, said in SAID.items() if counts.get(name)]
    if not lines:
        lines = ["  nobody is owed one; nightdesk companies list shows who is served"]
    if counts["willSend"] and plan["state"] not in FINAL:
        lines.append(f"  {_expected(plan, times)}")
    if plan["state"] == "waiting" and plan["planId"] is not None:
        lines.append(f"  begins {times(plan['startsAt'])} {times.zone_name}, by the daemon")
        lines.append(f"  nightdesk emergency cancel {plan['planId']} gives it up until then")
    if outcome := counts.get("outcome"):
        ends = ", ".join(f"{count:,} {name}" for name, count in outcome.items() if count)
        lines.append(f"  came of it: {ends or 'nothing was left to do'}")
    return "\n".join([clean(head), *lines])


def _expected(plan: Row, times: Shower) -> str:
    """When it will be over and what it will cost, going by the last days, as far as these tell."""
    ends_at, usd = plan["estimatedEndAt"], plan["estimatedCostUsd"]
    over = "when it will be over cannot be told yet"
    if ends_at is not None:
        over = f"over at about {times(ends_at)} {times.zone_name}"
    cost = "what it will cost cannot be told yet"
    if usd is not None:
        cost = f"for about {usd:,.2f} USD" if usd else "at no cost"
    return f"{over}, {cost}"
