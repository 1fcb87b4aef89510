"""The way to the daemon: HTTP over its control socket, with nothing but the standard library."""

import http.client
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from daemon.web.address import socket_address
from state.codec import NotJson, from_json, to_json
from state.home import Home, holder

ANSWER_S = 10.0
# A daemon that has just been started holds its home before it listens.
START_S = 5.0
POLL_S = 0.1
TOTAL_HEADER = "X-Total-Count"
EXIT_OF = {400: 2, 404: 2, 413: 2, 503: 1, 507: 1}


class DaemonDown(Exception):
    """No daemon can be reached at this home. `is_held`: some process holds it all the same."""

    def __init__(self, text: str, *, is_held: bool) -> None:
        super().__init__(text)
        self.is_held = is_held


class DaemonSilent(Exception):
    """The daemon took the request and no answer came: whether it was done is not known."""


class Refused(Exception):
    """The daemon said no; the message is its reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.exit_code = EXIT_OF.get(status, 70)


class Client:
    """Asks the daemon of one home; every request is one connection, and bounded in time."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, wait_s: float = 0) -> Any:
        """Ask for something. Raises as `ask` does, at once where no daemon answers."""
        return self._ask("GET", _with_query(path, query), None, wait_s, start_s=0)[0]

    def page(self, path: str, query: Mapping[str, Any]) -> tuple[Any, int | None]:
        """Ask for some rows of many: the rows, and how many there are in all where that is told."""
        return self._ask("GET", _with_query(path, query), None, 0, start_s=0)

    def post(self, path: str, body: Any, query: Mapping[str, Any] | None = None, *, wait_s: float = 0) -> Any:
        """Have something done; waits for a daemon that is just starting.

        Raises:
            DaemonDown: nothing was asked of anybody.
            DaemonSilent: it may have been done.
            Refused: it was not done, and the message says why.
        """
        return self._ask("POST", _with_query(path, query), body, wait_s, start_s=START_S)[0]

    def delete(self, path: str, body: Any) -> Any:
        """Take something back. Raises as `post` does."""
        return self._ask("DELETE", path, body, 0, start_s=START_S)[0]

    def _ask(
        self, method: str, path: str, body: Any, wait_s: float, *, start_s: float
    ) -> tuple[Any, int | None]:
        connection = _UnixConnection(self._connected(start_s))
        try:
            connection.wait_for(ANSWER_S + wait_s)
            # Bytes are a file that is sent as it is.
            is_file = isinstance(body, bytes)
            sent = body if body is None or is_file else to_json(body)
            kind = "application/octet-stream" if is_file else "application/json"
            connection.request(method, path, sent, {"Content-Type": kind})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DaemonSilent(self._silent(error)) from None
        finally:
            connection.close()
        return _value_of(answer, data), _total_of(answer)

    def _connected(self, start_s: float) -> socket.socket:
        """Connect; where somebody holds the home but nobody listens yet, try for so long."""
        tries = max(1, round(start_s / POLL_S))
        for _ in range(tries):
            try:
                return _connect(self._home)
            except TimeoutError as error:
                raise DaemonSilent(self._silent(error)) from None
            except PermissionError:
                text = f"{self._home.control_socket}: permission denied; ask as the user the daemon runs as"
                raise DaemonDown(text, is_held=True) from None
            except OSError:
                if tries == 1 or holder(self._home) is None:
                    break
            time.sleep(POLL_S)
        raise self._down()

    def _down(self) -> DaemonDown:
        pid = holder(self._home)
        if pid is None:
            return DaemonDown(f"no daemon is running at {self._home.folder}", is_held=False)
        who = f"process {pid}" if pid > 0 else "a process"
        return DaemonDown(f"{who} holds {self._home.folder}, but does not answer", is_held=True)

    def _silent(self, error: Exception) -> str:
        what = "in time" if isinstance(error, TimeoutError) else f"({error or type(error).__name__})"
        return (
            f"the daemon at {self._home.folder} gave no answer {what}; it may have done what was asked. "
            "`nightdesk tasks` and `nightdesk history` tell; with --key it is safe to ask again"
        )


class _UnixConnection(http.client.HTTPConnection):
    """HTTP on a socket that is connected already."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__("localhost")
        self.sock = connected

    def connect(self) -> None:
        raise http.client.NotConnected  # the one connection it had is used up

    def wait_for(self, seconds: float) -> None:
        self.sock.settimeout(seconds)


def _connect(home: Home) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ANSWER_S)
        with socket_address(home.control_socket) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _with_query(path: str, query: Mapping[str, Any] | None) -> str:
    chosen = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def _value_of(answer: http.client.HTTPResponse, data: bytes) -> Any:
    try:
        value = from_json(data)
    except NotJson:
        raise Refused(answer.status, f"the daemon answered {answer.status} and no JSON") from None
    if answer.status < 400 or (answer.status == 503 and "detail" not in value):
        return value
    raise Refused(answer.status, str(value.get("detail") or f"the daemon answered {answer.status}"))


def _total_of(answer: http.client.HTTPResponse) -> int | None:
    total = answer.getheader(TOTAL_HEADER)
    return int(total) if total is not None and total.isdigit() else None


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")
