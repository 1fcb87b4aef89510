"""Where the second process begins: `python -m daemon.watchdog`, which `nightdesk watchdog` becomes."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.watchdog import process
from daemon.watchdog.lines import log_to_stderr
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.settings import ConfigRefused, find_config
from state.home import Home, find_home

DONE, WRONG, CONFIG, INTERRUPTED = 0, 1, 78, 130


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one call; the answer is the exit code."""
    chosen = _parser().parse_args(argv)
    config = find_config(chosen.config)
    home = find_home(chosen.home, (config.parent if config is not None else Path()).resolve(), environ)
    log_to_stderr(environ)
    try:
        return _run(chosen, config, home, environ)
    except ConfigRefused as error:
        sys.stderr.write(f"{error}\n")
        return CONFIG
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(chosen: argparse.Namespace, config: Path | None, home: Home, environ: Mapping[str, str]) -> int:
    if chosen.once:
        is_well, said = process.judge_once(config, home, environ)
        _say(said, {"ok": is_well, "detail": said}, is_json=chosen.json)
        return DONE if is_well else WRONG
    if chosen.test:
        return _show(asyncio.run(process.test_channels(config, home, environ)), is_json=chosen.json)
    if chosen.failed is not None:
        return DONE if asyncio.run(process.tell_of_failure(chosen.failed, config, home, environ)) else WRONG
    asyncio.run(process.watch(config, home, environ))
    return DONE


def _show(told: Sequence[tuple[str, bool, str]], *, is_json: bool) -> int:
    lines = [f"{name}  {'ok' if is_proved else 'FAILED'}  {said}" for name, is_proved, said in told]
    rows = [{"channel": name, "ok": is_proved, "detail": said} for name, is_proved, said in told]
    _say("\n".join(lines) or "there is no channel to test", rows, is_json=is_json)
    return DONE if told and all(is_proved for _, is_proved, _ in told) else WRONG


def _say(text: str, value: object, *, is_json: bool) -> None:
    sys.stdout.write((to_json(value).decode() if is_json else text) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nightdesk watchdog",
        description="Watch the daemon from outside; say when it hangs or is gone, and when that is over.",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration  [./orchestrator_config.json]")
    parser.add_argument("--home", metavar="DIR", help="where the daemon's state is  [var/ beside the config]")
    parser.add_argument("--json", action="store_true", help="answer in JSON, for scripts")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--once", action="store_true", help="look once, say what was seen; exit 1: not well")
    one.add_argument("--test", action="store_true", help="send a test message over each channel")
    one.add_argument("--failed", metavar="UNIT", help="tell that a unit of systemd has failed")
    return parser


if __name__ == "__main__":
    code = main(sys.argv[1:], os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that hangs in a look-up of a name would keep the interpreter until that ends.
    os._exit(code)
