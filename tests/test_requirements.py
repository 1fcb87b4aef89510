"""The pinned requirements: complete, hashed, and what pyproject.toml asks for."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
PROJECT_FILE: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PINS = {path.stem: path.read_text() for path in sorted((PROJECT / "requirements").glob("*.txt"))}
# Which groups of pyproject.toml each list pins, beside the dependencies themselves.
GROUPS = {"runtime": (), "install": ("build",), "dev": ("dev",), "bench": ("bench",)}


def entries(text: str) -> list[str]:
    """The requirements of a list, each with its hashes on one line."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pinned(text: str) -> dict[str, str]:
    """Name to version."""
    split = (line.split("==", 1) for line in entries(text))
    return {canonicalize_name(name): rest.split()[0] for name, rest in split}


def asked(list_name: str) -> Iterator[Requirement]:
    """What pyproject.toml wants of a list."""
    yield from map(Requirement, PROJECT_FILE["project"]["dependencies"])
    groups = PROJECT_FILE["dependency-groups"]
    waiting = list(GROUPS[list_name])
    while waiting:
        for entry in groups[waiting.pop()]:
            if isinstance(entry, str):
                yield Requirement(entry)
            else:
                waiting.append(entry["include-group"])


def test_every_list_is_known() -> None:
    assert set(PINS) == set(GROUPS)


@pytest.mark.parametrize("name", GROUPS)
def test_a_list_pins_what_the_project_asks_for(name: str) -> None:
    pins = pinned(PINS[name])
    wrong = [
        f"{wanted}: {name}.txt has {pins.get(canonicalize_name(wanted.name))}; run make requirements"
        for wanted in asked(name)
        if not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", GROUPS)
def test_everything_pinned_has_its_hashes(name: str) -> None:
    without = [line.split()[0] for line in entries(PINS[name]) if "--hash=sha256:" not in line]
    assert without == []


@pytest.mark.parametrize("name", GROUPS)
def test_no_list_holds_an_address(name: str) -> None:
    assert re.findall(r"\S+://\S+|--(?:extra-)?index-url|--find-links|--trusted-host", PINS[name]) == []


@pytest.mark.parametrize("name", ["install", "dev", "bench"])
def test_the_lists_agree_on_what_the_program_runs_on(name: str) -> None:
    runtime, other = pinned(PINS["runtime"]), pinned(PINS[name])
    assert {one: other.get(one) for one in runtime} == runtime


def test_every_dependency_has_both_bounds() -> None:
    # tzdata's versions are years: there is no next major one to be kept from.
    listed = [wanted for name in GROUPS for wanted in asked(name) if wanted.name != "tzdata"]
    assert [str(wanted) for wanted in listed if not re.search(r">=.*<|<.*>=", str(wanted.specifier))] == []
