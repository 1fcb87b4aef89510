"""The routes for emergencies: reports that have to be there, by a plan that can be looked at and stopped."""

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta

from daemon.web.answers import reports as shapes
from daemon.web.asking import Answer, Asking
from daemon.web.pacing import Limit
from daemon.web.route import Answering, Body, DateText, Reason, Route, Short, do, read

Minutes = Annotated[float, Meta(ge=0, le=1440)]
PLAN = "/api/reports/emergency/plans/{id}"


class NewRescue(Body):
    """Why one company's report has to be there, and of which date; `force` names an earlier plan."""

    reason: Reason
    date: DateText | None = None
    delay_minutes: Minutes = 0
    dry_run: bool = False
    force: Short | None = None
    key: Short | None = None
    owner: Short = "operator"


class NewCancelling(Body):
    """On whose word a plan is cancelled."""

    by: Short = "operator"


async def trigger_report(asking: Asking) -> Answer:
    """See to it that one company has its report; what has arrived is not sent again."""
    return await _triggered(asking, asking.path["companyId"])


async def trigger_all_reports(asking: Asking) -> Answer:
    """See to it that all companies have their reports: a few first, then the rest; `delayMinutes`."""
    return await _triggered(asking, None)


async def plan(asking: Asking) -> Answer:
    """An emergency plan: what it does, and how far it is."""
    return Answer(value=await asking.operations.emergency.show(asking.path["id"]))


async def cancel_plan(asking: Asking) -> Answer:
    """Give up a plan that has not begun."""
    by = asking.read(NewCancelling).by
    return Answer(value=await asking.operations.emergency.cancel(asking.path["id"], by))


async def _triggered(asking: Asking, company_id: str | None) -> Answer:
    new = asking.read(NewRescue)
    made = await asking.operations.emergency.trigger(
        reason=new.reason,
        owner=new.owner,
        company_id=company_id,
        day=None if new.date is None else asking.day(new.date),
        delay_minutes=new.delay_minutes,
        is_dry=new.dry_run,
        force_of=new.force,
        key=asking.key(new.key),
    )
    return Answer(value=made)


def _triggering(path: str, answer: Answering) -> Route:
    made = (shapes.KeptPlan, shapes.Plan)
    return do(path, answer, NewRescue, gives=made, status=HTTPStatus.ACCEPTED, limit=Limit.EMERGENCY)


EMERGENCY_ROUTES: tuple[Route, ...] = (
    _triggering("/api/reports/emergency/companies/{companyId}/trigger-report", trigger_report),
    _triggering("/api/reports/emergency/trigger-all-reports", trigger_all_reports),
    read(PLAN, plan, gives=shapes.Plan),
    do(PLAN, cancel_plan, NewCancelling, gives=shapes.Plan, limit=Limit.EMERGENCY, method="DELETE"),
)
