"""A program that reads the JSON state over and over, and says when it was not whole or went back."""

import sys
import threading
from pathlib import Path

from state.snapshot import read


def main() -> None:
    path, previous = Path(sys.argv[1]), Path(sys.argv[2])
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    polls, newest = 0, 0
    print("polling", flush=True)
    while not done.is_set():
        # The previous one first: what stands in front of it now can only be newer.
        before = read(previous)["generation"] if previous.exists() else 0
        generation = read(path)["generation"]
        if generation < newest or generation < before:
            print(f"{generation} came after {newest} and {before}")
        newest, polls = generation, polls + 1
    print(f"polls {polls}", flush=True)


main()
