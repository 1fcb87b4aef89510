"""Anthropic's messages."""

from collections.abc import Mapping
from typing import Any

from daemon.clock import Clock
from daemon.config.reporting import ProviderSection
from daemon.notify.http import HttpClient, SecretOrText
from daemon.secret import Secret
from handlers.llm.base import Answer, Prompt, ProviderError, Trouble
from handlers.llm.wire import Wire, model_of, usage_of

VERSION = "2026-10-21"
EARLIER_VERSION = "2023-06-01"  # its key goes into a header of its own; many gateways know only this

STOPPED = ("end_turn", "stop_sequence")
ENDINGS = {
    "max_tokens": ("was cut at the limit of tokens; raise maxOutput", Trouble.CUT),
    "model_context_window_exceeded": ("was cut at the end of its context window", Trouble.CUT),
    "refusal": ("refused the content", Trouble.REFUSED),
}


class Anthropic:
    """Asks `<baseUrl>/v1/messages`, in the newer way of showing the key, else in the earlier one."""

    def __init__(self, section: ProviderSection, http: HttpClient, clock: Clock) -> None:
        self.name = section.name
        self._model = section.model
        self._max_output = section.max_output
        self._wire = Wire(f"{section.base_url}/v1/messages", http, clock)
        self._ways = _ways(section.api_key)

    async def ask(self, prompt: Prompt, timeout_s: float) -> Answer:
        """Ask once; twice where the key is not taken in the one way, and from then on in the other."""
        body = {
            "model": self._model,
            "max_tokens": self._max_output,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.user}],
        }
        first, second = self._ways
        try:
            return self._read(await self._wire.ask(body, first, timeout_s))
        except ProviderError as error:
            if error.trouble is not Trouble.AUTH:
                raise
        said = await self._wire.ask(body, second, timeout_s)
        self._ways = (second, first)
        return self._read(said)

    def _read(self, said: Mapping[str, Any]) -> Answer:
        usage = usage_of(said, "input_tokens", "output_tokens")
        ending = said.get("stop_reason")
        if ending not in STOPPED:
            what, trouble = ENDINGS.get(
                str(ending), ("ended otherwise than by an end of turn", Trouble.BAD_OUTPUT)
            )
            raise self._wire.unusable(what, trouble, usage)
        blocks = said.get("content")
        parts = [_text(block) for block in blocks] if isinstance(blocks, list) else []
        text = "".join(parts)
        if not text.strip():
            raise self._wire.unusable("answered without text", Trouble.BAD_OUTPUT, usage)
        model = model_of(said, self._model)
        return Answer(text=text, tokens_in=usage[0], tokens_out=usage[1], model=model)


def _ways(key: Secret | None) -> tuple[Mapping[str, SecretOrText], Mapping[str, SecretOrText]]:
    newer: dict[str, SecretOrText] = {"anthropic-version": VERSION}
    earlier: dict[str, SecretOrText] = {"anthropic-version": EARLIER_VERSION}
    if key is not None:
        newer["Authorization"] = Secret(f"Bearer {key.reveal()}")
        earlier["x-api-key"] = key
    return newer, earlier


def _text(block: Any) -> str:
    """The text of a block; other kinds, thoughts for one, are no part of the answer."""
    text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
    return text if isinstance(text, str) else ""
