"""The control socket: the API for whoever owns the home, and for nobody else."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from daemon.web.address import socket_address

BACKLOG = 128
SOCKET_MODE = 0o600


@contextlib.contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """A socket at `path` that only the owner can reach; at no instant is it there and open to others.

    What an earlier daemon left behind is replaced: the lock of the home is ours.

    Raises:
        OSError: the socket cannot be made.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    temp.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        with socket_address(temp) as address:
            listening.bind(address)
        try:
            temp.chmod(SOCKET_MODE)
            listening.listen(BACKLOG)  # before it has its name: who finds it can connect to it
            temp.rename(path)
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        ours = path.stat().st_ino
        try:
            yield listening
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()
