"""A line that tells how far a long work has come: only at a terminal, and gone when the work is done."""

import sys
from types import TracebackType

from daemon.cli.tables import clean, cut

_ERASE = "\r\x1b[K"


class Progress:
    """Shows one line on stderr, over and over. Where stderr is no terminal, nothing."""

    def __init__(self, width: int = 79) -> None:
        self._width = width
        self._is_shown = sys.stderr.isatty()
        self._is_dirty = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_dirty:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()

    def show(self, text: str) -> None:
        """Put a text in place of the last one."""
        if self._is_shown:
            self._is_dirty = True
            sys.stderr.write(_ERASE + cut(clean(text), self._width))
            sys.stderr.flush()
