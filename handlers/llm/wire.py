"""One question to a provider over HTTP, and what every provider's answer is read by."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from daemon.clock import Clock
from daemon.notify.base import ChannelError, Failure
from daemon.notify.http import HttpClient, SecretOrText
from daemon.notify.text import cut, one_line
from handlers.llm.base import ProviderError, Trouble
from handlers.llm.refusals import refusal, refusal_in_success
from state.codec import NotJson, from_json, to_json

MOST_TOKENS = 100_000_000  # a count beyond it is none
LONGEST_MODEL = 100


class Wire:
    """The way to one provider's address."""

    def __init__(self, url: str, http: HttpClient, clock: Clock) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self.host = urlsplit(url).hostname or "provider"

    async def ask(
        self, body: Mapping[str, Any], headers: Mapping[str, SecretOrText], timeout_s: float
    ) -> Mapping[str, Any]:
        """POST a question and give the object that was answered.

        Raises:
            ProviderError: there is no such object, or it is an error.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        try:
            answer = await self._http.post(
                self._url, body=to_json(body), headers=headers, timeout_s=timeout_s
            )
        except ChannelError as error:
            raise _unanswered(error) from None
        if not 200 <= answer.status < 300:
            raise refusal(answer, self.host, self._clock.now())
        try:
            said = from_json(answer.text)
        except NotJson:
            said = None
        if not isinstance(said, dict):
            reason = f"{self.host} answered {answer.status} with what is no JSON object, or only half of one"
            raise ProviderError(reason, trouble=Trouble.TRANSIENT)
        if (failure := refusal_in_success(said, answer.text, self.host)) is not None:
            raise failure
        return said

    def unusable(self, what: str, trouble: Trouble, usage: tuple[int, int]) -> ProviderError:
        """The error of an answer that came, and was billed, and holds no prose."""
        return ProviderError(
            f"{self.host} {what}", trouble=trouble, tokens_in=usage[0], tokens_out=usage[1], may_repeat=False
        )


def _unanswered(error: ChannelError) -> ProviderError:
    """What it means that there is no status to go by. Nothing was ordered, so asking again harms nobody."""
    if error.failure is Failure.PERMANENT:  # an address that must not be used is as good as none
        return ProviderError(str(error), trouble=Trouble.GONE)
    reason = str(error).partition(";")[0]  # what follows is said of messages
    is_silence = error.failure is Failure.UNKNOWN and "Timeout" in reason
    return ProviderError(reason, trouble=Trouble.TIMEOUT if is_silence else Trouble.TRANSIENT)


def usage_of(said: Mapping[str, Any], tokens_in: str, tokens_out: str) -> tuple[int, int]:
    """The counts of tokens under these names; 0 for what is no count."""
    usage = said.get("usage")
    found = (usage.get(tokens_in), usage.get(tokens_out)) if isinstance(usage, Mapping) else (0, 0)
    return _count(found[0]), _count(found[1])


def model_of(said: Mapping[str, Any], asked: str) -> str:
    """The model that says it has answered, else the one that was asked."""
    named = said.get("model")
    return cut(one_line(named), LONGEST_MODEL) if isinstance(named, str) and named.strip() else asked


def _count(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if is_count and isinstance(value, int) else 0
