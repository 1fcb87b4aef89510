"""The routes of the roster."""

import io

from daemon.web.answers import reports as shapes
from daemon.web.asking import Answer, Asking
from daemon.web.paging import after, page
from daemon.web.query import flag, text, whole
from daemon.web.route import Body, DateText, Reason, Route, Short, do, read
from state.ledger.records import Company

DEFAULT_ROWS = 100
MOST_ROWS = 1000
# A hundred thousand companies with an address or two each take a quarter of it.
ROSTER_BODY = 64 * 1024 * 1024


class NewCompanyPause(Body):
    """The first date that is served again, why, and on whose word."""

    until: DateText
    reason: Reason
    by: Short = "operator"


class NewResumption(Body):
    """On whose word a pause ends."""

    by: Short = "operator"


async def companies(asking: Asking) -> Answer:
    """The roster, by id."""
    given = asking.given
    begin, limit = given["cursor"] or given["after"] or "", given["limit"]
    rows = await asking.operations.companies.listing(begin, limit, is_all=given["all"])
    return page(rows, limit, "id")


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
    """Take over a roster, which is the body as it is, JSON or CSV."""
    done = await asking.operations.companies.import_roster(
        io.BytesIO(asking.body),
        asking.given["source"],
        asking.given["by"],
        is_confirmed=asking.given["yes"],
        is_trial=asking.given["dryRun"],
    )
    return Answer(value=done)


ROSTER_PAGE = (
    whole("limit", "How many companies at most.", DEFAULT_ROWS, MOST_ROWS),
    after("The id of the last company of the page before."),
    text("after", "The same as `cursor`, under its older name."),
    flag("all", "1 for those too who have left."),
)
IMPORT = (
    text("source", "Where the roster comes from, for the audit.", "request"),
    text("by", "On whose word.", "operator"),
    flag("yes", "1 to take it over also where many companies would leave."),
    flag("dryRun", "1 to see what it would do."),
)

COMPANY_ROUTES: tuple[Route, ...] = (
    read("/api/companies", companies, gives=list[Company], query=ROSTER_PAGE),
    do(
        "/api/companies/import",
        import_companies,
        bytes,
        ROSTER_BODY,
        gives=shapes.ImportedRoster,
        query=IMPORT,
    ),
    do("/api/companies/{id}/pause", pause_company, NewCompanyPause, gives=Company),
    do("/api/companies/{id}/resume", resume_company, NewResumption, gives=Company),
)
