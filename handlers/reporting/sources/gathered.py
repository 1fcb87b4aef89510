"""What the questions of one batch answer, checked and put in order company by company."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from daemon.notify.base import Failure
from handlers.reporting.base import Facts, SourceError, Table
from handlers.reporting.plain import plain, size
from handlers.reporting.sources.questions import Question

COMPANY = "company"  # the column that says whose row it is

MOST_COLUMNS = 100
MOST_ROWS = 1_000  # of one table of one company
LONGEST_ROW = 256 * 1024  # characters; nobody reads a longer one
LONGEST_COMPANY = 1024 * 1024  # the facts and tables of one company together
LONGEST_ANSWER = 64 * 1024 * 1024  # of a whole batch
LONGEST_NAME = 200  # characters of a column's name

log = logging.getLogger("handlers.reporting")


class Gathered:
    """Takes the rows of each question and ends as one `Facts` for every company that was asked for.

    What is wrong with one company's rows is told in its own `problem`; what is wrong with the question
    itself is a SourceError.
    """

    def __init__(self, day: date, companies: Sequence[str]) -> None:
        self.columns: dict[str, tuple[str, ...]] = {}  # of each question that was answered
        self._day = day
        self._values: dict[str, Mapping[str, Any]] = {}
        self._tables: dict[str, dict[str, Table]] = {}
        # A dict for its order: the same problem is told once.
        self._problems: dict[str, dict[str, None]] = {company: {} for company in companies}
        self._sizes = dict.fromkeys(companies, 0)
        self._total = 0

    def take(
        self,
        question: Question,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        company: str | None = None,
    ) -> None:
        """Take the whole answer to a question; see `begin`."""
        answer = self.begin(question, columns, company)
        answer.add(rows)
        answer.end()

    def begin(self, question: Question, columns: Sequence[str], company: str | None = None) -> "Answer":
        """Begin to take an answer; `company` is whom it was asked for, None for the whole batch.

        Raises:
            SourceError: the columns are not what was agreed.
        """
        names = _checked_columns(question, columns, is_batch=company is None)
        self.columns[question.name] = tuple(name for name in names if name != COMPANY)
        return Answer(self, question, names, company)

    def missing(self, question: Question, reason: str) -> None:
        """Say to every company that there is nothing to answer the question from."""
        for company in self._problems:
            self.trouble(company, f"{self._nothing(question)}: {reason}")

    def facts(self) -> dict[str, Facts]:
        """The facts of every company; what is missing is logged once for all."""
        made = {
            company: Facts(
                company_id=company,
                date=self._day,
                values=self._values.get(company, {}),
                tables=self._tables.get(company, {}),
                problem=" ".join(problems) or None,
            )
            for company, problems in self._problems.items()
        }
        _log_problems(self._day, [one for one in made.values() if one.problem])
        return made

    def asked_for(self) -> Iterable[str]:
        """Every company of the batch."""
        return self._problems.keys()

    def has_room(self, question: Question, company: str, taken: int) -> bool:
        """Count a row of this size to the company; False where it has no room for it.

        Raises:
            SourceError: the whole batch has become too much.
        """
        if self._sizes[company] + taken > LONGEST_COMPANY:
            return False
        self._sizes[company] += taken
        self._total += taken
        if self._total > LONGEST_ANSWER:
            raise _refusal(
                question, f"a batch takes more than {LONGEST_ANSWER >> 20} MiB; select less in the query"
            )
        return True

    def settle(
        self, question: Question, company: str, rows: Sequence[tuple[Any, ...]], *, is_cut: bool
    ) -> None:
        """Keep what was answered for one company; `is_cut` where rows of it were left out."""
        columns = self.columns[question.name]
        if not question.is_facts:
            self._tables.setdefault(company, {})[question.name] = Table(columns=columns, rows=tuple(rows))
        elif len(rows) == 1:
            self._values[company] = dict(zip(columns, rows[0], strict=True))
        elif rows:
            why = f"{question.label} gives {len(rows):,} rows for {company}, and one is wanted."
            self.trouble(company, f"{self._nothing(question)}: {why}")
        elif not is_cut:
            self.trouble(company, f"{self._nothing(question)}: {question.label} gives no row for {company}.")

    def trouble(self, company: str, text: str) -> None:
        """Add a line to what the company's report says of its facts."""
        self._problems[company].setdefault(text)

    def _nothing(self, question: Question) -> str:
        what = "are no figures" if question.is_facts else f'is no table "{question.name[:80]}"'
        return f"There {what} for {self._day.isoformat()}"


class Answer:
    """The answer to one question while its rows come in."""

    def __init__(
        self, gathered: Gathered, question: Question, names: Sequence[str], company: str | None
    ) -> None:
        self._gathered = gathered
        self._question = question
        self._where = names.index(COMPANY) if COMPANY in names else None
        self._company = company
        self._rows: dict[str, list[tuple[Any, ...]]] = {
            asked: [] for asked in (gathered.asked_for() if company is None else (company,))
        }
        self._cut: set[str] = set()  # companies of whom rows were left out

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take rows; those of companies that were not asked for are passed over.

        Raises:
            SourceError: the column of the company is no text, or it is too much.
        """
        where = self._where
        for row in rows:
            owner = self._company if where is None else _owner(self._question, row[where], self._company)
            if owner is not None and owner in self._rows:
                made = tuple(plain(value) for place, value in enumerate(row) if place != where)
                if why_not := self._objection(owner, size(made)):
                    self._gathered.trouble(owner, why_not)
                    self._cut.add(owner)
                else:
                    self._rows[owner].append(made)

    def end(self) -> None:
        """Say that there are no more rows."""
        for company, rows in self._rows.items():
            self._gathered.settle(self._question, company, rows, is_cut=company in self._cut)

    def _objection(self, owner: str, taken: int) -> str | None:
        """Why a row of this size is left out; None where it is taken."""
        label = self._question.label
        if len(self._rows[owner]) >= MOST_ROWS:
            return f"Only the first {MOST_ROWS:,} rows of {label} are kept."
        if taken > LONGEST_ROW:
            return (
                f"A row of {label} is left out: it takes {taken / 1e6:.1f} MB, and a row may take "
                f"{LONGEST_ROW >> 10} KiB; select less in the query."
            )
        if not self._gathered.has_room(self._question, owner, taken):
            return f"Rows of {label} are left out: a company's facts may take {LONGEST_COMPANY >> 20} MiB."
        return None


def _checked_columns(question: Question, columns: Sequence[str], *, is_batch: bool) -> list[str]:
    names = [str(name) for name in columns]
    if not names:
        raise _refusal(question, "it gives no columns; write a query that selects some")
    if len(names) > MOST_COLUMNS:
        raise _refusal(question, f"it gives {len(names):,} columns; at most {MOST_COLUMNS} are taken")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _refusal(question, f'two columns are named "{twice[:80]}"; name one of them otherwise with AS')
    if too_long := next((name for name in names if len(name) > LONGEST_NAME or not name.strip()), None):
        raise _refusal(question, f'"{too_long[:40]}…" cannot name a column; name it with AS')
    if is_batch and COMPANY not in names:
        raise _refusal(
            question,
            f'its result has no column "{COMPANY}", only {", ".join(names)[:200]}; name the column of the '
            "company's id so with AS, or ask for one company with $company",
        )
    return names


def _owner(question: Question, value: Any, asked: str | None) -> str | None:
    """Whose row it is; None where it says so itself that it is nobody's."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refusal(
            question,
            f'the column "{COMPANY}" holds {type(value).__name__} {str(value)[:40]}, and ids are text: '
            "write CAST(… AS TEXT)",
        )
    if asked is not None and value != asked:
        raise _refusal(question, f"asked for {asked}, it gives a row of {value[:80]}; compare with $company")
    return value


def _refusal(question: Question, reason: str) -> SourceError:
    return SourceError(f"{question.label}: {reason}", failure=Failure.PERMANENT)


def _log_problems(day: date, troubled: Sequence[Facts]) -> None:
    if troubled:
        first = troubled[0]
        fields = {
            "date": day.isoformat(),
            "companies": len(troubled),
            "company": first.company_id,
            "problem": first.problem,
        }
        log.warning("source.incomplete", extra={"fields": fields})
