"""What every test may lean on: both event loops, and a fresh home."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.postgres import postgres as postgres


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every async test runs on uvloop, which the daemon uses, and but for `one_loop` on asyncio's own too."""
    if item.get_closest_marker("one_loop"):
        return {"uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that mostly wait, on half of the workers; the rest has the processors meanwhile.

    Each worker begins with its part of the list, and ends with what it takes from the others' parts.
    """
    waiting = [item for item in items if item.get_closest_marker("waits")]
    others = [item for item in items if not item.get_closest_marker("waits")]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hosts = max(1, workers // 2)
    for host in range(hosts):
        at = host * len(items) // workers
        others[at:at] = waiting[host::hosts]
    items[:] = others


@pytest.fixture
def home_folder(tmp_path: Path) -> Path:
    return tmp_path / "home"
