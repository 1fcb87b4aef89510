"""Fetch secrets from where they are kept: the environment, or a file of their own."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ValidationInfo as Info

from daemon.config.problems import quoted
from daemon.config.values import Kind
from daemon.secret import Secret

LONGEST_SECRET = 64 * 1024  # bytes; a key file in PEM form is a tenth of it
LONGEST_PATH = 1000  # characters of a path that a message repeats; a cut one would help nobody
NEVER_IN_THE_FILE = 'a secret is never in the file; write "env:NAME" or "file:PATH"'
REFERENCE_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = re.compile(r"://[^@]*:[^@]+@|[?&;]password=", re.IGNORECASE)
_REFERENCE = re.compile(r"(env|file):")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where references to secrets are looked up; pydantic hands it to every check."""

    folder: Path  # the config's own
    environ: Mapping[str, str]


def is_reference(value: object) -> bool:
    """Whether a value stands for a secret kept elsewhere."""
    return isinstance(value, str) and _REFERENCE.match(value) is not None


def resolve_secret(reference: str, around: Surroundings) -> Secret:
    """Fetch what `env:NAME` or `file:PATH` stands for; a line end after it is no part of it.

    A path is relative to the folder that systemd hands credentials in, or else to the config's.

    Raises:
        ValueError: there is nothing there, or it cannot be read; the text never holds the secret.
    """
    kind, _, name = reference.partition(":")
    if kind == "file":
        folder = around.environ.get("CREDENTIALS_DIRECTORY") or around.folder
        return Secret(_read_secret(Path(folder, name)))
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{quoted(name)} cannot be the name of an environment variable; write env:NAME")
    if not (text := around.environ.get(name, "").strip("\r\n")):
        state = "is empty" if name in around.environ else "is not set"
        raise ValueError(f"the environment variable {name} {state}; set it where the daemon is started")
    return Secret(text)


def _read_secret(path: Path) -> str:
    name = quoted(str(path), longest=LONGEST_PATH)
    try:
        # A device would never end and a pipe would block; O_NONBLOCK opens the pipe, to refuse it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{name} is no plain file")
        data = os.read(descriptor, LONGEST_SECRET + 1)
        text = data.decode().strip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8 text") from None
    finally:
        os.close(descriptor)
    if not text:
        raise ValueError(f"{name} is empty; write the secret into it")
    if len(data) > LONGEST_SECRET:
        raise ValueError(f"{name} is longer than {LONGEST_SECRET // 1024} KiB, which no secret is")
    return text


def _secret(value: object, info: Info[Surroundings]) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) and is_reference(value):
        return resolve_secret(value, info.context)
    raise ValueError(NEVER_IN_THE_FILE)


def _address(value: object, info: Info[Surroundings]) -> Secret:
    """An address may stand in the file as long as it holds no password."""
    if isinstance(value, str) and not is_reference(value):
        if _has_password(value):
            raise ValueError(f"this address holds a password; {NEVER_IN_THE_FILE}")
        address = Secret(value)
    elif isinstance(value, str | Secret):
        address = _secret(value, info)
    else:
        raise ValueError('an address is wanted, as text in quotes, or "env:NAME"')
    if "://" not in address.reveal():
        raise ValueError("this is no address; write one as in scheme://host:port/name")
    return address


def _has_password(address: str) -> bool:
    return _PASSWORD.search(address) is not None


def _redis_address(value: object, info: Info[Surroundings]) -> Secret:
    address = _address(value, info)
    if not address.reveal().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a Redis address begins with redis://, rediss:// or unix://")
    return address


def _ledger_address(value: object, info: Info[Surroundings]) -> object:
    if value == "sqlite" or (isinstance(value, Secret) and value.reveal() == "sqlite"):
        return "sqlite"
    address = _address(value, info)
    if not address.reveal().startswith(("postgresql://", "postgres://")):
        raise ValueError('a ledger is "sqlite", or an address that begins with postgresql://')
    return address


SecretText = Annotated[
    Secret, Kind(_secret, needs_surroundings=True, type="string", pattern=REFERENCE_PATTERN)
]
Address = Annotated[Secret, Kind(_address, needs_surroundings=True, type="string")]
RedisAddress = Annotated[Secret, Kind(_redis_address, needs_surroundings=True, type="string")]
LedgerAddress = Annotated[
    Secret | Literal["sqlite"], Kind(_ledger_address, needs_surroundings=True, type="string")
]
