"""The address of the control socket: a path, however long it is."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# Linux takes 107 bytes; a home deep in a tree of folders has more.
LONGEST_ADDRESS = 100


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Give an address short enough for the kernel; it holds for as long as the block runs.

    Raises:
        OSError: the folder of the socket cannot be opened.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
