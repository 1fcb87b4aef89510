"""What can be asked of the channels: how they fare, and whether they would carry a message."""

import uuid
from typing import TYPE_CHECKING, Any

from daemon.config.problems import meant, quoted
from daemon.notify.base import Message
from daemon.notify.trial import try_out
from daemon.operations.refusals import Unfit, Unknown
from state.codec import as_camel
from state.records import DeliveryState

if TYPE_CHECKING:
    from daemon.app import App


class ChannelOperations:
    """One method for each thing that can be asked of channels."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def listing(self) -> list[dict[str, Any]]:
        """The channels that can be sent on, each with what its last sends say of it."""
        notify = self._app.notify
        rows = []
        for name, health in sorted(notify.health().items()):
            row = {
                "name": name,
                "type": self._type_of(name),
                "isDelivery": notify.is_delivery(name),
                "state": health.state.value,
                "since": health.since,
                "error": health.error,
                "lastOkAt": health.last_ok_at,
            }
            rows.append(row)
        return rows

    async def test(self, channel: str) -> dict[str, Any]:
        """Send a test message; what is known of its delivery.

        Raises:
            Unknown: there is no such channel.
            StoreError: the intent could not be written; nothing was sent.
        """
        self._known(channel)
        now = self._app.clock.now()
        message = Message(
            id=f"test-{uuid.uuid4()}",
            kind="test",
            title="A test message of nightdesk",
            text="If you can read this, the channel works. Nothing is wrong, and nothing is asked of you.",
            facts=(("Channel", channel), ("Sent", f"{now:%Y-%m-%d %H:%M:%S} UTC")),
            created_at=now,
        )
        delivery = await self._app.notify.send(message, to=channel, subject=channel)
        return {**as_camel(delivery), "delivered": delivery.state is DeliveryState.DELIVERED}

    async def check(self, channel: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """Go as far towards the receivers as one can without a message; each step with its answer.

        Raises:
            Unknown: there is no such channel, or none of that type.
            Unfit: the channel is of another type.
        """
        channels = self._app.notify.channels
        if channel is not None:
            self._known(channel)
            if kind not in (None, self._type_of(channel)):
                raise Unfit(f"channel: {quoted(channel)} is of type {self._type_of(channel)}, not {kind}")
            chosen = [channel]
        else:
            chosen = [name for name in sorted(channels) if kind in (None, self._type_of(name))]
        if not chosen:
            raise Unknown(f"no channel of type {kind} is configured; {meant('', channels)}")
        trials = await try_out({name: channels[name] for name in chosen}, self._app.clock)
        return [trial.as_row() for trial in trials]

    def _known(self, channel: str) -> None:
        channels = self._app.notify.channels
        if channel not in channels:
            raise Unknown(f"there is no channel {quoted(channel)}; {meant(channel, channels)}")

    def _type_of(self, channel: str) -> str | None:
        entry = self._app.config.channels.get(channel)
        return None if entry is None else entry.type
