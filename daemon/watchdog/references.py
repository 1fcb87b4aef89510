"""Secrets fetched from where they are kept: `env:NAME`, or `file:PATH`."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.secret import Secret

LONGEST_SECRET = 64 * 1024  # bytes; a key file in PEM form is a tenth of it


def resolved(value: Any, folder: Path, environ: Mapping[str, str]) -> Any:
    """A value with every reference in it followed; lists and objects part by part.

    Raises:
        ValueError: there is nothing where it points; the text names the place and never the secret.
    """
    if isinstance(value, list):
        return [resolved(inner, folder, environ) for inner in value]
    if isinstance(value, dict):
        return {key: resolved(inner, folder, environ) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    kind, colon, name = value.partition(":")
    if not colon or kind not in ("env", "file"):
        return value
    if kind == "env":
        return Secret(_variable(name, environ))
    # systemd hands credentials over in a folder of its own.
    return Secret(_content(Path(environ.get("CREDENTIALS_DIRECTORY") or folder, name)))


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if not (text := environ.get(name, "").strip("\r\n")):
        state = "is empty" if name in environ else "is not set"
        raise ValueError(
            f"the environment variable {name[:60]} {state}; set it where the watchdog is started"
        )
    return text


def _content(path: Path) -> str:
    try:
        # A device would never end and a pipe would block; O_NONBLOCK opens the pipe, to refuse it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'no path'}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no plain file")
        data = os.read(descriptor, LONGEST_SECRET + 1)
        text = data.decode().strip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    finally:
        os.close(descriptor)
    if not text or len(data) > LONGEST_SECRET:
        raise ValueError(f"{path} is {'empty' if not text else 'longer than any secret'}")
    return text
