"""Servers on loopback that speak the wire formats of language models, strictly, or fail as told."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from daemon.config.reporting import ProviderSection
from daemon.secret import Secret
from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying

KEY = f"sk-{TOKEN}"
MODEL = "model-1"
PROSE = "Acme flew 100 flights on 21 November 2026, up by 25 on the week before, and cancelled 3 of them."

Write = Callable[[dict[str, Any]], str]  # from the body of a question to the text of its answer


def right(_question: dict[str, Any]) -> str:
    """Write what the facts of `briefs.brief` hold."""
    return PROSE


def openai_answer(text: str | None, ending: str | None = "stop", **message: Any) -> dict[str, Any]:
    """What OpenAI sends, its lesser fields too."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": [], **message},
        "logprobs": None,
        "finish_reason": ending,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1732233600,
        "model": f"{MODEL}-2026-01-01",
        "choices": [choice],
        "usage": {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760},
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def anthropic_answer(text: str | None, ending: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """What Anthropic sends, a block of thoughts before the text."""
    blocks = [] if text is None else [{"type": "text", "text": text, "citations": None}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": f"{MODEL}-20260101",
        "content": [{"type": "thinking", "thinking": "5 or 6?", "signature": "x"}, *blocks],
        "stop_reason": ending,
        "stop_sequence": None,
        "usage": {"input_tokens": 700, "output_tokens": 60, "cache_read_input_tokens": 0},
        **more,
    }


def openai_error(code: str | None, kind: str = "invalid_request_error", message: str = "no") -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def anthropic_error(kind: str, message: str = "no", **details: Any) -> str:
    error = {"type": kind, "message": message, **details}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"})


def _field(head: bytes, name: str) -> str | None:
    for line in head.decode().split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def _line(head: bytes) -> str:
    return head.decode().split("\r\n", 1)[0]


def openai_problem(head: bytes, body: bytes, limit_name: str) -> tuple[int, str] | None:
    """Why OpenAI would not answer this question."""
    if _line(head) != "POST /v1/chat/completions HTTP/1.1":
        return 404, openai_error(None, message="Invalid URL")
    if _field(head, "authorization") != f"Bearer {KEY}":
        return 401, openai_error("invalid_api_key", message=f"Incorrect API key provided: {TOKEN}")
    if _field(head, "content-type") != "application/json":
        return 400, openai_error(None, message="you must send JSON")
    asked = json.loads(body)
    if asked.get("model") != MODEL:
        return 404, openai_error("model_not_found")
    if set(asked) != {"model", "messages", limit_name} or not isinstance(asked[limit_name], int):
        return 400, openai_error("unsupported_parameter", message=f"Unsupported or missing: {sorted(asked)}")
    roles = [message["role"] for message in asked["messages"] if set(message) == {"role", "content"}]
    if roles != ["system", "user"] or not all(it["content"].strip() for it in asked["messages"]):
        return 400, openai_error(None, message="messages")
    return None


def anthropic_problem(head: bytes, body: bytes, *, earlier: bool = False) -> tuple[int, str] | None:
    """Why Anthropic would not answer this question."""
    if _line(head) != "POST /v1/messages HTTP/1.1":
        return 404, anthropic_error("not_found_error")
    if _field(head, "anthropic-version") is None:
        return 400, anthropic_error("invalid_request_error", "anthropic-version: header is required")
    shown = _field(head, "x-api-key") if earlier else (_field(head, "authorization") or "")[len("Bearer ") :]
    if shown != KEY:
        return 401, anthropic_error("authentication_error", f"invalid key {TOKEN}")
    asked = json.loads(body)
    if asked.get("model") != MODEL:
        return 404, anthropic_error("not_found_error", f"model: {asked.get('model')}")
    if set(asked) != {"model", "max_tokens", "system", "messages"} or not isinstance(
        asked["max_tokens"], int
    ):
        return 400, anthropic_error("invalid_request_error", f"extra or missing: {sorted(asked)}")
    if [set(it) for it in asked["messages"]] != [{"role", "content"}] or not asked["system"].strip():
        return 400, anthropic_error("invalid_request_error", "messages")
    return None if asked["messages"][0]["role"] == "user" else (400, anthropic_error("invalid_request_error"))


@asynccontextmanager
async def openai(write: Write = right, limit_name: str = "max_tokens") -> AsyncIterator[Receiver]:
    made: Receiver

    async def judge(writer: Any) -> None:
        problem = openai_problem(made.heads[-1], made.bodies[-1], limit_name)
        if problem is not None:
            return await saying(*problem)(writer)
        return await saying(200, json.dumps(openai_answer(write(made.payloads[-1]))))(writer)

    async with receiver(judge) as made:
        yield made


@asynccontextmanager
async def anthropic(write: Write = right, *, earlier: bool = False) -> AsyncIterator[Receiver]:
    made: Receiver

    async def judge(writer: Any) -> None:
        problem = anthropic_problem(made.heads[-1], made.bodies[-1], earlier=earlier)
        if problem is not None:
            return await saying(*problem)(writer)
        return await saying(200, json.dumps(anthropic_answer(write(made.payloads[-1]))))(writer)

    async with receiver(judge) as made:
        yield made


def answering(body: dict[str, Any]) -> Script:
    return saying(200, json.dumps(body))


def section(kind: str, port: int, name: str = "main", **options: Any) -> ProviderSection:
    """The entry in the config of a server on loopback."""
    base = f"http://127.0.0.1:{port}" + ("/v1" if kind == "openai" else "")
    made = {"name": name, "type": kind, "base_url": base, "model": MODEL, "api_key": Secret(KEY), **options}
    return ProviderSection.model_validate(made, context=None)
