"""Facts from a program of one's own, asked over HTTP for JSON.

A question is an address below `source.url`, with its method before it:

    GET /facts?date=$date&companies=$companies     companies parted by commas, at most 50 in one request
    GET /companies/$company/facts?date=$date       one request a company
    POST /facts                                    {"date": "2026-11-21", "companies": ["acme", …]}
    POST /companies/$company/facts                 {"date": "2026-11-21", "company": "acme"}

The answer is a list of objects, or {"rows": [objects]}; asked for one company a single object does too.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar
from urllib.parse import quote

from daemon.config.reporting import SourceSection
from daemon.notify.base import ChannelError, Failure, Step
from daemon.notify.http import Answer, HttpClient
from handlers.reporting.base import Facts, Misfit
from handlers.reporting.sources import Surroundings
from handlers.reporting.sources.asking import Asking, ask_all, check_all, refusal
from handlers.reporting.sources.gathered import MOST_COLUMNS, Gathered
from handlers.reporting.sources.questions import ADDRESS, Question, questions, replaced
from state.codec import NotJson, from_json, to_json

LONGEST_ANSWER = 16 * 1024 * 1024  # bytes of one answer
MOST_IN_ADDRESS = 50  # companies: addresses over 8,000 characters are refused by many servers
METHODS = ("GET", "POST")
_PASSING = frozenset({408, 425, 429})  # with every 5xx: asked again they may do


class Http:
    """Asks a web server; redirects are not followed."""

    Options: ClassVar[type[Any]] = SourceSection

    def __init__(self, section: SourceSection, around: Surroundings) -> None:
        if section.url is None:
            raise Misfit(
                ("source", "url"),
                'a http source needs it; give the address to ask, as in "https://shop.example/api"',
            )
        self._base = section.url.reveal().rstrip("/")
        self._questions = questions(section.facts, section.tables, ADDRESS)
        self._asked = {question.name: _request_line(question) for question in self._questions}
        self._token = section.token
        self._clock = around.clock
        self._timeout_s = section.timeout.total_seconds()
        self._client = HttpClient(
            allow_private=around.allow_private,
            silence_s=self._timeout_s,
            longest_s=self._timeout_s,
            longest_answer=LONGEST_ANSWER,
        )

    async def facts(self, day: date, companies: Sequence[str]) -> Mapping[str, Facts]:
        return (await ask_all(self._questions, self._ask, day, companies)).facts()

    async def check(self) -> Sequence[Step]:
        return await check_all(self._questions, self._ask, self._clock)

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, question: Question, asking: Asking, gathered: Gathered) -> None:
        method, path = self._asked[question.name]
        rows: list[Mapping[str, Any]] = []
        for companies in _portions(asking, question):
            rows += await self._exchange(question, method, path, asking, companies)
        columns = _columns(question, rows)
        if not rows:  # no row, no column: nothing is known, and nothing is wrong
            columns = ["company"]
        gathered.take(question, columns, _in_order(rows, columns), asking.company)

    async def _exchange(
        self, question: Question, method: str, path: str, asking: Asking, companies: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        day = asking.day.isoformat()
        known = {"date": day, "company": asking.company or "", "companies": ",".join(companies)}
        # The base ends at a slash that is always there: nothing in a question can change the host.
        address = f"{self._base}/{replaced(path, lambda name: quote(known[name], safe=','), ADDRESS)}"
        asked = {"companies": companies} if asking.company is None else {"company": asking.company}
        headers = {"Accept": "application/json"}
        if self._token is not None:
            # As plain text: the client would blot out the words of a secret in the answer, which is data.
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        body = None
        if method == "POST":
            body, headers["Content-Type"] = to_json({"date": day, **asked}), "application/json"
        try:
            answer = await self._client.request(
                method, address, body=body, headers=headers, timeout_s=self._timeout_s
            )
        except ChannelError as error:
            failure = Failure.PERMANENT if error.failure is Failure.PERMANENT else Failure.TRANSIENT
            reason = f"{str(error).partition(';')[0]}; look at source.url and the server behind it"
        else:
            return _rows_in(question, answer, is_for_one=asking.company is not None)
        raise refusal(question, reason, failure=failure)


def _request_line(question: Question) -> tuple[str, str]:
    """The method and the path of a question."""
    method, _, path = question.text.strip().partition(" ")
    if not path:
        method, path = "GET", method
    path = path.strip()
    if method not in METHODS or "://" in path or any(sign.isspace() or sign < " " for sign in path):
        raise Misfit(
            question.place,
            f'"{question.text[:80]}" is no question; write GET or POST and a path below source.url, as in '
            '"GET /facts?date=$date&companies=$companies"',
        )
    return method, path.lstrip("/")


def _portions(asking: Asking, question: Question) -> Iterator[Sequence[str]]:
    """The companies of one request after the other."""
    step = MOST_IN_ADDRESS if "companies" in question.parameters else max(len(asking.companies), 1)
    for start in range(0, len(asking.companies), step):
        yield asking.companies[start : start + step]


def _rows_in(question: Question, answer: Answer, *, is_for_one: bool) -> list[Mapping[str, Any]]:
    if answer.status == 204:
        return []
    if not 200 <= answer.status < 300:
        passes = answer.status in _PASSING or answer.status >= 500
        raise refusal(
            question,
            f"the server answered {answer.status}; look at source.url, source.token and the server",
            failure=Failure.TRANSIENT if passes else Failure.PERMANENT,
        )
    try:
        said = from_json(answer.text)
    except NotJson as error:
        raise refusal(
            question, f"the answer is no whole JSON of at most {LONGEST_ANSWER >> 20} MiB: {error}"
        ) from None
    if isinstance(said, dict) and isinstance(said.get("rows"), list):
        said = said["rows"]
    elif isinstance(said, dict) and is_for_one:
        said = [said]
    if not isinstance(said, list) or not all(isinstance(row, dict) for row in said):
        raise refusal(question, 'the answer is no list of objects; answer with [{"company": "acme", …}, …]')
    return said


def _columns(question: Question, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All names of values, in the order in which they first come."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
        if len(names) > MOST_COLUMNS + 1:
            raise refusal(question, f"the answer has over {MOST_COLUMNS} different values; give fewer")
    return list(names)


def _in_order(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return (tuple(row.get(name) for name in columns) for row in rows)
