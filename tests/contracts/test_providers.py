"""What every provider of language models promises, tried on every row of the table."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from daemon.clock import VirtualClock
from daemon.config.reporting import ProviderSection
from daemon.notify.http import HttpClient
from handlers.llm import PROVIDERS, open_provider
from handlers.llm.base import Prompt, Provider, ProviderError, Trouble
from tests.daemon.notify.receivers import (
    TOKEN,
    Script,
    dripping_body,
    dripping_head,
    flooding,
    hanging_up,
    receiver,
    resetting,
    saying,
    silent,
    talking_nonsense,
)
from tests.handlers.llm.llm_servers import (
    KEY,
    MODEL,
    PROSE,
    answering,
    anthropic,
    anthropic_answer,
    anthropic_error,
    openai,
    openai_answer,
    openai_error,
    section,
)

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
PROMPT = Prompt(system="Write prose.", user="data", fence="data-0")
LONGEST_S = 3.0
SERVERS: Mapping[str, Any] = {"openai": openai, "anthropic": anthropic}
RATE_TEXT = "Rate limit reached on tokens per min. Add a payment method: https://x.example/billing"
CREDIT_TEXT = "Your credit balance is too low to access the API. Please go to Plans & Billing."
VLLM_LARGE = json.dumps(
    {"object": "error", "message": "This model's maximum context length is 8 tokens.", "code": 400}
)


@dataclass(frozen=True)
class Case:
    """An answer that is no prose, and the trouble that it is."""

    row: str
    script: Script
    trouble: Trouble
    retry_after: timedelta | None = None
    may_repeat: bool = True


T = Trouble
OPENAI: Mapping[str, tuple[Script, Trouble]] = {
    "400 unknown": (saying(400, openai_error(None)), T.INVALID),
    "401 key": (saying(401, openai_error("invalid_api_key", message=f"Incorrect key {TOKEN}")), T.AUTH),
    "403": (saying(403, openai_error(None)), T.AUTH),
    "404 model": (saying(404, openai_error("model_not_found")), T.GONE),
    "404 of ollama": (saying(404, '{"error": "model \\"x\\" not found, try pulling it first"}'), T.GONE),
    "404 page": (saying(404, "<html>nothing here</html>"), T.GONE),
    "400 content filter": (saying(400, openai_error("content_filter")), T.REFUSED),
    "400 context": (saying(400, openai_error("context_length_exceeded")), T.TOO_LARGE),
    "400 context of vllm": (saying(400, VLLM_LARGE), T.TOO_LARGE),
    "413": (saying(413, ""), T.TOO_LARGE),
    "429 quota": (saying(429, openai_error("insufficient_quota", "insufficient_quota")), T.MONEY),
    "429 credit": (saying(429, openai_error("credit_balance_exhausted")), T.MONEY),
    "429 spend in words": (saying(429, openai_error(None, message="Monthly spend limit reached")), T.MONEY),
    "402": (saying(402, ""), T.MONEY),
    "429 rate": (saying(429, openai_error("rate_limit_exceeded", "tokens", RATE_TEXT)), T.RATE),
    "429 bare": (saying(429, ""), T.RATE),
    "500": (saying(500, openai_error(None, "server_error")), T.TRANSIENT),
    "503 page": (saying(503, "<html>busy</html>"), T.TRANSIENT),
    "529": (saying(529, ""), T.TRANSIENT),
    "408": (saying(408, ""), T.TRANSIENT),
    "307": (saying(307, "", Location="http://127.0.0.1:1/"), T.GONE),
    "200 with an error": (saying(200, openai_error("insufficient_quota")), T.MONEY),
    "200 with an error of a gateway": (
        saying(200, '{"error": {"code": 502, "message": "bad"}}'),
        T.TRANSIENT,
    ),
    "200 with an error in words": (saying(200, '{"error": "overloaded"}'), T.TRANSIENT),
    "null content": (answering(openai_answer(None)), T.BAD_OUTPUT),
    "blank content": (answering(openai_answer("  \n")), T.BAD_OUTPUT),
    "content in parts": (answering({**openai_answer("x"), "choices": [{"message": []}]}), T.BAD_OUTPUT),
    "no choices": (answering({**openai_answer("x"), "choices": []}), T.BAD_OUTPUT),
    "choices null": (answering({**openai_answer("x"), "choices": None}), T.BAD_OUTPUT),
    "refusal": (answering(openai_answer(None, refusal="I cannot")), T.REFUSED),
    "content filter": (answering(openai_answer("Half a", "content_filter")), T.REFUSED),
    "length": (answering(openai_answer("Half a", "length")), T.CUT),
    "tool calls": (answering(openai_answer(None, "tool_calls")), T.BAD_OUTPUT),
    "no finish reason": (answering(openai_answer("x", None)), T.BAD_OUTPUT),
}
ANTHROPIC: Mapping[str, tuple[Script, Trouble]] = {
    "400": (saying(400, anthropic_error("invalid_request_error")), T.INVALID),
    "400 credit": (saying(400, anthropic_error("invalid_request_error", CREDIT_TEXT)), T.MONEY),
    "400 too long": (
        saying(400, anthropic_error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum")),
        T.TOO_LARGE,
    ),
    "401": (saying(401, anthropic_error("authentication_error")), T.AUTH),
    "402": (saying(402, anthropic_error("billing_error")), T.MONEY),
    "403": (saying(403, anthropic_error("permission_error")), T.AUTH),
    "404": (saying(404, anthropic_error("not_found_error")), T.GONE),
    "413": (saying(413, anthropic_error("request_too_large")), T.TOO_LARGE),
    "429 rate": (saying(429, anthropic_error("rate_limit_error")), T.RATE),
    "429 spent": (
        saying(
            429, anthropic_error("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"})
        ),
        T.MONEY,
    ),
    "500": (saying(500, anthropic_error("api_error")), T.TRANSIENT),
    "504": (saying(504, anthropic_error("timeout_error")), T.TRANSIENT),
    "529": (saying(529, anthropic_error("overloaded_error")), T.TRANSIENT),
    "200 with an error": (saying(200, anthropic_error("overloaded_error")), T.TRANSIENT),
    "no blocks": (answering(anthropic_answer(None)), T.BAD_OUTPUT),
    "content null": (answering(anthropic_answer(None) | {"content": None}), T.BAD_OUTPUT),
    "max_tokens": (answering(anthropic_answer("Half a", "max_tokens")), T.CUT),
    "window": (answering(anthropic_answer("Half a", "model_context_window_exceeded")), T.CUT),
    "refusal": (answering(anthropic_answer("No", "refusal")), T.REFUSED),
    "pause_turn": (answering(anthropic_answer("So far", "pause_turn")), T.BAD_OUTPUT),
    "tool_use": (answering(anthropic_answer("So far", "tool_use")), T.BAD_OUTPUT),
}
BROKEN: Mapping[str, tuple[Script, Trouble]] = {
    "silent": (silent, T.TIMEOUT),
    "dripping head": (dripping_head, T.TIMEOUT),
    "dripping body": (dripping_body, T.TRANSIENT),  # the status is there: half of an answer
    "flooding": (flooding, T.TRANSIENT),
    "resetting": (resetting, T.TRANSIENT),
    "hanging up": (hanging_up, T.TRANSIENT),
    "no HTTP": (talking_nonsense, T.TRANSIENT),
    "200 with a page": (saying(200, "<html>Please log in</html>"), T.TRANSIENT),
    "200 with a list": (saying(200, "[1, 2]"), T.TRANSIENT),
    "200 with nothing": (saying(200, ""), T.TRANSIENT),
    "200 with half of it": (saying(200, json.dumps(openai_answer(PROSE))[:200]), T.TRANSIENT),
    "200 nested deep": (saying(200, "[" * 30_000), T.TRANSIENT),
}
WAITS: Mapping[str, tuple[Mapping[str, str], timedelta | None, bool]] = {
    "seconds": ({"Retry_After": "600"}, timedelta(minutes=10), True),
    "a date": ({"Retry_After": "Sun, 22 Nov 2026 05:00:30 GMT"}, timedelta(seconds=30), True),
    "milliseconds": ({"retry_after_ms": "1500", "Retry_After": "2"}, timedelta(seconds=1.5), True),
    "milliseconds that are none": ({"retry_after_ms": "nan", "Retry_After": "2"}, timedelta(seconds=2), True),
    "a year": ({"Retry_After": "31536000"}, timedelta(hours=24), True),
    "nonsense": ({"Retry_After": "soon"}, None, True),
    "never again": ({"x_should_retry": "false"}, None, False),
}
CASES = {
    f"{row}, {name}": Case(row, *case)
    for row, cases in {"openai": OPENAI, "anthropic": ANTHROPIC}.items()
    for name, case in {**BROKEN, **cases}.items()
}
rows = pytest.mark.parametrize("row", PROVIDERS)


@asynccontextmanager
async def opened(made: ProviderSection, longest_s: float = 0.6) -> AsyncIterator[Provider]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=min(0.3, longest_s), longest_s=longest_s)
    try:
        yield open_provider(made, http, VirtualClock(NOW))
    finally:
        await http.close()


async def failure_of(provider: Provider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async with asyncio.timeout(LONGEST_S):
            await provider.ask(PROMPT, 30)
    return caught.value


def everything_told(error: BaseException | None) -> str:
    told = ""
    while error is not None:
        told += repr(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return told


def test_every_row_is_a_type_of_the_config_and_is_tried_here() -> None:
    types = get_args(ProviderSection.model_fields["type"].annotation)
    assert set(PROVIDERS) == set(SERVERS) == set(types)


@rows
async def test_a_strict_server_takes_the_question_and_its_answer_is_read(row: str) -> None:
    async with SERVERS[row]() as there, opened(section(row, there.port)) as provider:
        answer = await provider.ask(PROMPT, 5)
    assert provider.name == "main"
    assert (answer.text, answer.tokens_in, answer.tokens_out) == (PROSE, 700, 60)
    assert answer.model.startswith(MODEL)
    assert len(there.bodies) == 1


@rows
async def test_the_limit_of_the_config_is_what_is_asked_for(row: str) -> None:
    async with SERVERS[row]() as there, opened(section(row, there.port, max_output=77)) as provider:
        await provider.ask(PROMPT, 5)
    assert there.payloads[0]["max_tokens"] == 77


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_each_failure_is_told_as_what_it_is_and_tells_no_secret(case: Case) -> None:
    async with receiver(case.script) as there, opened(section(case.row, there.port)) as provider:
        error = await failure_of(provider)
    assert error.trouble is case.trouble, str(error)
    assert TOKEN not in everything_told(error)
    assert "127.0.0.1" in str(error)


@rows
@pytest.mark.parametrize(("headers", "wait", "may_repeat"), WAITS.values(), ids=WAITS)
async def test_what_a_provider_asks_for_is_understood(
    row: str, headers: Mapping[str, str], wait: timedelta | None, may_repeat: bool
) -> None:
    async with (
        receiver(saying(429, "", **headers)) as there,
        opened(section(row, there.port)) as provider,
    ):
        error = await failure_of(provider)
    assert (error.trouble, error.retry_after, error.may_repeat) == (Trouble.RATE, wait, may_repeat)


@rows
async def test_a_400_that_may_be_repeated_is_transient(row: str) -> None:
    script = saying(400, "{}", x_should_retry="true")
    async with receiver(script) as there, opened(section(row, there.port)) as provider:
        assert (await failure_of(provider)).trouble is Trouble.TRANSIENT


@rows
async def test_a_provider_that_is_not_there_is_transient(row: str) -> None:
    async with SERVERS[row]() as there:
        port = there.port
    async with opened(section(row, port)) as provider:
        error = await failure_of(provider)
    assert error.trouble is Trouble.TRANSIENT
    assert "nothing was sent" not in str(error)


@rows
async def test_an_address_that_must_not_be_used_is_told_with_the_setting_that_allows_it(row: str) -> None:
    async with SERVERS[row]() as there:
        http = HttpClient()
        error = await failure_of(open_provider(section(row, there.port), http, VirtualClock(NOW)))
        await http.close()
    assert error.trouble is Trouble.GONE
    assert "network.allowPrivate" in str(error)
    assert there.connections == 0


@rows
async def test_what_was_billed_for_nothing_is_told(row: str) -> None:
    half = openai_answer("Half", "length") if row == "openai" else anthropic_answer("Half", "max_tokens")
    async with receiver(answering(half)) as there, opened(section(row, there.port)) as provider:
        error = await failure_of(provider)
    assert (error.tokens_in, error.tokens_out) == (700, 60)


@rows
@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": "9", "input_tokens": -1}, {"x": True}])
async def test_counts_that_are_none_are_zero(row: str, usage: Any) -> None:
    body = openai_answer(PROSE) if row == "openai" else anthropic_answer(PROSE)
    script = answering({**body, "usage": usage, "model": None})
    async with receiver(script) as there, opened(section(row, there.port)) as provider:
        answer = await provider.ask(PROMPT, 5)
    assert (answer.tokens_in, answer.tokens_out, answer.model) == (0, 0, MODEL)


@rows
async def test_a_cancelled_question_ends_within_a_second(row: str) -> None:
    async with receiver(silent) as there, opened(section(row, there.port), longest_s=30) as provider:
        asking = asyncio.ensure_future(provider.ask(PROMPT, 30))
        await there.arrived.wait()
        asking.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await asking


@rows
async def test_without_a_key_none_is_sent(row: str) -> None:
    body = openai_answer(PROSE) if row == "openai" else anthropic_answer(PROSE)
    async with (
        receiver(answering(body)) as there,
        opened(section(row, there.port, api_key=None)) as provider,
    ):
        assert (await provider.ask(PROMPT, 5)).text == PROSE
    assert b"authorization" not in there.heads[0].lower()
    assert b"x-api-key" not in there.heads[0].lower()


async def test_the_limit_is_named_as_the_server_will_have_it_and_that_is_remembered() -> None:
    async with (
        openai(limit_name="max_completion_tokens") as there,
        opened(section("openai", there.port)) as provider,
    ):
        for _ in range(2):
            assert (await provider.ask(PROMPT, 5)).text == PROSE
    names = [(set(asked) - {"model", "messages"}).pop() for asked in there.payloads]
    assert names == ["max_tokens", "max_completion_tokens", "max_completion_tokens"]


async def test_the_key_is_shown_as_the_server_will_have_it_and_that_is_remembered() -> None:
    async with anthropic(earlier=True) as there, opened(section("anthropic", there.port)) as provider:
        for _ in range(2):
            assert (await provider.ask(PROMPT, 5)).text == PROSE
    assert [KEY.encode() in head and b"x-api-key" in head.lower() for head in there.heads] == [
        False,
        True,
        True,
    ]
