"""What is counted as it happens, as plain numbers: whoever asks for metrics reads them.

Adding costs a fraction of a microsecond and loads no library; the text that Prometheus reads is made where
it is asked for. All of it begins at nought with the process, as counters may.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from state.records import DeliveryState

# An alert is to be with somebody within five minutes: finer before that, coarser after.
TELLING_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
# A save is to take a few milliseconds, and may be up to a second behind.
SAVING_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
OUTCOMES = tuple(state.value for state in DeliveryState if state is not DeliveryState.INTENDED)
ANSWERED = "answered"  # the outcome of a call to a model whose prose was taken
NO_RUNG = "none"  # of a report that was never written

Labels = tuple[str, ...]


class Kind(StrEnum):
    """How the values of a family are to be read."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric as it stands: its name and meaning, and a value for each set of label values."""

    name: str
    kind: Kind
    about: str  # one sentence, with the unit
    labels: Labels = ()
    values: Mapping[Labels, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A histogram as it stands: how many took at most so long, for each bound and in all."""

    name: str
    about: str
    bounds: Sequence[float]
    cumulative: Sequence[int]  # one more than there are bounds
    sum: float


class Counter:
    """Counts by the values of its labels; only those that the config or a table of ours bounds."""

    __slots__ = ("_about", "_labels", "_name", "values")

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self._name = name
        self._about = about
        self._labels = labels
        self.values: dict[Labels, float] = {}

    def add(self, *of: str, count: float = 1) -> None:
        """Count one more, or so many."""
        self.values[of] = self.values.get(of, 0.0) + count

    def expect(self, *of: str) -> None:
        """Show it at nought: a rate cannot see the first of what was not there before."""
        self.values.setdefault(of, 0.0)

    def read(self) -> Family:
        """As it stands."""
        about = f"{self._about}, since the start of the process."
        return Family(
            name=self._name, kind=Kind.COUNTER, about=about, labels=self._labels, values=dict(self.values)
        )


class Timer:
    """Counts how long something took, by bounds that it is given; in seconds."""

    __slots__ = ("_about", "_bounds", "_counts", "_name", "_sum")

    def __init__(self, name: str, about: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._about = about
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def note(self, seconds: float) -> None:
        """Count one that took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def read(self) -> Spread:
        """As it stands."""
        return Spread(
            name=self._name,
            about=f"{self._about}, in seconds, since the start of the process.",
            bounds=self._bounds,
            cumulative=list(accumulate(self._counts)),
            sum=self._sum,
        )


class Meters:
    """All counters of one process. Made once, and handed to whoever has something to count."""

    def __init__(self) -> None:
        self.sends = Counter(
            "nightdesk_sends_total",
            "Messages tried on a channel, by what is known of their arrival",
            "channel",
            "outcome",
        )
        self.telling = Timer(
            "nightdesk_alert_delivery_seconds",
            "From what happened to the proof that somebody has been told of it",
            TELLING_S,
        )
        self.reports = Counter(
            "nightdesk_reports_total",
            "Reports that came to an end here, by the rung that wrote the prose",
            "rung",
            "outcome",
        )
        self.llm_calls = Counter(
            "nightdesk_llm_calls_total", "Calls to a language model", "provider", "outcome"
        )
        self.llm_tokens = Counter(
            "nightdesk_llm_tokens_total", "Tokens that a provider billed, in and out", "provider"
        )
        self.llm_cost = Counter(
            "nightdesk_llm_cost_usd_total", "What a provider cost by its set prices, in USD", "provider"
        )
        self.retries = Counter(
            "nightdesk_task_retries_total", "Attempts that failed and are to be made again", "handler"
        )
        self.skipped = Counter(
            "nightdesk_slots_skipped_total",
            "Slots that were left out; the log and the slot's row say why",
            "schedule",
        )
        self.saving = Timer(
            "nightdesk_state_save_seconds", "How long a save of the JSON state took", SAVING_S
        )

    def expect(
        self, *, channels: Iterable[str] = (), providers: Iterable[str] = (), schedules: Iterable[str] = ()
    ) -> None:
        """Show what is configured at nought, before anything has happened to it."""
        for channel in channels:
            for outcome in OUTCOMES:
                self.sends.expect(channel, outcome)
        for provider in providers:
            self.llm_calls.expect(provider, ANSWERED)
            self.llm_tokens.expect(provider)
            self.llm_cost.expect(provider)
        for schedule in schedules:
            self.skipped.expect(schedule)

    def called(self, provider: str, outcome: str, tokens: int, cost_usd: float) -> None:
        """Count one call to a language model, and what was billed for it."""
        self.llm_calls.add(provider, outcome)
        self.llm_tokens.add(provider, count=tokens)
        self.llm_cost.add(provider, count=cost_usd)

    def read(self) -> list[Family | Spread]:
        """All as it stands."""
        counters = (
            self.sends,
            self.reports,
            self.llm_calls,
            self.llm_tokens,
            self.llm_cost,
            self.retries,
            self.skipped,
        )
        return [*(it.read() for it in counters), self.telling.read(), self.saving.read()]
