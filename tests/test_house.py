"""The rules of the house that neither the linter nor the type checker knows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import pytest

import daemon.cli
import daemon.notify
import handlers
import handlers.llm
import handlers.reporting.sources
import state.ledger

PROJECT = Path(__file__).parents[1]
STOREYS = ("state", "daemon", "handlers")
LONGEST_FUNCTION = 60
LONGEST_FILE = 400

# What may break a rule, and why. A line here wants a reason that would convince a stranger.
LONG_FILES: Mapping[str, str] = {}
LONG_FUNCTIONS: Mapping[str, str] = {}
PRINTING = {"daemon/logs.py": "says on stderr that the log itself cannot be written"}
READING_TIME = {"daemon/clock.py": "it is the clock"}
SLEEPING = {
    "daemon/clock.py": "it is the clock",
    "state/home.py": "tries again for the lock, a moment, before there is any loop",
    "daemon/cli/client.py": "a command that waits for a starting daemon has no loop to hold up",
}
LOOPING = {"daemon/loops.py": "it is the loop"}
MAKING_JSON = {
    "state/codec.py": "it is the codec",
    "state/home.py": "commands that load nothing else read the lock file",
    "daemon/config/positions.py": "a reader of its own, since no other knows lines",
    "daemon/config/problems.py": "shows values as they stand in the file",
    "daemon/config/schema.py": "files for people, indented",
    "daemon/watch/beat.py": "is read by the second process, which has the standard library alone",
    "daemon/watchdog/plain_json.py": "is the codec of the second process",
}

TABLES: Mapping[str, Iterable[str]] = {
    "daemon.notify.CHANNELS": daemon.notify.CHANNELS.values(),
    "handlers.HANDLERS": handlers.HANDLERS.values(),
    "handlers.llm.PROVIDERS": handlers.llm.PROVIDERS.values(),
    "handlers.reporting.sources.SOURCES": handlers.reporting.sources.SOURCES.values(),
    "state.ledger.LEDGERS": state.ledger.LEDGERS.values(),
    "daemon.cli.COMMANDS": [row.command for row in daemon.cli.COMMANDS.values()],
}
ROWS = [(table, name) for table, names in TABLES.items() for name in names]

NOW = re.compile(
    r"(?:^|\.)(?:datetime\.(?:now|utcnow|today)|date\.today|\w*loop(?:\(\))?\.time"
    r"|time\.(?:time|monotonic|perf_counter|process_time|clock_gettime|localtime|gmtime)(?:_ns)?)$"
)
SLEEP = re.compile(r"^(?:asyncio|time)\.sleep$")
WAIT = re.compile(r"(?:^|\.)(?:sleep|wait|wait_until|wait_for)$")
FORBIDDEN = """at = datetime.now(UTC)
at = time.time()
at = datetime.date.today()
at = asyncio.get_running_loop().time()
read = time.monotonic_ns
while True:
    await self._event.wait()
while 1:
    await asyncio.sleep(1)
while True:
    at = clock.now() + self._clock.monotonic() + await queue.get()
@pytest.mark.skipif(True, reason="never")
def test() -> None:
    pytest.skip("never")
"""
SKIP = re.compile(r"^(?:pytest\.(?:skip|xfail|importorskip|mark\.(?:skip|skipif|xfail))|unittest\.skip\w*)$")
JSON_MODULES = {"json", "orjson", "msgspec.json"}


def test_no_file_is_too_long_to_be_read() -> None:
    long = {name: len(text.splitlines()) for name, text in everything().items()}
    assert offenders(LONG_FILES, {f"{name}: {n} lines" for name, n in long.items() if n > LONGEST_FILE}) == []


def test_no_function_is_too_long_to_be_read() -> None:
    found = set()
    for name, text in everything().items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    found.add(f"{name}: {node.name} has {lines} lines")
    assert offenders(LONG_FUNCTIONS, found) == []


def test_every_file_begins_by_saying_what_it_is() -> None:
    for name, text in everything().items():
        said = ast.get_docstring(parsed(text))
        assert said, f"{name} has no docstring"
        assert said.splitlines()[0][-1] in ".:", f"{name}: the first line is not a sentence that ends"


def test_only_the_clock_reads_the_time() -> None:
    found = set(uses(NOW))
    for name, module, line in imports():
        if module.startswith("time."):
            found.add(f"{name}:{line}: {module} under another name")
    assert offenders(READING_TIME, found) == []


def test_only_the_clock_sleeps() -> None:
    assert offenders(SLEEPING, uses(SLEEP)) == []


def test_only_one_loop_waits_for_ever() -> None:
    found = set()
    for name, text in sources().items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.While) and is_endless(node) and waits(node):
                found.add(
                    f"{name}:{node.lineno}: an endless loop that waits; make it a part for loops.repeat"
                )
    assert offenders(LOOPING, found) == []


def test_only_the_command_line_prints() -> None:
    found = {use for use in uses(re.compile(r"^print$")) if not use.startswith("daemon/cli/")}
    assert offenders(PRINTING, found) == []


def test_json_is_made_and_read_in_one_place() -> None:
    found = {f"{name}:{line}: {module}" for name, module, line in imports() if module in JSON_MODULES}
    assert offenders(MAKING_JSON, found) == []


@pytest.mark.parametrize(("table", "name"), ROWS, ids=[name for _, name in ROWS])
def test_every_row_of_every_table_is_there(table: str, name: str) -> None:
    assert callable(resolve_name(name)), f"{table}: {name}"


def test_arrows_point_down_only() -> None:
    # In a process of its own: it turns the loggers off that other tests listen to.
    linter = Path(sys.executable).with_name("lint-imports")
    judged = subprocess.run([linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout


def test_no_test_is_skipped_or_excused() -> None:
    tests = {name: text for name, text in everything().items() if name.startswith("tests/")}
    assert sorted(uses(SKIP, tests)) == []


def test_tests_are_no_package_and_their_names_are_their_own() -> None:
    files = [path for path in (PROJECT / "tests").rglob("*.py") if path.name.startswith("test_")]
    names = [path.name for path in files]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert sorted((PROJECT / "tests").rglob("__init__.py")) == []


def test_the_readme_walks_through_every_folder() -> None:
    readme = PROJECT / "README.md"
    assert readme.is_file(), "README.md is missing"
    text = readme.read_text()
    made = {"var", "build", "dist", "node_modules", "__pycache__"}
    folders = [
        path.name
        for path in PROJECT.iterdir()
        if path.is_dir() and path.name not in made and not path.name.endswith(".egg-info")
        if not path.name.startswith(".") or path.name == ".ci"
    ]
    assert [name for name in sorted(folders) if f"{name}/" not in text] == []


def test_the_rules_see_what_they_forbid() -> None:
    forbidden = {"bad.py": FORBIDDEN}
    seen = [use.removeprefix("bad.py:") for pattern in (NOW, SLEEP, SKIP) for use in uses(pattern, forbidden)]
    assert sorted(int(use.split(":")[0]) for use in seen) == [1, 2, 3, 4, 5, 9, 12, 14]
    loops = [node for node in ast.walk(parsed(FORBIDDEN)) if isinstance(node, ast.While)]
    assert [node.lineno for node in loops if is_endless(node) and waits(node)] == [6, 8]


def offenders(excused: Mapping[str, str], found: Iterable[str]) -> list[str]:
    """What was found in files that have no excuse, and the excuses that nobody needs any more."""
    files = {one: re.split(r":(?=[ \d])", one)[0] for one in found}
    needless = set(excused) - set(files.values())
    without = [one for one, file in files.items() if file not in excused]
    return sorted(without) + sorted(f"{name} is excused without need" for name in needless)


def uses(pattern: re.Pattern[str], texts: Mapping[str, str] | None = None) -> Iterator[str]:
    """Where a dotted name that the pattern knows is used."""
    for name, text in (sources() if texts is None else texts).items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.Attribute | ast.Name) and pattern.search(used := ast.unparse(node)):
                yield f"{name}:{node.lineno}: {used}"


def imports() -> Iterator[tuple[str, str, int]]:
    """Every import of the sources: file, module, line; of `from a import b` both a and a.b."""
    for name, text in sources().items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield name, node.module, node.lineno
                yield from ((name, f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def is_endless(loop: ast.While) -> bool:
    return isinstance(loop.test, ast.Constant) and bool(loop.test.value)


def waits(loop: ast.While) -> bool:
    awaited = (node.value for node in ast.walk(loop) if isinstance(node, ast.Await))
    return any(isinstance(value, ast.Call) and WAIT.search(ast.unparse(value.func)) for value in awaited)


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def sources() -> dict[str, str]:
    """The three storeys: each file by its path in the project."""
    return _read(*STOREYS)


@cache
def everything() -> dict[str, str]:
    """All Python in the project."""
    return _read(*STOREYS, "tests", "benchmarks")


def _read(*folders: str) -> dict[str, str]:
    paths = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]
    return {path.relative_to(PROJECT).as_posix(): path.read_text() for path in paths}
