"""A bare aiohttp handler for each body: what the library costs when there is nothing else to do."""

import os
import socket
import sys
from pathlib import Path

import uvloop
from aiohttp import web


def main() -> None:
    """Serve the files of a folder, each at its name, on the port that is named; ready as to systemd."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    app = web.Application()
    for path in folder.iterdir():
        app.router.add_get(f"/{path.name}", _answering(path.read_bytes()))
    app.on_startup.append(_tell)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def _answering(body: bytes) -> "web.Handler":
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return answer


async def _tell(_: web.Application) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(b"READY=1", "\0" + os.environ["NOTIFY_SOCKET"].removeprefix("@"))


if __name__ == "__main__":
    main()
