"""Every row of the ledger's table, each test with an empty one of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from state.ledger import LEDGERS
from state.ledger.base import Ledger
from tests.contracts.ledgers import NOW, Making, making


@pytest.fixture(params=sorted(LEDGERS))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    return making(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


@pytest.fixture
async def ledger(made: Making) -> AsyncIterator[Ledger]:
    ledger = made()
    await ledger.open(NOW)
    yield ledger
    await ledger.close()
