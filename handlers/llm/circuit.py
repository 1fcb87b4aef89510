"""The breaker of one provider: asked before every question, kept over restarts, and heard of when open."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from daemon.clock import Clock
from daemon.watch.alerts import Alerts, fingerprint
from handlers.llm.base import ProviderError, Trouble
from handlers.llm.breaker import Breaker, Standing, after_failure, read, standing, written
from handlers.llm.refusals import ADVICE
from state.database import StoreError
from state.records import Severity
from state.store import Store

log = logging.getLogger(__name__)

ALERT = "llm.provider-down"
LATER = "it is asked again by itself, and the alert ends with its first answer"


@dataclass(frozen=True, slots=True)
class Change:
    """What one question made of a breaker."""

    before: Breaker
    after: Breaker
    failure: ProviderError | None


class Circuit:
    """Who may ask one provider, and what becomes known of it by asking.

    `note` changes what is known here, `tell` puts it on the disk: were it lost in between, a provider that
    is down would be asked once too often.
    """

    def __init__(self, name: str, identity: str, store: Store, alerts: Alerts, clock: Clock) -> None:
        self._name = name
        self._identity = identity
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._is_probed = False
        self.breaker = read(store.note(self._note), identity, clock.now())
        if self.breaker.until is None and fingerprint(ALERT, self._labels) in {
            it.fingerprint for it in alerts.open
        }:
            # It was fired of a model or an address that has been changed since: the first answer ends it.
            self.breaker = Breaker(is_alerted=True)

    @property
    def standing(self) -> Standing:
        return standing(self.breaker, self._clock.now())

    @property
    def may_ask(self) -> bool:
        """Whether one more question would be let through now."""
        how = self.standing
        return how is Standing.CLOSED or (how is Standing.HALF_OPEN and not self._is_probed)

    def enter(self) -> bool:
        """Let a question through; True makes it the one probe, which has to be given back by `leave`.

        Raises:
            ProviderError: the provider is left alone just now.
        """
        if not self.may_ask:
            trouble = self.breaker.trouble or Trouble.TRANSIENT
            raise ProviderError(f"{self._name} is left alone for now ({trouble.value})", trouble=trouble)
        is_probe = self.standing is Standing.HALF_OPEN
        self._is_probed = self._is_probed or is_probe
        return is_probe

    def leave(self, is_probe: bool) -> None:
        """Let somebody else be the probe."""
        if is_probe:
            self._is_probed = False

    def note(self, failure: ProviderError | None) -> Change:
        """Take note of a failure, or of an answer; at once, so that nobody asks who need not.

        An answer that was no good is one: the provider is there.
        """
        before = self.breaker
        if failure is None:
            self.breaker = Breaker()
        else:
            now = self._clock.now()
            self.breaker = after_failure(before, failure.trouble, failure.retry_after, now)
        return Change(before, self.breaker, failure)

    async def tell(self, change: Change) -> None:
        """Keep what was noted, and alert where it is news."""
        before, after = change.before, change.after
        if before.until == after.until and before.is_alerted == after.is_alerted:
            return
        rest = self._log(change)
        await self._keep()
        # What others have learned while the disk was at work counts for more, and is told by them.
        if after.is_alerted and self.breaker == after and change.failure is not None:
            await self._alert(change.failure, rest)
        elif before.is_alerted and not self.breaker.is_alerted:
            await self._alerts.resolve(ALERT, labels=self._labels)

    def _log(self, change: Change) -> timedelta:
        """Say what has become of the provider, and give the rest that it gets."""
        if change.failure is None or change.after.until is None:
            log.info("llm.provider-back", extra={"fields": {"provider": self._name}})
            return timedelta(0)
        rest = change.after.until - self._clock.now()
        fields = {
            "provider": self._name,
            "trouble": change.failure.trouble.value,
            "error": str(change.failure),
        }
        log.warning("llm.provider-left-alone", extra={"fields": fields | {"rest_s": rest.total_seconds()}})
        return rest

    async def _alert(self, error: ProviderError, rest: timedelta) -> None:
        advice = ADVICE.get(error.trouble)
        await self._alerts.fire(
            ALERT,
            severity=Severity.ERROR,
            summary=f"The language model {self._name} writes no reports",
            labels=self._labels,
            details={"reason": str(error), "trouble": error.trouble.value, "openings": self.breaker.openings},
            advice=f"{advice or 'Reports go out by the next provider or the template'}. In "
            f"{rest.total_seconds() / 60:.0f} min {LATER}; nightdesk test llm asks at once",
        )

    async def _keep(self) -> None:
        try:
            await self._store.commit(notes={self._note: written(self.breaker, self._identity)})
        except StoreError as error:
            # It is true here all the same; a restart now would ask once too often.
            fields = {"provider": self._name, "error": str(error)}
            log.error("llm.breaker-unstored", extra={"fields": fields})  # noqa: TRY400

    @property
    def _labels(self) -> dict[str, str]:
        return {"provider": self._name}

    @property
    def _note(self) -> str:
        return f"llm.breaker.{self._name}"


async def forget_absent(alerts: Alerts, names: Collection[str]) -> None:
    """Close what was alerted of providers that are not in the config any more: nothing else would."""
    for alert in alerts.open:
        if alert.name == ALERT and alert.labels.get("provider") not in names:
            await alerts.resolve(ALERT, labels=alert.labels)
