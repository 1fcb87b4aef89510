"""What the tests of the daemon lean on: a whole house on a clock that stands still."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.house import House, with_a_disk_that_can_be_full


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    with_a_disk_that_can_be_full(monkeypatch.setattr)
    house = House(tmp_path)
    yield house
    await house.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what was captured fit to be sent: some tests log text that no file and no pipe can hold."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
