"""How a call ends: the exit codes scripts rely on, and a clear line in place of a traceback."""

import traceback
from collections.abc import Mapping, Sequence

import click

from daemon.cli.call import Call
from daemon.cli.command import program

DONE = 0
WRONG = 1  # looked and found wrong, or the job failed
USAGE = 2
UNREADABLE = 65
NO_DAEMON = 69
INTERNAL = 70
HELD = 75
CONFIG = 78
INTERRUPTED = 130  # as the shell says of what ctrl-C ended
LONGEST_LINE = 500

# By name, not by class: importing all that may fail would cost every call its time.
CODE_OF = {
    "daemon.config.problems:ConfigError": CONFIG,
    "state.home:HomeLocked": HELD,
    "state.recovery:StateUnreadable": UNREADABLE,
    "state.database:StoreTooNew": UNREADABLE,
    "state.database:StoreError": WRONG,
    "state.ledger.errors:LedgerError": WRONG,
    "daemon.engine.queue:QueueFull": WRONG,
    "daemon.operations.refusals:Unknown": USAGE,
    "daemon.operations.refusals:Unfit": USAGE,
    "daemon.cli.client:DaemonDown": NO_DAEMON,
    "daemon.cli.client:DaemonSilent": NO_DAEMON,
}


class Stop(Exception):
    """The call ends here, with this code; the text is for who called."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command line; the answer is the exit code. No operator's mistake ends in a traceback."""
    call = Call(environ)
    try:
        code = program().main(args=list(argv), prog_name="nightdesk", standalone_mode=False, obj=call)
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    # Whatever else comes out is ours to explain: an operator is given a line, not a traceback.
    except Exception as error:
        return _explain(call, error)


def _explain(call: Call, error: Exception) -> int:
    if call.is_debug and not isinstance(error, Stop):
        traceback.print_exception(error)
    code = code_of(error)
    if code is None:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_LINE]
        hint = "" if call.is_debug else "; --debug shows where"
        call.note(f"nightdesk: this should not happen: {text}{hint}")
        return INTERNAL
    if text := _text_of(error):
        call.note(text)
    return code


def code_of(error: Exception) -> int | None:
    """The exit code for an error that was foreseen; None for any other."""
    if isinstance(error, Stop):
        return error.code
    for kind in type(error).__mro__:
        if (code := CODE_OF.get(f"{kind.__module__}:{kind.__qualname__}")) is not None:
            return code
    refused = getattr(error, "exit_code", None)
    if isinstance(refused, int):
        return refused
    return WRONG if isinstance(error, OSError) else None


def _text_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"nightdesk: {error.filename or 'the system'}: {error.strerror}"
    # Problems of a config already begin with their file and line, as an editor likes them.
    is_said = isinstance(error, Stop) or code_of(error) == CONFIG
    return str(error) if is_said or not str(error) else f"nightdesk: {error}"
