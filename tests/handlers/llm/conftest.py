"""The world of the handlers, whose clock also waits for the disk: breakers are kept there."""

import pytest

from daemon.clock import settling
from tests.handlers.conftest import World
from tests.handlers.conftest import world as plain_world

__all__ = ["plain_world", "world"]


@pytest.fixture
async def world(plain_world: World) -> World:
    plain_world.clock.settle = settling(lambda: not plain_world.store.is_quiet)
    return plain_world
