"""What has been told and what is owed: here at once, and on the disk as soon as it takes it.

One writer: nobody else changes tellings and notices. An alert has to go out on a full disk too, so what
the disk refuses stays true here and is written when there is room.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from state.database import StoreError
from state.records import Notice, NoticeState, Telling
from state.store import Store

log = logging.getLogger(__name__)

Kept = Telling | Notice


class Book:
    """The tellings and notices of one open home."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tellings: dict[str, dict[str, Telling]] = {}
        self._notices = dict(store.notices)
        self._unstored: dict[str, Kept] = {}
        for telling in store.tellings.values():
            self._tellings.setdefault(telling.alert_id, {})[telling.receiver] = telling

    @property
    def tellings(self) -> Mapping[str, Mapping[str, Telling]]:
        """By alert, then by receiver."""
        return self._tellings

    @property
    def notices(self) -> Mapping[str, Notice]:
        """All that are kept, by their ids."""
        return self._notices

    def owed(self) -> list[Notice]:
        """Those not proved to have arrived, oldest first."""
        return sorted(
            (it for it in self._notices.values() if it.state is NoticeState.OWED),
            key=lambda it: it.created_at,
        )

    def notices_of(self, alert_id: str) -> list[Notice]:
        """Those that speak of an alert, oldest first."""
        return sorted(
            (it for it in self._notices.values() if alert_id in it.alerts), key=lambda it: it.created_at
        )

    def sent_to(self, receiver: str, since: datetime) -> list[datetime]:
        """When messages were made for a receiver; tests do not count, for they must hold up nothing."""
        return [
            it.created_at
            for it in self._notices.values()
            if it.receiver == receiver and it.created_at >= since and it.kind != "test"
        ]

    async def keep(self, *records: Kept) -> bool:
        """Make records true; whether they are durable too."""
        for record in records:
            self._unstored[record.id] = record
            if isinstance(record, Notice):
                self._notices[record.id] = record
            else:
                self._tellings.setdefault(record.alert_id, {})[record.receiver] = record
        return await self.keep_unstored()

    async def keep_unstored(self) -> bool:
        """Write what is not on the disk yet; whether nothing is left."""
        owed = list(self._unstored.values())
        if not owed:
            return True
        try:
            await self._store.commit(*owed)
        except StoreError as error:
            fields = {"records": len(owed), "error": str(error)}
            log.error("notice.unstored", extra={"fields": fields})  # noqa: TRY400
            return False
        for record in owed:
            if self._unstored.get(record.id) is record:
                del self._unstored[record.id]
        return True

    def forget(self) -> None:
        """Let go of what has been taken out of the store."""
        kept = self._unstored
        self._notices = {
            key: it for key, it in self._notices.items() if key in self._store.notices or key in kept
        }
        for alert_id, known in list(self._tellings.items()):
            left = {
                receiver: it
                for receiver, it in known.items()
                if it.id in self._store.tellings or it.id in kept
            }
            if left:
                self._tellings[alert_id] = left
            else:
                del self._tellings[alert_id]
