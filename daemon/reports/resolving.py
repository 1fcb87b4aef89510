"""A person's word on a report that failed, or of which nobody knows whether it arrived."""

import logging
from datetime import datetime

from state.ledger.base import Ledger
from state.ledger.records import AuditEntry, Key, Obligation

log = logging.getLogger(__name__)

DELIVERED, RESEND = "delivered", "resend"
WORDS = (DELIVERED, RESEND)


class NothingToResolve(Exception):
    """Nothing is owed, or it needs nobody's word; the message says how it stands."""


async def resolve(ledger: Ledger, key: Key, as_: str, said_by: str, now: datetime) -> Obligation:
    """Settle it as `delivered`, or owe it again by the same id as `resend`; kept in the audit.

    Raises:
        NothingToResolve: it neither failed nor is unknown; nothing is changed.
        ValueError: `as_` is something else.
        LedgerError: the ledger does not answer.
    """
    settled = await ledger.resolve(key, as_, now, said_by)
    if settled is None:
        raise NothingToResolve(_why_not(key, await ledger.obligation(key)))
    entry = AuditEntry(
        at=now, actor=said_by, action="report.resolved", subject=f"{key.company_id} {key.date}", reason=as_
    )
    await ledger.add_audit(entry)
    fields = {"company": key.company_id, "date": key.date.isoformat(), "as": as_, "by": said_by}
    log.info("report.resolved", extra={"fields": fields})
    return settled


def _why_not(key: Key, found: Obligation | None) -> str:
    if found is None:
        return f"nothing is owed to {key.company_id} for {key.date}; `nightdesk why` says why"
    said = f"the report of {key.company_id} for {key.date} is {found.status.value}"
    return f"{said}; only what failed or is unknown needs somebody's word"
