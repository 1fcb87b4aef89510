"""Which route a request is for: by its method, and by the parts of its path."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from daemon.config.problems import quoted
from daemon.web.problems import Refusal
from daemon.web.route import Route

LONGEST_PART = 1000
Parts = tuple[str, ...]


class Match(NamedTuple):
    """A route, and what stands in its path for the names in braces."""

    route: Route
    names: Mapping[str, str]


class Router:
    """The table of routes, arranged to be searched."""

    def __init__(self, routes: Iterable[Route]) -> None:
        paths: dict[str, dict[str, Route]] = {}
        for route in routes:
            paths.setdefault(route.path, {})[route.method] = route
        self._plain = {path: methods for path, methods in paths.items() if "{" not in path}
        patterns = [(_parts(path), methods) for path, methods in paths.items() if "{" in path]
        # Where several fit, the one that says more by itself is meant.
        patterns.sort(key=lambda it: sum(_is_name(part) for part in it[0]))
        self._patterns: dict[int, list[tuple[Parts, dict[str, Route]]]] = {}
        for parts, methods in patterns:
            self._patterns.setdefault(len(parts), []).append((parts, methods))

    def find(self, method: str, raw_path: str) -> Match:
        """The route for a path as it was sent, with its percent signs.

        Raises:
            Refusal: there is no such path (404), or it is not asked so (405).
        """
        methods, names = self._methods(raw_path)
        # HEAD is a GET of which only the headers are sent.
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
            asked = quoted(f"{method} {raw_path}", LONGEST_PART)
            text = f"{asked} is not how this is asked; {allowed} is"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, text, {"Allow": allowed})
        return Match(route, names)

    def _methods(self, raw_path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        if (plain := self._plain.get(raw_path)) is not None:
            return plain, {}
        asked = _parts(raw_path)
        for parts, methods in self._patterns.get(len(asked), ()):
            if (names := _fit(parts, asked)) is not None:
                return methods, names
        raise Refusal(HTTPStatus.NOT_FOUND, f"nothing is to be found at {quoted(raw_path, LONGEST_PART)}")


def _parts(path: str) -> Parts:
    return tuple(path.split("/"))


def _is_name(part: str) -> bool:
    return part.startswith("{")


def _fit(parts: Parts, asked: Parts) -> dict[str, str] | None:
    """What stands for the names, where the path is this one; None where it is not."""
    names = {}
    for part, given in zip(parts, asked, strict=True):
        if not _is_name(part):
            if part != given:
                return None
        else:
            try:
                names[part[1:-1]] = unquote(given, errors="strict")
            except UnicodeDecodeError:
                return None
            if not given:
                return None
    return names
