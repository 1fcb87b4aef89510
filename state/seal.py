"""A checksum beside a file that nobody writes to any more; `sha256sum -c` reads it too.

SQLite's own check finds what is out of shape. A letter changed inside a stored text it cannot see.
"""

import hashlib
from pathlib import Path

from state.disk import sync_folder, write_atomically

SEAL_SUFFIX = ".sha256"


def seal_of(path: Path) -> Path:
    """Where the seal of a file is kept."""
    return path.with_name(path.name + SEAL_SUFFIX)


def seal(path: Path, *, named: str | None = None) -> Path:
    """Write down what a file holds now; `named` is the name it is about to be given.

    Raises:
        OSError: there is no seal, which only means that less will be noticed.
    """
    name = named or path.name
    sealed = seal_of(path.with_name(name))
    # Twice: a seal whose lines differ is damaged itself, and says nothing.
    write_atomically(sealed, f"{_digest(path)}  {name}\n".encode() * 2)
    return sealed


def unseal(path: Path) -> None:
    """Take the seal off before a file is written to, durably: an old seal would call the new file damaged."""
    sealed = seal_of(path)
    if sealed.exists():
        sealed.unlink(missing_ok=True)
        sync_folder(path.parent)


def is_seal_broken(path: Path) -> bool:
    """Whether a file differs from what its seal says; one without a readable seal does not."""
    said = _said(path)
    # A seal that is gone by the second look was taken off meanwhile, by the daemon that starts.
    return said is not None and _digest(path) != said and _said(path) == said


def _said(path: Path) -> str | None:
    try:
        lines = seal_of(path).read_text().splitlines()
    except (OSError, ValueError):
        return None
    if len(lines) != 2 or lines[0] != lines[1]:
        return None
    return lines[0][: hashlib.sha256().digest_size * 2]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
