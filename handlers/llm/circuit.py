"""The breaker of one provider: asked before every question, kept over restarts, and heard of when open."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from daemon.clock import Clock
from handlers.llm.base import ProviderError, Trouble
from handlers.llm.breaker import COUNTED, Breaker, Standing, after_failure, read, standing, written
from handlers.llm.refusals import ADVICE
from state.database import StoreError
from state.records import Severity
from state.store import Store

if TYPE_CHECKING:
    from daemon.watch.alerts import Alerts

log = logging.getLogger(__name__)

ALERT = "llm.provider-down"
LATER = "it is asked again by itself, and the alert ends with its first answer"


class Circuit:
    """Who may ask one provider, and what becomes known of it by asking.

    What is remembered changes here first and then on the disk: were it lost in between, a provider that
    is down would be asked once too often.
    """

    def __init__(self, name: str, identity: str, store: Store, alerts: "Alerts", clock: Clock) -> None:
        self._name = name
        self._identity = identity
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._is_probed = False
        self.breaker = read(store.note(self._note), identity, clock.now())

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

    async def answered(self) -> None:
        """Take note of an answer, good or bad: the provider is there."""
        before, self.breaker = self.breaker, Breaker()
        if before.until is None:
            return
        log.info("llm.provider-back", extra={"fields": {"provider": self._name}})
        await self._keep()
        if before.is_alerted:
            await self._alerts.resolve(ALERT, labels={"provider": self._name})

    async def failed(self, error: ProviderError) -> None:
        """Take note of a failure, and of what it says."""
        if error.trouble not in COUNTED:
            await self.answered()
            return
        before = self.breaker
        self.breaker = after_failure(before, error.trouble, error.retry_after, self._clock.now())
        if self.breaker is before or self.breaker.until is None:
            return
        rest = self.breaker.until - self._clock.now()
        fields = {"provider": self._name, "trouble": error.trouble.value, "error": str(error)}
        fields["rest_s"] = f"{rest.total_seconds():.0f}"
        log.warning("llm.provider-left-alone", extra={"fields": fields})
        await self._keep()
        if self.breaker.is_alerted:
            await self._alert(error, rest)

    async def _alert(self, error: ProviderError, rest: timedelta) -> None:
        advice = ADVICE.get(error.trouble)
        await self._alerts.fire(
            ALERT,
            severity=Severity.ERROR,
            summary=f"The language model {self._name} writes no reports",
            labels={"provider": self._name},
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
    def _note(self) -> str:
        return f"llm.breaker.{self._name}"
