"""A program that reads the JSON state over and over, and says when it was not whole or went back."""

import sys
import threading
from pathlib import Path

from state.snapshot import read


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_for_the_end(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


def main() -> None:
    path, previous = Path(sys.argv[1]), Path(sys.argv[2])
    done = threading.Event()
    threading.Thread(target=wait_for_the_end, args=(done,), daemon=True).start()
    polls, newest = 0, 0
    say("polling")
    while not done.is_set():
        # The previous one first: what stands in front of it now can only be newer.
        before = read(previous)["generation"] if previous.exists() else 0
        generation = read(path)["generation"]
        if generation < newest or generation < before:
            say(f"{generation} came after {newest} and {before}")
        newest, polls = generation, polls + 1
    say(f"polls {polls}")


main()
