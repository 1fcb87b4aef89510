"""What the questions of one batch answer, checked and put in order company by company."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from daemon.notify.base import Failure
from handlers.reporting.base import Facts, SourceError, Table
from handlers.reporting.sources.plain import plain, size
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
        """Take the answer to a question; `company` is whom it was asked for, None for the whole batch.

        Raises:
            SourceError: the columns are not what was agreed, or it is too much.
        """
        names = _checked_columns(question, columns, is_batch=company is None)
        where = names.index(COMPANY) if COMPANY in names else None
        kept = tuple(name for name in names if name != COMPANY)
        self.columns[question.name] = kept
        found: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            owner = company if where is None else _owner(question, row[where], company)
            if owner is not None and owner in self._problems:
                self._keep(question, owner, row, where, found.setdefault(owner, []))
        self._settle(question, kept, found, self._problems if company is None else (company,))

    def missing(self, question: Question, reason: str) -> None:
        """Say to every company that there is nothing to answer the question from."""
        for company in self._problems:
            self._trouble(company, f"{self._nothing(question)}: {reason}")

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

    def _keep(
        self,
        question: Question,
        owner: str,
        row: Sequence[Any],
        where: int | None,
        kept: list[tuple[Any, ...]],
    ) -> None:
        if len(kept) >= MOST_ROWS:
            self._trouble(owner, f"Only the first {MOST_ROWS:,} rows of {question.label} are kept.")
            return
        made = tuple(plain(value) for place, value in enumerate(row) if place != where)
        taken = size(made)
        if taken > LONGEST_ROW:
            self._trouble(
                owner,
                f"A row of {question.label} is left out: it takes {taken / 1e6:.1f} MB, and a row may take "
                f"{LONGEST_ROW // 1024} KiB; select less in the query.",
            )
            return
        if self._sizes[owner] + taken > LONGEST_COMPANY:
            self._trouble(owner, f"Rows of {question.label} are left out: the report holds 1 MiB already.")
            return
        self._sizes[owner] += taken
        self._total += taken
        if self._total > LONGEST_ANSWER:
            raise _refusal(
                question, f"a batch takes more than {LONGEST_ANSWER >> 20} MiB; select less in the query"
            )
        kept.append(made)

    def _settle(
        self,
        question: Question,
        columns: tuple[str, ...],
        found: Mapping[str, list[tuple[Any, ...]]],
        companies: Iterable[str],
    ) -> None:
        for company in companies:
            rows = found.get(company, [])
            if not question.is_facts:
                self._tables.setdefault(company, {})[question.name] = Table(columns=columns, rows=tuple(rows))
            elif len(rows) == 1:
                self._values[company] = dict(zip(columns, rows[0], strict=True))
            elif rows:
                self._trouble(
                    company,
                    f"{self._nothing(question)}: {question.label} gives {len(rows)} rows for {company}, "
                    "and one is wanted.",
                )
            elif company not in found:
                self._trouble(
                    company, f"{self._nothing(question)}: {question.label} gives no row for {company}."
                )

    def _nothing(self, question: Question) -> str:
        what = "are no figures" if question.is_facts else f'is no table "{question.name[:80]}"'
        return f"There {what} for {self._day.isoformat()}"

    def _trouble(self, company: str, text: str) -> None:
        self._problems[company].setdefault(text)


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
            f'the column "{COMPANY}" holds {type(value).__name__} {str(value)[:40]}; a company\'s id is text: '
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
