"""OpenAI's chat completions, which most other providers and local servers speak too."""

from collections.abc import Mapping
from typing import Any

from daemon.clock import Clock
from daemon.config.reporting import ProviderSection
from daemon.notify.http import HttpClient, SecretOrText
from daemon.secret import Secret
from handlers.llm.base import Answer, Prompt, ProviderError, Trouble
from handlers.llm.wire import Wire, model_of, usage_of

# OpenAI's newer models refuse the second name, older servers do not know the first. What a server
# refuses by name is left for the other one, from then on.
LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
OWN_HOST = "api.openai.com"

STOPPED = "stop"
ENDINGS = {
    "length": ("was cut at the limit of tokens; raise maxOutput", Trouble.CUT),
    "content_filter": ("refused the content", Trouble.REFUSED),
}


class OpenAi:
    """Asks `<baseUrl>/chat/completions`. Without a key none is sent: local servers want none."""

    def __init__(self, section: ProviderSection, http: HttpClient, clock: Clock) -> None:
        self.name = section.name
        self._model = section.model
        self._max_output = section.max_output
        self._wire = Wire(f"{section.base_url}/chat/completions", http, clock)
        self._headers: Mapping[str, SecretOrText] = (
            {} if section.api_key is None else {"Authorization": Secret(f"Bearer {section.api_key.reveal()}")}
        )
        is_own = self._wire.host == OWN_HOST or self._wire.host.endswith(".azure.com")
        self._limit_name = LIMIT_NAMES[0] if is_own else LIMIT_NAMES[1]

    async def ask(self, prompt: Prompt, timeout_s: float) -> Answer:
        """Ask once; twice where the server takes the limit only under its other name."""
        tried = self._limit_name
        try:
            return self._read(await self._wire.ask(self._body(prompt, tried), self._headers, timeout_s))
        except ProviderError as error:
            if error.trouble is not Trouble.INVALID:
                raise
        # A server that refuses a request as a whole seldom says why in a way that all share; that it is
        # the name of the limit is by far the likeliest, and asking so once costs nothing.
        other = next(name for name in LIMIT_NAMES if name != tried)
        said = await self._wire.ask(self._body(prompt, other), self._headers, timeout_s)
        self._limit_name = other
        return self._read(said)

    def _body(self, prompt: Prompt, limit_name: str) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            limit_name: self._max_output,
        }

    def _read(self, said: Mapping[str, Any]) -> Answer:
        usage = usage_of(said, "prompt_tokens", "completion_tokens")
        choices = said.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
            raise self._wire.unusable("answered without a choice", Trouble.BAD_OUTPUT, usage)
        if message.get("refusal"):
            raise self._wire.unusable("refused the content", Trouble.REFUSED, usage)
        ending = choice.get("finish_reason")
        if ending != STOPPED:
            what, trouble = ENDINGS.get(str(ending), ("ended otherwise than by stop", Trouble.BAD_OUTPUT))
            raise self._wire.unusable(what, trouble, usage)
        text = message.get("content")
        if not isinstance(text, str) or not text.strip():
            raise self._wire.unusable("answered without text", Trouble.BAD_OUTPUT, usage)
        model = model_of(said, self._model)
        return Answer(text=text, tokens_in=usage[0], tokens_out=usage[1], model=model)
