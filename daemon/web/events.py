"""The stream of events: what happens, as it happens, as server-sent events."""

from daemon.web.asking import Answer, Asking, Stream
from daemon.web.route import Route, read

MEDIA = "text/event-stream; charset=utf-8"
# A proxy in between passes each event on as it comes (nginx.org/en/docs/http/ngx_http_proxy_module.html).
UNBUFFERED = {"X-Accel-Buffering": "no"}


async def events(asking: Asking) -> Answer:
    """What happens from now on; with the header `Last-Event-ID` also what was missed since that event."""
    pieces = asking.operations.listen(asking.headers.get("Last-Event-ID"))
    return Answer(value=Stream(pieces=pieces, media=MEDIA), headers=UNBUFFERED)


EVENT_ROUTES: tuple[Route, ...] = (read("/api/events", events, gives=MEDIA.partition(";")[0]),)
