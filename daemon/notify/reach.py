"""How far one gets towards a receiver without sending it a message."""

from collections.abc import Mapping

from daemon.clock import Clock
from daemon.notify.base import ChannelError, Failure, Step
from daemon.notify.http import Answer, HttpClient, SecretOrText

CHECK_S = 5.0  # somebody waits at a terminal
UNPROVED = "whether it takes messages shows only when one is sent"


async def reach(http: HttpClient, clock: Clock, url: SecretOrText) -> Step:
    """Ask by HEAD for an address that takes only messages: any answer proves the way there, no more."""
    answer, step = await ask(http, clock, "HEAD", url, name="connect")
    if answer is None:
        return step
    detail = f"reached, answered {answer.status}; {UNPROVED}"
    return Step(name=step.name, is_ok=True, detail=detail, took_s=step.took_s)


async def ask(
    http: HttpClient,
    clock: Clock,
    method: str,
    url: SecretOrText,
    *,
    name: str,
    body: bytes | None = None,
    headers: Mapping[str, SecretOrText] | None = None,
) -> tuple[Answer | None, Step]:
    """Send a request that is no message; without an answer the step has failed and says why."""
    began_s = clock.monotonic()
    answer, detail = None, ""
    try:
        answer = await http.request(method, url, body=body, headers=headers, timeout_s=CHECK_S)
        detail = f"answered {answer.status}"
    except ChannelError as error:
        detail = str(error)
        if error.failure is not Failure.PERMANENT:
            detail = detail.partition(";")[0]  # what follows is said of a message, and there was none
    took_s = clock.monotonic() - began_s
    return answer, Step(name=name, is_ok=answer is not None, detail=detail, took_s=took_s)
