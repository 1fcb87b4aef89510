"""The routes of reports, of coverage and of its certificates."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, field

from daemon.operations import Unfit
from daemon.reports.resolving import WORDS
from daemon.web.answers import reports as shapes
from daemon.web.answers import work
from daemon.web.asking import JSON, Answer, Asking, Raw
from daemon.web.paging import after, page
from daemon.web.query import choice, day, wait, whole
from daemon.web.route import Body, DateText, Nothing, Route, Short, do, read
from state.ledger.records import Status

DEFAULT_ROWS = 100
MOST_ROWS = 10_000
MOST_DAYS = 400
LONGEST_RANGE = 366
NEWEST = "newest"  # in place of a date: the newest one that has come due
DAY = timedelta(days=1)


class NewEnsure(Body):
    """The reports to see to: those of one date, or from one to another; of one company, or of all."""

    date: DateText | None = None
    from_: DateText | None = field(name="from", default=None)
    to: DateText | None = None
    company: Short | None = None


class NewVerdict(Body):
    """What somebody found out of a report: `delivered`, or that it is to be sent again, `resend`."""

    as_: Annotated[Short, Meta(extra_json_schema={"enum": list(WORDS)})] = field(name="as")
    by: Short = "operator"


async def reports(asking: Asking) -> Answer:
    """A date's reports, by company."""
    given = asking.given
    begin, limit = given["cursor"] or "", given["limit"]
    found = await asking.operations.reports.page(given["date"], given["status"], begin, limit)
    next_ = found.last if 0 < limit <= found.count else None
    return Answer(value=Raw(body=found.body, media=JSON), total=found.total, next=next_)


async def missing(asking: Asking) -> Answer:
    """Who has no report of a date and should, by company."""
    begin, limit = asking.given["cursor"] or "", asking.given["limit"]
    rows, total = await asking.operations.reports.missing(asking.given["date"], begin, limit)
    return page(rows, limit, "companyId", total)


async def report(asking: Asking) -> Answer:
    """One report: how it stands, why, and the copy that was kept."""
    return Answer(value=await asking.operations.reports.show(asking.path["company"], _named(asking)))


async def why(asking: Asking) -> Answer:
    """Why a company's day stands as it does, link by link."""
    return Answer(value=await asking.operations.reports.why(asking.path["company"], _named(asking)))


async def ensure(asking: Asking) -> Answer:
    """Have what is not delivered be made and sent."""
    wanted = asking.read(NewEnsure)
    days = _days(asking, wanted)
    made: Any = await asking.operations.reports.ensure(days, wanted.company, asking.wait_s)
    return Answer(value=made)


async def resolve(asking: Asking) -> Answer:
    """Take a person's word on a report that failed, or of which nobody knows whether it arrived."""
    said = asking.read(NewVerdict)
    on = asking.day(asking.path["day"])
    return Answer(
        value=await asking.operations.reports.resolve(asking.path["company"], on, said.as_, said.by)
    )


async def coverage(asking: Asking) -> Answer:
    """The coverage of a date, or an array of that of several dates, newest first."""
    on, days = asking.given["date"], asking.given["days"]
    if days:
        return Answer(value=await asking.operations.reports.coverages(on, days))
    return Answer(value=await asking.operations.reports.coverage(on))


async def verify(asking: Asking) -> Answer:
    """Whether the certificate of a date holds, and what speaks against it."""
    return Answer(value=await asking.operations.reports.verify(asking.day(asking.path["day"])))


async def certify(asking: Asking) -> Answer:
    """Write the certificate of a date."""
    asking.read(Nothing)
    made = await asking.operations.reports.certify(asking.day(asking.path["day"]))
    return Answer(value=made)


def _named(asking: Asking) -> date | None:
    text = asking.path["date"]
    return None if text == NEWEST else asking.day(text)


def _days(asking: Asking, wanted: NewEnsure) -> list[date]:
    """The dates that are meant; none where none is named.

    Raises:
        Unfit: half of a range, one that ends before it begins, or a date and a range.
    """
    if wanted.date is not None:
        if wanted.from_ is not None or wanted.to is not None:
            raise Unfit("date: name one date, or a range by from and to, and not both")
        return [asking.day(wanted.date)]
    if wanted.from_ is None and wanted.to is None:
        return []
    if wanted.from_ is None or wanted.to is None:
        raise Unfit("from, to: a range has both")
    first, last = asking.day(wanted.from_), asking.day(wanted.to)
    if not 0 <= (last - first).days < LONGEST_RANGE:
        raise Unfit(f"from, to: {first} to {last} is no range of 1 to {LONGEST_RANGE} dates")
    return [first + count * DAY for count in range((last - first).days + 1)]


ON = day("date", "The date; the newest of which a report has come due where it is left out.")
LIMIT = whole("limit", "How many companies at most.", DEFAULT_ROWS, MOST_ROWS)
CURSOR = after("The last company of the page before.")
STATUS = choice("status", "Only the reports that stand so.", Status)
DAYS = whole("days", "How many dates, up to `date`; 0 for that one alone and no array.", 0, MOST_DAYS)
PROMISED = (work.Promise, work.Finished)

REPORT_ROUTES: tuple[Route, ...] = (
    read("/api/reports", reports, gives=list[shapes.ReportRow], query=(ON, STATUS, LIMIT, CURSOR)),
    read("/api/reports/missing", missing, gives=list[shapes.ReportRow], query=(ON, LIMIT, CURSOR)),
    do(
        "/api/reports/ensure",
        ensure,
        NewEnsure,
        gives=PROMISED,
        query=(wait(),),
        status=HTTPStatus.ACCEPTED,
    ),
    read("/api/coverage", coverage, gives=(shapes.Coverage, list[shapes.Coverage]), query=(ON, DAYS)),
    read("/api/certificates/{day}/verify", verify, gives=shapes.Verdict),
    do(
        "/api/certificates/{day}",
        certify,
        Nothing,
        gives=shapes.Certificate,
        status=HTTPStatus.CREATED,
    ),
    read("/api/why/{company}/{date}", why, gives=shapes.Why),
    do("/api/reports/{company}/{day}/resolve", resolve, NewVerdict, gives=shapes.Settled),
    read(
        "/api/reports/{company}/{date}",
        report,
        gives=(shapes.Report, shapes.UnplannedReport),
        is_tagged=True,
    ),
)
