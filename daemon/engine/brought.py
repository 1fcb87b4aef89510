"""Periodic parts that handler packages bring along: stepped and watched like the daemon's own."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from daemon.engine.registry import PackageProblem

if TYPE_CHECKING:
    from daemon.context import Services
    from daemon.loops import Periodic

TABLE = "PARTS"  # what a package may offer beside its handlers: name -> "package.module:maker"

# Makes a part. What it is handed answers with the house as it is now, which is another one after a reload.
Maker = Callable[[Callable[[], "Services"]], "Periodic"]


def load_parts(packages: Sequence[str]) -> tuple[dict[str, Maker], list[PackageProblem]]:
    """The makers of what these packages offer, and what is wrong with the tables of others.

    The handlers are loaded before: a package that could not be imported then has been told of.
    """
    makers: dict[str, Maker] = {}
    problems: list[PackageProblem] = []
    for position, package in enumerate(packages):
        table = getattr(sys.modules.get(package), TABLE, {})
        if not isinstance(table, Mapping):
            told = f'"{package}" has a {type(table).__name__} for {TABLE}'
            problems.append(PackageProblem(position, f'{told}; write {TABLE} = {{"name": "module:maker"}}'))
            continue
        for name, where in table.items():
            try:
                makers[str(name)] = resolve_name(where)
            # Other people's code runs here, as it does where handlers are loaded.
            except (Exception, SystemExit) as error:
                told = f'"{name}" in {TABLE} of "{package}" is "{where}", which cannot be had'
                problems.append(PackageProblem(position, f"{told}: {type(error).__name__}: {error}"))
    return makers, problems
