"""The names of all companies, looked for in one company's prose."""

from collections.abc import Iterable

_EDGES = "\"'()[]{}.,;:!?…“”‘’«»-–—*_"
LONGEST_NAME = 8  # words; of a longer name the first ones are looked for


class Names:
    """Every company's name and id, made once for all reports.

    They are found as they are written, as whole words: "Delta" is not found in "delta" or "Deltas".
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._known = {key for key in map(_words, names) if key}
        self._longest = max(map(len, self._known), default=0)

    def found_in(self, text: str, allowed: Iterable[str]) -> str | None:
        """The first name in a text that stands in none of the texts which are allowed, if there is one."""
        here = self._in(text)
        if not here:
            return None
        ours = {name for known in allowed for name in self._in(known)}
        return next((" ".join(name) for name in here if name not in ours), None)

    def _in(self, text: str) -> list[tuple[str, ...]]:
        words = [bare for word in text.split() if (bare := _bare(word))]
        spans = ((at, length) for at in range(len(words)) for length in range(1, self._longest + 1))
        return [key for at, length in spans if (key := tuple(words[at : at + length])) in self._known]


def _words(name: str) -> tuple[str, ...]:
    return tuple(bare for word in name.split() if (bare := _bare(word)))[:LONGEST_NAME]


def _bare(word: str) -> str:
    """The word without what surrounds it; "Delta's" is Delta."""
    return word.strip(_EDGES).removesuffix("'s").removesuffix("’s")
