"""What the second process remembers over its own restarts: the open incident, and what is still owed."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.watchdog.incident import Incident
from daemon.watchdog.judging import Verdict
from daemon.watchdog.message import Kind, Message
from daemon.watchdog.plain_json import from_json, to_pretty_json
from state.disk import write_atomically

log = logging.getLogger(__name__)

SCHEMA = 1
LONGEST_FILE = 1024 * 1024
# While nothing can be sent a daemon may come and go often; of that the newest is kept.
MOST_OWED = 50
MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A message that has not been told to everybody who is to hear it."""

    message: Message
    wanted: tuple[str, ...] = ()  # channels that are all to have it; where empty, any one will do
    told_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that was proved delivered."""

    id: str
    thread: str
    channel: str
    at: datetime
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """All of it; replaced as a whole."""

    incident: Incident | None = None
    owed: tuple[Owed, ...] = ()  # in the order in which it is told
    told: tuple[Told, ...] = ()  # the newest last


@dataclass(slots=True)
class Book:
    """Keeps the pages in memory and, as far as the disk allows, in a file.

    A full disk stops no alert: what could not be saved is only forgotten at a restart.
    """

    path: Path | None  # None keeps them in memory alone
    pages: Pages = field(default_factory=Pages)
    is_saved: bool = True

    @classmethod
    def opened(cls, path: Path) -> "Book":
        """Read what was saved; what cannot be read is told to the log, and begun anew."""
        try:
            with path.open("rb") as file:
                data = file.read(LONGEST_FILE)
            return cls(path, _decoded(from_json(data)))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, LookupError, TypeError) as error:
            fields = {"path": str(path), "error": str(error)[:200]}
            log.warning("watchdog.forgot", extra={"fields": fields})
            return cls(path)

    def turn(self, pages: Pages) -> None:
        """Take new pages, and save them."""
        self.pages = replace(pages, owed=pages.owed[-MOST_OWED:], told=pages.told[-MOST_TOLD:])
        self.save()

    def save(self) -> None:
        """Save, or say once that it cannot be done."""
        if self.path is None:
            return
        try:
            write_atomically(self.path, to_pretty_json(_encoded(self.pages)), mode=0o600)
        except OSError as error:
            if self.is_saved:
                fields = {"path": str(self.path), "error": str(error.strerror)}
                log.error("watchdog.unsaved", extra={"fields": fields})  # noqa: TRY400 - the cause is told
            self.is_saved = False
            return
        self.is_saved = True


def channels_told(pages: Pages, thread: str) -> tuple[str, ...]:
    """The channels that were told of a thread, in the order in which they were."""
    return tuple(dict.fromkeys(told.channel for told in pages.told if told.thread == thread))


def _encoded(pages: Pages) -> dict[str, Any]:
    incident = pages.incident
    return {
        "schema": SCHEMA,
        "incident": None
        if incident is None
        else {
            "id": incident.id,
            "verdict": incident.verdict,
            "since": incident.since.isoformat(),
            "saidAt": incident.said_at.isoformat(),
            "messages": incident.messages,
        },
        "owed": [
            {"message": _encoded_message(it.message), "wanted": it.wanted, "toldBy": it.told_by}
            for it in pages.owed
        ],
        "told": [{**asdict(it), "at": it.at.isoformat()} for it in pages.told],
    }


def _encoded_message(message: Message) -> dict[str, Any]:
    fields = asdict(message)
    fields["createdAt"] = fields.pop("created_at").isoformat()
    return fields


def _decoded(fields: Mapping[str, Any]) -> Pages:
    if fields["schema"] != SCHEMA:
        raise ValueError(f"it has schema {fields['schema']!r}; {SCHEMA} is read here")
    return Pages(
        incident=_decoded_incident(fields["incident"]),
        owed=tuple(
            Owed(
                message=_decoded_message(it["message"]),
                wanted=tuple(it["wanted"]),
                told_by=tuple(it["toldBy"]),
            )
            for it in fields["owed"]
        ),
        told=tuple(Told(**{**it, "at": datetime.fromisoformat(it["at"])}) for it in fields["told"]),
    )


def _decoded_incident(fields: Mapping[str, Any] | None) -> Incident | None:
    if fields is None:
        return None
    return Incident(
        id=str(fields["id"]),
        verdict=Verdict(fields["verdict"]),
        since=datetime.fromisoformat(fields["since"]),
        said_at=datetime.fromisoformat(fields["saidAt"]),
        messages=int(fields["messages"]),
    )


def _decoded_message(fields: Mapping[str, Any]) -> Message:
    return Message(
        id=str(fields["id"]),
        kind=Kind(fields["kind"]),
        thread=str(fields["thread"]),
        severity=str(fields["severity"]),
        title=str(fields["title"]),
        facts=tuple((str(name), str(value)) for name, value in fields["facts"]),
        advice=str(fields["advice"]),
        link=fields["link"],
        created_at=datetime.fromisoformat(fields["createdAt"]),
    )
