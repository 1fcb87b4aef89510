"""huey on SQLite. It takes a task off the queue before it runs, so one that is killed half-way is lost."""

import logging
import threading
import time
from pathlib import Path

from huey import SqliteHuey

LIMIT_S = 100.0
# The shortest pause it may make when it finds nothing to do; while tasks wait it makes none.
POLL_S = 0.001


class Count:
    """Counts ends, and the time from the first that counts to the last."""

    def __init__(self, warm: int, count: int) -> None:
        self._last = warm + count
        self._warm = warm
        self._seen = 0
        self._began = 0.0
        self._lock = threading.Lock()
        self.done = threading.Event()
        self.seconds = 0.0

    def one_more(self) -> None:
        """A task has ended."""
        with self._lock:
            self._seen += 1
            if self._seen == self._warm:
                self._began = time.perf_counter()
            elif self._seen == self._last:
                self.seconds = time.perf_counter() - self._began
                self.done.set()


def drain(folder: str, queued: int, count: int, fsync: bool | None, threads: int) -> float:
    """Tasks a second with so many queued. Its own log is off and no results are kept, which only helps it.

    `fsync` None leaves the choice to SQLite, as huey does where nothing is said.
    """
    logging.disable(logging.CRITICAL)
    warm = max(1, count // 10)
    counted = Count(warm, count)
    path = Path(folder) / "huey.db"
    # Filled without syncs, for only the draining is measured.
    filling = SqliteHuey("bench", filename=str(path), fsync=False, results=False)
    task = filling.task(name="noop")(counted.one_more)
    for _ in range(queued + warm + count):
        task()
    filling.storage.close()
    huey = SqliteHuey("bench", filename=str(path), fsync=fsync, results=False)
    huey.task(name="noop")(counted.one_more)
    consumer = huey.create_consumer(workers=threads, initial_delay=POLL_S, max_delay=POLL_S, periodic=False)
    consumer.start()
    is_done = counted.done.wait(LIMIT_S)
    consumer.stop()
    if not is_done:
        raise TimeoutError(f"huey had not run {warm + count} tasks after {LIMIT_S:.0f} s")
    return count / counted.seconds
