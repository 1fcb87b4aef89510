"""Looking whether a daemon runs harms none that is about to."""

import os
import threading
from typing import Any

from state.home import holder, locked


def test_somebody_who_only_looks_keeps_nobody_from_starting(desk: Any) -> None:
    desk.home.make_folders()
    desk.home.lock_file.touch()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.0005):
            holder(desk.home)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(400):
            with locked(desk.home):
                pass
    finally:
        is_over.set()
        looker.join()


def test_who_holds_a_home_is_named_while_it_is_held(desk: Any) -> None:
    with locked(desk.home):
        assert holder(desk.home) == os.getpid()
    assert holder(desk.home) is None
