"""The routes of the roster."""

import io

from daemon.web.asking import Answer, Asking
from daemon.web.route import Body, Reason, Route, Short, do, read

DEFAULT_ROWS = 100
MOST_ROWS = 1000
# A hundred thousand companies with an address or two each take a quarter of it.
ROSTER_BODY = 64 * 1024 * 1024


class NewCompanyPause(Body):
    """The first date that is served again, why, and on whose word."""

    until: Short
    reason: Reason
    by: Short = "operator"


class NewResumption(Body):
    """On whose word a pause ends."""

    by: Short = "operator"


async def companies(asking: Asking) -> Answer:
    """A page of the roster by id: `after` the last id of the page before, `limit`, `all=1` with leavers."""
    limit = asking.count("limit", DEFAULT_ROWS, MOST_ROWS)
    is_all = bool(asking.count("all", 0, 1))
    after = asking.query.get("after", "")
    return Answer(value=await asking.operations.companies.listing(after, limit, is_all=is_all))


async def pause_company(asking: Asking) -> Answer:
    """Owe a company nothing until a date."""
    wanted = asking.read(NewCompanyPause)
    named = asking.path["id"]
    done = await asking.operations.companies.pause(named, wanted.until, wanted.reason, wanted.by)
    return Answer(value=done)


async def resume_company(asking: Asking) -> Answer:
    """End the pause of a company."""
    by = asking.read(NewResumption).by
    return Answer(value=await asking.operations.companies.resume(asking.path["id"], by))


async def import_companies(asking: Asking) -> Answer:
    """Take over a roster, which is the body as it is, JSON or CSV: `source`, `yes=1`, `dryRun=1`, `by`."""
    done = await asking.operations.companies.import_roster(
        io.BytesIO(asking.body),
        asking.query.get("source", "request")[:200],
        asking.query.get("by", "operator"),
        is_confirmed=bool(asking.count("yes", 0, 1)),
        is_trial=bool(asking.count("dryRun", 0, 1)),
    )
    return Answer(value=done)


COMPANY_ROUTES: tuple[Route, ...] = (
    read("/api/companies", companies),
    do("/api/companies/import", import_companies, bytes, ROSTER_BODY),
    do("/api/companies/{id}/pause", pause_company, NewCompanyPause),
    do("/api/companies/{id}/resume", resume_company, NewResumption),
)
