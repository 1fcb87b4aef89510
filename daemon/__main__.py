"""Where the program begins: `nightdesk`, or `python -m daemon`."""

import os
import sys

import daemon
from daemon import guard

CONFIG = 78


def main() -> int:
    """Run the command line; the answer is the exit code."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if (problem := guard.problem(daemon, root)) is not None:
        sys.stderr.write(problem + "\n")
        return CONFIG
    from daemon.cli.exits import run

    return run(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
