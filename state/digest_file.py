"""The digest file of one date: how it is made of batches and leads, and how a read one is judged."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from state.codec import NotJson, from_json, parse_time, time_text
from state.records import Batch, Item


class FileState(StrEnum):
    """What is to be thought of a digest file."""

    GOOD = "good"
    MISSING = "missing"
    DAMAGED = "damaged"
    STALE = "stale"  # whole, but without a batch that the database knows of


class DigestFile(NamedTuple):
    """A digest file as it was found. `digest` is there only where it is good; `detail` says what is wrong."""

    state: FileState
    digest: dict[str, Any] | None = None
    detail: str = ""


def file_name(day: date) -> str:
    return f"digest-{day.isoformat()}.json"


def compose(
    day: date, batches: Sequence[Batch], items: Sequence[Item], found: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """The digest of a date; None where there is nothing to make one of.

    `found` is a sound digest of the same date from the file: batches in it that are not among
    `batches` (the database was lost since) are kept, with their leads.
    """
    known = {batch.id for batch in batches}
    entries = [as_entry(item) for item in items]
    shown = [batch_json(batch) for batch in batches]
    if found is not None:
        ids = {entry["id"] for entry in entries}
        shown += [it for it in found["batches"] if it["batchId"] not in known]
        entries += [it for it in found["redditQueue"] if it["batchId"] not in known and it["id"] not in ids]
    return assemble(day, shown, entries)


def assemble(
    day: date, batches: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """A digest of batches and marked leads as the file shows them, best lead first."""
    if not batches:
        return None
    in_order = sorted(batches, key=lambda it: parse_time(it["generatedAt"]))
    newest = in_order[-1]
    return {
        "date": day.isoformat(),
        "generatedAt": newest["generatedAt"],
        "batchId": newest["batchId"],
        "summary": {
            "docsProcessed": sum(it["docsProcessed"] for it in in_order),
            "queueTotal": sum(it["queueTotal"] for it in in_order),
            "markedForDraft": len(entries),
        },
        "batches": in_order,
        "redditQueue": sorted(entries, key=lambda it: -it["score"]),
    }


def covering(digest: Mapping[str, Any], batch_ids: Collection[str]) -> dict[str, Any] | None:
    """The part of a digest that came of these batches."""
    return assemble(
        date.fromisoformat(digest["date"]),
        [it for it in digest["batches"] if it["batchId"] in batch_ids],
        [it for it in digest["redditQueue"] if it["batchId"] in batch_ids],
    )


def batches_beyond(digest: Mapping[str, Any], known: Collection[str], since: datetime | None) -> list[str]:
    """The batches that only the file knows of, made after `since`."""
    return [
        it["batchId"]
        for it in digest["batches"]
        if it["batchId"] not in known and (since is None or parse_time(it["generatedAt"]) > since)
    ]


def judge(data: bytes, day: date, batches: Sequence[Batch]) -> DigestFile:
    """What to think of a file that was read, given what the database knows of its date."""
    try:
        digest = from_json(data)
    except (NotJson, RecursionError) as error:
        return DigestFile(FileState.DAMAGED, detail=f"not JSON: {error}")
    if problem := _problem(digest, day):
        return DigestFile(FileState.DAMAGED, detail=problem)
    if missing := {batch.id for batch in batches} - {it["batchId"] for it in digest["batches"]}:
        return DigestFile(FileState.STALE, detail=f"batch {min(missing)} is not in it")
    for batch in batches:
        entries = sum(it["batchId"] == batch.id for it in digest["redditQueue"])
        if entries != batch.marked_for_draft:
            detail = f"batch {batch.id} marked {batch.marked_for_draft} leads, {entries} are in it"
            return DigestFile(FileState.DAMAGED, detail=detail)
    return DigestFile(FileState.GOOD, digest)


def as_entry(item: Item) -> dict[str, Any]:
    """A marked lead: its own fields, and what was thought of it."""
    return {
        **item.body,
        "score": item.score,
        "selectedForDraft": True,
        "reasons": item.reasons or {},
        "batchId": item.batch_id,
    }


def batch_json(batch: Batch) -> dict[str, Any]:
    return {
        "batchId": batch.id,
        "generatedAt": time_text(batch.generated_at),
        "docsProcessed": batch.docs_processed,
        "queueTotal": batch.queue_total,
        "markedForDraft": batch.marked_for_draft,
        "window": {"after": batch.after_seq, "until": batch.until_seq},
    }


def _problem(digest: Any, day: date) -> str | None:
    """Why this is no digest of that date; None if it is one."""
    if not isinstance(digest, dict):
        return "not an object"
    if digest.get("date") != day.isoformat():
        return f"its date is {digest.get('date')!r}"
    if not isinstance(digest.get("batchId"), str) or not _is_time(digest.get("generatedAt")):
        return "batchId or generatedAt is missing"
    if not _has_counts(digest.get("summary"), "docsProcessed", "queueTotal", "markedForDraft"):
        return "the summary is not whole"
    batches, entries = digest.get("batches"), digest.get("redditQueue")
    if not isinstance(batches, list) or not batches or not all(map(_is_batch, batches)):
        return "the list of batches is not whole"
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        return "redditQueue is not whole"
    if len(entries) != digest["summary"]["markedForDraft"]:
        return f"markedForDraft says {digest['summary']['markedForDraft']}, {len(entries)} leads are in it"
    return None


def _is_batch(value: Any) -> bool:
    return (
        _has_counts(value, "docsProcessed", "queueTotal", "markedForDraft")
        and isinstance(value.get("batchId"), str)
        and _is_time(value.get("generatedAt"))
    )


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("id", "title", "batchId"))
        and isinstance(value.get("score"), (int, float))
        and isinstance(value.get("reasons"), dict)
    )


def _has_counts(value: Any, *names: str) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), int) and value[name] >= 0 for name in names
    )


def _is_time(value: Any) -> bool:
    try:
        parse_time(value)
    except (TypeError, ValueError):
        return False
    return True
