"""What the journeys lean on: an installation of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.desk import Desk, open_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation without a configuration yet; its daemon does not outlive the test."""
    with open_desk(tmp_path) as made:
        yield made
