"""The causal line of one company's day: from its plan to its proof, or to why there is none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from daemon.reports.calendar import DAY
from daemon.reports.endings import Ending, absent_ending, ending_of
from state.codec import as_camel
from state.ledger.base import Ledger
from state.ledger.records import Key, Obligation, Send, Status
from state.records import Alert, DeliveryState

MOST_IN_LINE = 12  # the newest links; all of them are in the list
# What the ledger tells from the row itself; told here from row and sends, which know more.
FROM_THE_ROW = frozenset(
    {"obligation.planned", "lease.taken", "report.produced", "send.intended", "send.delivered"}
)
# Of one instant, what came before what: a clock that is told the time gives many the same.
ORDER = ("obligation.planned", "obligation.due", "lease.taken", "report.produced", "send.intended")
LAST = ("deadline.passed", "alert.raised", "alert.resolved")
# An alert without a date of its own belongs to a day if it was raised around it.
AROUND = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the chain."""

    at: datetime
    event: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An alert, and how far somebody heard of it: "delivered to oncall by slack"."""

    alert: Alert
    told: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All that is known of one company's day."""

    company_id: str
    date: date
    ending: Ending
    links: Sequence[Link]
    obligation: Obligation | None
    sends: Sequence[Send]

    @property
    def line(self) -> str:
        """It all on one line, times in UTC."""
        it = self.ending
        chain = [_phrase(link, self.date) for link in self.links[-MOST_IN_LINE:]]
        if len(self.links) > MOST_IN_LINE:
            chain.insert(0, f"{len(self.links) - MOST_IN_LINE:,} earlier")
        told = f" ({' → '.join(chain)})" if chain else ""
        return f"{self.company_id} {self.date} is {it.status}: {it.because}{told}"

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {
            "companyId": self.company_id,
            "date": self.date.isoformat(),
            "status": self.ending.status,
            "decidedBy": self.ending.decided_by,
            "because": self.ending.because,
            "advice": self.ending.advice,
            "line": self.line,
            "links": [{"at": it.at, "event": it.event, "detail": it.detail} for it in self.links],
            "obligation": None if self.obligation is None else as_camel(self.obligation),
            "sends": [as_camel(it) for it in self.sends],
        }


async def account_of(ledger: Ledger, key: Key, now: datetime, heard: Iterable[Heard] = ()) -> Account | None:
    """Put together why a company's day stands as it does; None where the company was never heard of.

    `heard` are alerts of any company and day; those of this one are taken.

    Raises:
        LedgerError: the ledger does not answer.
    """
    obligation = await ledger.obligation(key)
    sends = await ledger.sends_of(key)
    noted = [it for it in await ledger.events_of(key) if it.event not in FROM_THE_ROW]
    if obligation is not None:
        ending = ending_of(obligation, noted, now)
    elif (company := await ledger.company(key.company_id)) is not None:
        ending = absent_ending(company, key.date, now)
    else:
        return None
    links = [
        *(() if obligation is None else _links_of(obligation, now)),
        *(link for send in sends for link in _links_of_send(send)),
        *(Link(at=it.at, event=it.event, detail=it.detail) for it in noted),
        *(link for it in heard if _concerns(it.alert, key, obligation) for link in _links_of_alert(it)),
    ]
    return Account(
        company_id=key.company_id,
        date=key.date,
        ending=ending,
        links=sorted(links, key=lambda link: (link.at, _rank(link.event))),
        obligation=obligation,
        sends=sends,
    )


async def newest_day(ledger: Ledger, company_id: str, today: date, now: datetime) -> date:
    """The day that is meant where none is named: today, or yesterday while today's is not due yet."""
    current = await ledger.obligation(Key(company_id, today))
    if current is not None and current.due_at <= now:
        return today
    before = await ledger.obligation(Key(company_id, today - DAY))
    return today if before is None else today - DAY


def _links_of(one: Obligation, now: datetime) -> list[Link]:
    owner = (one.lease_owner or "somebody")[:8]  # of a random id as much as tells two apart
    by = "" if one.roster_version is None else f"by roster {one.roster_version}"
    times = [
        (one.planned_at, "obligation.planned", by),
        (
            one.due_at if one.due_at <= now and one.status is not Status.EXCUSED else None,
            "obligation.due",
            "",
        ),
        (one.leased_at, "lease.taken", f"attempt {one.attempts} by {owner}"),
        (one.produced_at, "report.produced", f"by {one.rung}"),
        (_missed_at(one, now), "deadline.passed", ""),
    ]
    return [Link(at=at, event=event, detail=detail or None) for at, event, detail in times if at is not None]


def _missed_at(one: Obligation, now: datetime) -> datetime | None:
    """The deadline, where it passed before there was a delivery."""
    if one.status is Status.EXCUSED or one.deadline_at >= now:
        return None
    in_time = one.delivered_at is not None and one.delivered_at <= one.deadline_at
    return None if in_time else one.deadline_at


def _links_of_send(send: Send) -> list[Link]:
    tries = f", try {send.attempts}" if send.attempts > 1 else ""
    links = [Link(at=send.intended_at, event="send.intended", detail=f"by {send.channel}{tries}")]
    # Other ends are noted as they are heard; one that had an error is delivered by somebody's word alone.
    if send.state is DeliveryState.DELIVERED and send.ended_at is not None and send.error is None:
        proof = f"by {send.channel}: {send.proof or 'no proof was given'}"
        links.append(Link(at=send.ended_at, event="send.delivered", detail=proof))
    return links


def _concerns(alert: Alert, key: Key, obligation: Obligation | None) -> bool:
    if alert.labels.get("company") != key.company_id:
        return False
    if "date" in alert.labels:
        return alert.labels["date"] == key.date.isoformat()
    due_at = datetime.combine(key.date, time(12), UTC) if obligation is None else obligation.due_at
    return alert.last_at >= due_at - DAY and alert.first_at <= due_at + AROUND


def _links_of_alert(heard: Heard) -> list[Link]:
    alert = heard.alert
    told = f", {heard.told}" if heard.told else ""
    raised = Link(at=alert.first_at, event="alert.raised", detail=f"{alert.name}{told}")
    if alert.resolved_at is None:
        return [raised]
    return [raised, Link(at=alert.resolved_at, event="alert.resolved", detail=alert.name)]


def _rank(event: str) -> int:
    if event in ORDER:
        return ORDER.index(event)
    return len(ORDER) + 1 + (LAST.index(event) + 1 if event in LAST else 0)


def _phrase(link: Link, day: date) -> str:
    at = link.at.astimezone(UTC)
    shown = f"{at:%H:%M:%S}Z" if at.date() == day else f"{at:%m-%d %H:%M}Z"
    return f"{shown} {link.event}" + (f" {link.detail}" if link.detail else "")
