"""Ask all questions of a source for a batch of companies, whatever answers them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from daemon.clock import Clock
from daemon.notify.base import Failure, Step
from handlers.reporting.base import Facts, SourceError
from handlers.reporting.sources.gathered import Gathered
from handlers.reporting.sources.questions import Question
from handlers.reporting.sources.session import Session, Sessions

C = TypeVar("C")

FETCHED = 100  # rows at a time: an answer of long rows is never in memory as a whole
NOBODY = "nobody"  # the company a check asks for


class NothingThere(Exception):
    """There is nothing to answer from: a file is missing or empty. The text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom a question is asked for, and for which day."""

    day: date
    company: str | None  # None: for all of `companies` at once
    companies: Sequence[str]

    def parameters(self, question: Question) -> dict[str, Any]:
        """The values of the parameters that the question has."""
        known = {"date": self.day, "company": self.company, "companies": list(self.companies)}
        return {name: known[name] for name in question.parameters}


Ask = Callable[[Question, Asking, Gathered], Awaitable[None]]


async def ask_all(questions: Iterable[Question], ask: Ask, day: date, companies: Sequence[str]) -> Gathered:
    """Ask every question, once for the batch or once for each company.

    Raises:
        SourceError: a question has no answer; it is named by its key in the config.
    """
    gathered = Gathered(day, companies)
    for question in questions:
        try:
            for asking in _askings(question, day, companies):
                await ask(question, asking, gathered)
        except NothingThere as nothing:
            gathered.missing(question, str(nothing))
    return gathered


async def check_all(questions: Iterable[Question], ask: Ask, clock: Clock) -> list[Step]:
    """Ask every question for a company that there is not: a step each, up to the first that fails."""
    steps: list[Step] = []
    for question in questions:
        began_s = clock.monotonic()
        gathered = Gathered(clock.now().date(), (NOBODY,))
        is_ok, detail = True, ""
        try:
            for asking in _askings(question, clock.now().date(), (NOBODY,)):
                await ask(question, asking, gathered)
            detail = f"answers with {', '.join(gathered.columns[question.name])}"
        except (NothingThere, SourceError) as error:
            is_ok, detail = False, str(error)
        took_s = clock.monotonic() - began_s
        steps.append(Step(name=question.label, is_ok=is_ok, detail=detail[:500], took_s=took_s))
        if not is_ok:
            break
    return steps


def refusal(question: Question, reason: str, *, failure: Failure = Failure.PERMANENT) -> SourceError:
    """An error that names its question."""
    return SourceError(f"{question.label}: {reason}", failure=failure)


def _askings(question: Question, day: date, companies: Sequence[str]) -> Iterable[Asking]:
    if question.is_for_each:
        return (Asking(day=day, company=company, companies=(company,)) for company in companies)
    return (Asking(day=day, company=None, companies=companies),)


class Aside(Generic[C]):
    """Asks on a connection that blocks, in a thread beside the loop: DuckDB's and SQLite's way."""

    def __init__(
        self,
        questions: Sequence[Question],
        sessions: Sessions[C],
        answer: Callable[[C, Question, Asking, Gathered], None],
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self._questions = questions
        self._sessions = sessions
        self._answer = answer
        self._clock = clock
        self._timeout_s = timeout_s

    async def facts(self, day: date, companies: Sequence[str]) -> dict[str, Facts]:
        """See `Source.facts`."""
        async with self._sessions.session(self._timeout_s) as session:
            return (await ask_all(self._questions, self._within(session), day, companies)).facts()

    async def check(self) -> list[Step]:
        """See `Source.check`."""
        try:
            async with self._sessions.session(self._timeout_s) as session:
                return await check_all(self._questions, self._within(session), self._clock)
        except SourceError as error:  # no place was free, or it is closed
            return [Step(name="open", is_ok=False, detail=str(error), took_s=0.0)]

    def close(self) -> None:
        """Take no more questions."""
        self._sessions.close()

    def _within(self, session: Session[C]) -> Ask:
        async def ask(question: Question, asking: Asking, gathered: Gathered) -> None:
            def work(connection: C) -> None:
                self._answer(connection, question, asking, gathered)

            await session.ask(question.label, work)

        return ask
