"""Which ledger an address in the config means."""

from pathlib import Path
from pkgutil import resolve_name

from state.home import Home
from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError

_SCHEMES = ("postgresql://", "postgres://")


def make_ledger(url: str, home: Home) -> Ledger:
    """Make the ledger that `ledger.url` names; it is not opened yet.

    Raises:
        LedgerError: it names none; the text does not repeat it.
    """
    given: tuple[str | Path, ...]
    if url in ("", "sqlite"):
        kind, given = "sqlite", (home.ledger, home.backups)
    elif url.startswith(_SCHEMES):
        kind, given = "postgres", (url,)
    else:
        raise LedgerError('ledger.url is neither "sqlite" nor postgresql://…')
    ledger: Ledger = resolve_name(LEDGERS[kind])(*given)
    return ledger
