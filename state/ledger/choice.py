"""Which ledger an address in the config means."""

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
    if url in ("", "sqlite"):
        ledger: Ledger = resolve_name(LEDGERS["sqlite"])(home.folder / "ledger.db", home.backups)
        return ledger
    if url.startswith(_SCHEMES):
        ledger = resolve_name(LEDGERS["postgres"])(url)
        return ledger
    raise LedgerError('ledger.url is neither "sqlite" nor postgresql://…')
