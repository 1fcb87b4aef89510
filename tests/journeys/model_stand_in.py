"""A language model that answers as OpenAI's do, or refuses as it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.handlers.llm.llm_servers import openai_answer, openai_error

PROSE = "The shop had a quiet day, and nothing in its figures asks for more than a look."
RETRY_AFTER_S = 600
HANGS_FOR_S = 60.0


class Mood(StrEnum):
    """How whoever asks is dealt with."""

    WELL = "well"
    UNPAID = "unpaid"  # 401
    BUSY = "busy"  # 429, and a long Retry-After
    SILENT = "silent"


@dataclass
class Model:
    """One server, and how often it was asked."""

    name: str
    mood: Mood
    asked: int = 0
    port: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def entry(self) -> dict[str, Any]:
        """A provider's entry in the config; who hangs is given up after a second."""
        base = f"http://127.0.0.1:{self.port}/v1"
        return {"name": self.name, "type": "openai", "baseUrl": base, "model": "m", "timeout": "1s"}

    def answer(self) -> tuple[int, str, dict[str, str]]:
        """The status, the body and the headers of an answer."""
        self.asked += 1
        if self.mood is Mood.SILENT:
            self.is_over.wait(HANGS_FOR_S)
        if self.mood is Mood.UNPAID:
            return 401, openai_error("invalid_api_key"), {}
        if self.mood is Mood.BUSY:
            return 429, openai_error("rate_limit_exceeded"), {"Retry-After": str(RETRY_AFTER_S)}
        return 200, json.dumps(openai_answer(PROSE)), {}


@contextmanager
def model(name: str, mood: Mood) -> Iterator[Model]:
    """Have one for as long as the block runs."""
    made = Model(name, mood)

    class Receiver(BaseHTTPRequestHandler):
        """Answers as the model is in the mood to."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body, headers = made.answer()
            try:
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body.encode())
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield made
        finally:
            made.is_over.set()
            server.shutdown()
            thread.join()
