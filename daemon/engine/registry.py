"""Load handlers from the packages that the config names, ours through the same door as anybody's."""

import importlib
import pkgutil
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from daemon.engine.handler import Handler

TABLE = "HANDLERS"  # what a package may offer: name -> Handler, or where it is ("package.module:attribute")
MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
HANDLER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LONGEST_ERROR = 200  # characters of an error that a message repeats


class PackageProblem(NamedTuple):
    """What is wrong with one package: its place in the list, and a sentence for the operator."""

    position: int
    text: str


class RegistryError(Exception):
    """Handlers could not be loaded. `loaded` holds those that could, for checks that go on."""

    def __init__(self, problems: Sequence[PackageProblem], loaded: Mapping[str, Handler]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = tuple(problems)
        self.loaded = dict(loaded)


class _Refusal(Exception):
    """One thing that is wrong, as a sentence."""


def load_handlers(packages: Sequence[str], search_folder: Path) -> dict[str, Handler]:
    """Import every package and gather its handlers by name.

    A package's `HANDLERS` table says what it offers; without one, every `Handler` in it and in its
    direct submodules is taken. `search_folder` joins the end of the import path, once.

    Raises:
        RegistryError: whatever keeps a handler from being loaded, of all packages together.
    """
    if str(search_folder) not in sys.path:
        sys.path.append(str(search_folder))
    importlib.invalidate_caches()
    loaded: dict[str, Handler] = {}
    origins: dict[str, str] = {}
    problems: list[PackageProblem] = []
    for index, package in enumerate(packages):
        try:
            found, refusals = _offered_by(package, search_folder)
        except _Refusal as refusal:
            found, refusals = [], [str(refusal)]
        for handler in found:
            if loaded.setdefault(handler.name, handler) is handler:
                origins.setdefault(handler.name, package)
            else:
                refusals.append(
                    f'"{package}" has a handler named "{handler.name}", and so has'
                    f' "{origins[handler.name]}"; rename one'
                )
        problems += [PackageProblem(index, text) for text in refusals]
    if problems:
        raise RegistryError(problems, loaded)
    return loaded


def _offered_by(package: str, search_folder: Path) -> tuple[list[Handler], list[str]]:
    module = _import(package, package, search_folder)
    table = getattr(module, TABLE, None)
    if table is not None:
        return _from_table(package, table, search_folder)
    found = _handlers_in(module)
    for inner in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if not inner.name.startswith("_"):  # __main__ would run the program
            found += _handlers_in(_import(f"{package}.{inner.name}", package, search_folder))
    if not found:
        raise _Refusal(f'"{package}" has no handlers; put @handler("name") above an async function in it')
    return list({id(handler): handler for handler in found}.values()), []


def _from_table(package: str, table: object, search_folder: Path) -> tuple[list[Handler], list[str]]:
    if not isinstance(table, Mapping):
        raise _Refusal(
            f'"{package}" has a {type(table).__name__} for {TABLE};'
            f' write {TABLE} = {{"name": "package.module:attribute"}}'
        )
    found, refusals = [], []
    for name, offer in table.items():
        try:
            found.append(_resolve(str(name), offer, package, search_folder))
        except _Refusal as refusal:
            refusals.append(str(refusal))
    return found, refusals


def _resolve(name: str, offer: object, package: str, search_folder: Path) -> Handler:
    where = f'"{name}" in {TABLE} of "{package}"'
    if isinstance(offer, str):
        module_name, _, attribute = offer.partition(":")
        if not attribute:
            raise _Refusal(f'{where} is "{offer}"; write it as "package.module:attribute"')
        module = _import(module_name, package, search_folder)
        if not hasattr(module, attribute):
            raise _Refusal(f'{where} is "{offer}", but that module has no "{attribute}"')
        offer = getattr(module, attribute)
    if not isinstance(offer, Handler):
        raise _Refusal(f'{where} is a {type(offer).__name__} and no handler; put @handler("{name}") above it')
    if offer.name != name:
        raise _Refusal(f'{where} calls itself "{offer.name}"; use one name in both places')
    _check_name(offer, package)
    return offer


def _handlers_in(module: ModuleType) -> list[Handler]:
    found = [value for value in vars(module).values() if isinstance(value, Handler)]
    for handler in found:
        _check_name(handler, module.__name__)
    return found


def _check_name(handler: Handler, package: str) -> None:
    if not HANDLER_NAME.fullmatch(handler.name):
        raise _Refusal(
            f'"{package}" has a handler named {handler.name!r}; a name has up to 100 letters, digits, dots,'
            " dashes and underscores and begins with a letter or digit"
        )


def _import(name: str, package: str, search_folder: Path) -> ModuleType:
    if not MODULE_NAME.fullmatch(name):
        raise _Refusal(
            f'"{name}" cannot be the name of a package; write it as in "mine" or "mine.jobs", not as a path'
        )
    # Other people's code runs here and may raise anything, even SystemExit; whatever it is, the operator
    # is told where, and the other packages are still looked at.
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise _Refusal(_not_found(name, package, search_folder)) from None
        raise _Refusal(f'"{name}" cannot be imported: {_told(error)}') from None


def _not_found(name: str, package: str, search_folder: Path) -> str:
    if name != package:
        return f'"{package}" names "{name}", and there is no such module'
    near = get_close_matches(name, _modules_in(search_folder), n=1)
    hint = f'; did you mean "{near[0]}"?' if near else "; install it, or put it beside the config"
    return f'there is no package "{name}" in {search_folder} or among the installed ones{hint}'


def _modules_in(folder: Path) -> list[str]:
    return ["handlers", *(module.name for module in pkgutil.iter_modules([str(folder)]))]


def _told(error: BaseException) -> str:
    """Say what was raised and where: the innermost line that is not the import machinery's own."""
    text = " ".join(str(error).split())[:LONGEST_ERROR]
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {text}{where}"
