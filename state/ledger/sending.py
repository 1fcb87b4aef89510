"""Reports written, sent and accounted for: each write is fenced by owner and epoch, and may be repeated."""

from collections.abc import Sequence

from state.ledger.claiming import HOLDS, THESE
from state.ledger.marks import add_events, held_still, refused
from state.ledger.records import Event, Intent, Key, Outcome, Produced, Release
from state.ledger.script import Query, Script, given
from state.records import DeliveryState

_PRODUCED = (
    "UPDATE obligation SET status = 'produced', rung = held.rung, stable_id = held.stable_id,"
    " produced_at = held.at" + HOLDS + " AND obligation.status IN ('leased', 'produced')" + THESE
)


def produced(owner: str, batch: Sequence[Produced]) -> Script[frozenset[Key]]:
    """Note that reports are written; those refused."""
    kept = yield Query(_PRODUCED, (owner,), (given("held", batch, of=Produced),))
    return refused(batch, kept)


# A report that is known to have arrived is never sent again by the same channel under the same id.
_INTEND = (
    "UPDATE obligation SET status = 'sent', sent_at = held.at, channel = held.channel"
    + HOLDS
    + """ AND obligation.status IN ('produced', 'sent') AND obligation.stable_id = held.stable_id
    AND NOT EXISTS (SELECT 1 FROM send WHERE send.date = held.date AND send.company_id = held.company_id
        AND send.stable_id = held.stable_id AND send.channel = held.channel AND send.state = 'delivered')"""
    + THESE
)

_INTEND_SENDS = """
INSERT INTO send (date, company_id, stable_id, channel, state, attempts, epoch, intended_at)
SELECT date, company_id, stable_id, channel, 'intended', 1, epoch, at FROM held WHERE true
ON CONFLICT (date, company_id, stable_id, channel) DO UPDATE SET
    attempts = send.attempts
        + CASE WHEN send.state = 'intended' AND send.epoch = excluded.epoch THEN 0 ELSE 1 END,
    state = 'intended', epoch = excluded.epoch, intended_at = excluded.intended_at, ended_at = NULL,
    proof = NULL, error = NULL
WHERE send.state <> 'delivered'"""


def intend_sends(owner: str, batch: Sequence[Intent]) -> Script[frozenset[Key]]:
    """Write what is about to be sent; those refused must not be."""
    held = given("held", batch, of=Intent)
    kept = yield Query(_INTEND, (owner,), (held,))
    if gone := refused(batch, kept):
        allowed = [one for one in batch if Key(one.company_id, one.date) not in gone]
        held = given("held", allowed, of=Intent)
    yield Query(_INTEND_SENDS, given=(held,))
    return gone


_SENT_AND_ENDED = """
UPDATE send SET state = held.state, ended_at = held.at, proof = held.proof, error = held.error
FROM held JOIN obligation ON obligation.date = held.date AND obligation.company_id = held.company_id
    AND obligation.epoch = held.epoch AND obligation.lease_owner = $1
WHERE send.date = held.date AND send.company_id = held.company_id AND send.stable_id = held.stable_id
    AND send.channel = held.channel AND send.epoch = held.epoch
    AND (send.state IN ('intended', 'unknown') OR send.state = held.state)
RETURNING send.company_id, send.date"""

# An outcome that is heard late is still the truth, as long as nobody has begun anew.
_END = (
    """UPDATE obligation SET status = held.status, ready_at = NULL, lease_expires_at = NULL,
    delivered_at = CASE WHEN held.state = 'delivered' THEN held.at END, channel = held.channel,
    proof = held.proof, error = held.error,
    first_attempt_ok = CASE WHEN held.state = 'delivered' AND obligation.attempts = 1
        AND obligation.first_attempt_ok IS NULL THEN true ELSE false END"""
    + HOLDS
    + """ AND (obligation.status IN ('sent', 'unknown')
        OR (obligation.status = 'due' AND held.state = 'delivered'))"""
)


def record_outcomes(owner: str, batch: Sequence[Outcome]) -> Script[frozenset[Key]]:
    """Write what came of sends; those refused were taken over by somebody else."""
    # Before the sends, as a claim does it: else the two could wait for each other.
    yield from held_still(Key(one.company_id, one.date) for one in batch)
    kept = yield Query(_SENT_AND_ENDED, (owner,), (given("held", batch, of=Outcome),))
    gone = refused(batch, kept)
    heard = [one for one in batch if Key(one.company_id, one.date) not in gone]
    ends = [one for one in heard if one.status is not None]
    if ends:
        yield Query(_END, (owner,), (given("held", ends, of=Outcome),))
    yield from add_events(
        Event(
            company_id=one.company_id,
            date=one.date,
            at=one.at,
            event=f"send.{one.state.value}",
            detail=f"{one.channel}: {one.error or 'no reason was given'}",
        )
        for one in heard
        if one.state is not DeliveryState.DELIVERED
    )
    return gone


_RELEASE = (
    """UPDATE obligation SET status = CASE WHEN held.retry_at IS NULL THEN 'failed' ELSE 'due' END,
    ready_at = held.retry_at, retry_at = held.retry_at, lease_expires_at = NULL,
    error = coalesce(held.error, obligation.error),
    attempts = obligation.attempts - CASE WHEN held.is_attempt THEN 0 ELSE 1 END,
    first_attempt_ok = CASE WHEN held.is_attempt THEN false ELSE obligation.first_attempt_ok END"""
    + HOLDS
    + """ AND (obligation.status IN ('leased', 'produced') OR (obligation.status = 'sent'
        AND NOT EXISTS (SELECT 1 FROM send WHERE send.date = held.date AND send.company_id = held.company_id
            AND send.state IN ('intended', 'unknown') AND send.epoch = held.epoch)))"""
    + THESE
)
_RELEASED = (
    "SELECT obligation.company_id, obligation.date FROM obligation, held WHERE obligation.date = held.date"
    " AND obligation.company_id = held.company_id AND obligation.epoch = held.epoch"
    " AND obligation.lease_owner = $1"
    " AND obligation.status = CASE WHEN held.retry_at IS NULL THEN 'failed' ELSE 'due' END"
)


def release(owner: str, batch: Sequence[Release]) -> Script[frozenset[Key]]:
    """Give leases back; those refused were not held, or a send of theirs has no outcome yet."""
    kept = yield Query(_RELEASE, (owner,), (given("held", batch, of=Release),))
    held_no_more = refused(batch, kept)
    yield from add_events(
        Event(company_id=one.company_id, date=one.date, at=one.at, event="attempt.failed", detail=one.error)
        for one in batch
        if one.is_attempt and Key(one.company_id, one.date) not in held_no_more
    )
    done = yield Query(_RELEASED, (owner,), (given("held", batch, of=Release),))
    return refused(batch, done)
