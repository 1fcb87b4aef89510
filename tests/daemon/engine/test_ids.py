"""Task ids: unique, growing, and of the shape that RFC 9562 gives to version 7."""

import uuid
from datetime import UTC, datetime, timedelta

from daemon.engine.ids import Ids

NOW = datetime(2026, 11, 21, 21, 0, 0, 123456, tzinfo=UTC)


def test_an_id_is_a_version_7_uuid_of_its_millisecond() -> None:
    made = uuid.UUID(Ids().next(NOW))

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_grow_however_many_are_made_in_one_instant() -> None:
    ids = Ids()
    made = [ids.next(NOW) for _ in range(10_000)]

    assert made == sorted(set(made))
    assert {uuid.UUID(it).version for it in made} == {7}


def test_ids_grow_while_the_clock_is_put_back() -> None:
    ids = Ids()
    made = [ids.next(NOW - timedelta(hours=n)) for n in range(100)]

    assert made == sorted(set(made))


def test_ids_sort_as_their_times_do() -> None:
    ids = Ids()
    made = [ids.next(NOW + timedelta(milliseconds=n)) for n in range(100)]

    assert made == sorted(made)


def test_two_processes_make_different_ids_in_one_instant() -> None:
    assert Ids().next(NOW) != Ids().next(NOW)
