"""Handlers come in by name, from anybody's package, and whatever is wrong is told."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.engine.registry import RegistryError, load_handlers

ONE = """
    from daemon.engine.handler import Done, handler

    @handler("{name}", cron="30 3 * * *")
    async def work(ctx):
        '''Do the work.'''
        return Done()
"""


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Forget the packages a test made: the next test makes others of the same name."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def refused(folder: Path, *packages: str) -> list[str]:
    with pytest.raises(RegistryError) as raised:
        load_handlers(packages, folder)
    return [problem.text for problem in raised.value.problems]


def test_a_module_beside_the_config_brings_its_handlers(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="tidy-up"))
    handlers = load_handlers(["mine"], tmp_path)
    assert list(handlers) == ["tidy-up"]
    assert (handlers["tidy-up"].cron, handlers["tidy-up"].summary) == ("30 3 * * *", "Do the work.")


def test_a_package_without_a_table_brings_those_of_its_modules_each_once(tmp_path: Path) -> None:
    write(tmp_path, "mine/__init__.py", "from mine.one import work")
    write(tmp_path, "mine/one.py", ONE.format(name="one"))
    write(tmp_path, "mine/two.py", ONE.format(name="two"))
    write(tmp_path, "mine/__main__.py", "raise SystemExit('this must not be run')")
    write(tmp_path, "mine/deeper/inner/three.py", ONE.format(name="three"))
    assert set(load_handlers(["mine"], tmp_path)) == {"one", "two"}


def test_a_table_says_what_a_package_offers_and_nothing_else_is_imported(tmp_path: Path) -> None:
    write(tmp_path, "mine/__init__.py", 'HANDLERS = {"one": "mine.one:work"}')
    write(tmp_path, "mine/one.py", ONE.format(name="one"))
    write(tmp_path, "mine/two.py", "raise RuntimeError('this must not be imported')")
    assert set(load_handlers(["mine"], tmp_path)) == {"one"}


def test_a_table_may_hold_the_handlers_themselves(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="one") + "\n    HANDLERS = {'one': work}")
    assert set(load_handlers(["mine"], tmp_path)) == {"one"}


def test_the_folder_joins_the_import_path_once_and_last(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="one"))
    write(
        tmp_path,
        "json.py",
        "raise RuntimeError('a file beside the config must not stand before the library')",
    )
    load_handlers(["mine"], tmp_path)
    load_handlers(["mine"], tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[-1] == str(tmp_path)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="same"))
    write(tmp_path, "yours.py", ONE.format(name="same"))
    assert refused(tmp_path, "mine", "yours") == [
        '"yours" has a handler named "same", and so has "mine"; rename one'
    ]


def test_the_same_package_named_twice_is_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="one"))
    assert set(load_handlers(["mine", "mine"], tmp_path)) == {"one"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def broken(:\n    pass", '"mine" cannot be imported: SyntaxError: invalid syntax ({file}:1)'),
        (
            "def made():\n    return 1 / 0\n\nmade()",
            '"mine" cannot be imported: ZeroDivisionError: division by zero ({file}:2)',
        ),
        (
            "\nimport a_library_not_there",
            '"mine" cannot be imported: ModuleNotFoundError:'
            " No module named 'a_library_not_there' ({file}:2)",
        ),
        ("raise SystemExit(3)", '"mine" cannot be imported: SystemExit: 3 ({file}:1)'),
        (
            "from daemon.engine.handler import handler\n@handler('a', timeout='soon')\nasync def a(ctx): ...",
            "\"mine\" cannot be imported: ValueError: 'soon' is no duration; write a number and a unit,"
            ' as in "30s", "10m", "2h", "1d" ({durations}',
        ),
        (
            "async def work(ctx): ...",
            '"mine" has no handlers; put @handler("name") above an async function in it',
        ),
        (
            "HANDLERS = ['one']",
            '"mine" has a list for HANDLERS; write HANDLERS = {{"name": "package.module:attribute"}}',
        ),
        (
            "HANDLERS = {'one': 'mine.one'}",
            '"one" in HANDLERS of "mine" is "mine.one"; write it as "package.module:attribute"',
        ),
        ("HANDLERS = {'one': 'nowhere:one'}", '"mine" names "nowhere", and there is no such module'),
        (
            "HANDLERS = {'one': 'mine:one'}",
            '"one" in HANDLERS of "mine" is "mine:one", but that module has no "one"',
        ),
        (
            "def one(ctx): ...\nHANDLERS = {'one': one}",
            '"one" in HANDLERS of "mine" is a function and no handler; put @handler("one") above it',
        ),
    ],
)
def test_what_is_wrong_with_a_package_is_told_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    write(tmp_path, "mine.py", text)
    durations = Path(__file__).parents[3] / "daemon" / "durations.py"
    (told,) = refused(tmp_path, "mine")
    assert told.startswith(expected.format(file=tmp_path / "mine.py", durations=durations))


def test_a_table_and_its_handler_use_one_name(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="one") + "\n    HANDLERS = {'two': work}")
    assert refused(tmp_path, "mine") == [
        '"two" in HANDLERS of "mine" calls itself "one"; use one name in both places'
    ]


def test_a_handler_name_that_would_not_do_for_a_schedule_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="tidy up"))
    (told,) = refused(tmp_path, "mine")
    assert told.startswith("\"mine\" has a handler named 'tidy up'; a name has up to 100 letters")


def test_a_package_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "reporting_jobs.py", ONE.format(name="one"))
    where = f"in {tmp_path} or among the installed ones"
    assert refused(tmp_path, "reporting_job", "nothing_near", "jobs/mine.py") == [
        f'there is no package "reporting_job" {where}; did you mean "reporting_jobs"?',
        f'there is no package "nothing_near" {where}; install it, or put it beside the config',
        '"jobs/mine.py" cannot be the name of a package; write it as in "mine" or "mine.jobs", not as a path',
    ]


def test_what_is_fine_is_loaded_beside_what_is_not(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", ONE.format(name="one"))
    write(tmp_path, "table.py", "HANDLERS = {'a': 1, 'b': 2}")
    with pytest.raises(RegistryError) as raised:
        load_handlers(["nowhere", "mine", "table"], tmp_path)
    assert set(raised.value.loaded) == {"one"}
    assert [problem.position for problem in raised.value.problems] == [0, 2, 2]
