"""Which messages a morning owes, decided from what the database knows of batches and deliveries."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from state.records import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message that is owed: the batches of one date that it covers, under an id that stays."""

    day: date
    message_id: str
    batch_ids: tuple[str, ...]
    is_late: bool = False
    is_first: bool = False  # nothing of its date has been delivered before
    is_sent: bool = False  # a delivery of all of it is proved
    is_again: bool = False  # somebody has asked for it although it may have arrived


def expected_date(slot_date: date | None, newest_batch: date | None, today: date) -> date:
    """The date whose digest the team waits for.

    That of the newest slot of the nightly batch; a batch made since by hand is newer still, and takes
    the leads of both. Without such a schedule it is today's.
    """
    due = slot_date or today
    return due if newest_batch is None else max(due, min(newest_batch, today))


def owed(unsent: Iterable[Batch], expected: date, due: date, delivered: Collection[date]) -> list[Parcel]:
    """The messages for batches that no delivery covers: the expected date first, then the newest.

    Batches that were bound to a message before stay with it, so its id tells the receiver and us that
    it is the same one. Where nothing was marked nothing is said, but for the expected date if it has
    not been told of at all: then the team learns that the batch did run.
    """
    parcels = []
    for (day, bound), batches in _grouped(unsent).items():
        is_first = day not in delivered
        if any(batch.marked_for_draft for batch in batches) or (day == expected and is_first):
            ids = tuple(batch.id for batch in batches)
            message_id = bound or message_id_of(day, ids)
            parcels.append(
                Parcel(day=day, message_id=message_id, batch_ids=ids, is_late=day < due, is_first=is_first)
            )
    return sorted(parcels, key=lambda it: it.day, reverse=True)


def asked_again(batches: Sequence[Batch], day: date, task_id: str) -> list[Parcel]:
    """All of a date once more, because somebody asked for it.

    What is known to have arrived goes out under an id of its own; what may have arrived keeps its id.
    """
    sent = tuple(batch.id for batch in batches if batch.sent_at is not None)
    parcels = []
    if sent:
        message_id = f"digest-{day.isoformat()}-again-{task_id}"
        parcels.append(Parcel(day=day, message_id=message_id, batch_ids=sent, is_sent=True))
    for (_, bound), group in _grouped(batch for batch in batches if batch.sent_at is None).items():
        ids = tuple(batch.id for batch in group)
        parcels.append(
            Parcel(
                day=day,
                message_id=bound or message_id_of(day, ids),
                batch_ids=ids,
                is_first=not sent,
                is_again=bound is not None,
            )
        )
    return parcels


def message_id_of(day: date, batch_ids: Iterable[str]) -> str:
    """The id of the message that covers these batches: the same for the same ones, whenever it is asked."""
    digest = hashlib.sha256("\n".join(sorted(batch_ids)).encode()).hexdigest()
    return f"digest-{day.isoformat()}-{digest[:12]}"


def _grouped(batches: Iterable[Batch]) -> dict[tuple[date, str | None], list[Batch]]:
    groups: dict[tuple[date, str | None], list[Batch]] = {}
    for batch in batches:
        groups.setdefault((batch.date, batch.delivery_id), []).append(batch)
    return groups
