"""What a ledger that cannot answer says. No text holds an address or a password."""

from datetime import timedelta


class LedgerError(Exception):
    """The ledger refused; nothing of the call is kept. Trying again does not help by itself."""


class LedgerDown(LedgerError):
    """It cannot be reached, or does not answer in time. Whether the call was kept is not known.

    Every call may be repeated: what it had done already is not done again.
    """

    def __init__(self, reason: str, *, retry_after: timedelta = timedelta(seconds=2)) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class LedgerFull(LedgerError):
    """Its disk is full. What was stored is whole, and new work is taken once there is space."""


class LedgerReadOnly(LedgerError):
    """It takes no writes just now: a standby, or a file that may not be written."""


class LedgerDamaged(LedgerError):
    """The file is not what was written to it."""


class LedgerTooNew(LedgerError):
    """A newer version has been at work on it; this one must not write to it."""


class LedgerConflict(LedgerError):
    """What may be there only once is there already, and says something else."""
