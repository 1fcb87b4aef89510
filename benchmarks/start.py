"""Start and rest: how soon the daemon is ready, what `--help` costs, and what an idle daemon takes."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import process
from benchmarks.peers import saq_worker, valkey
from benchmarks.rounds import Contestant, Effort, Rounds, run_rounds
from benchmarks.verdicts import Verdict

FRESH, EXISTING = "ready, fresh home, ms", "ready, existing home, ms"
# When the state is open and saved and tasks run, ours says that it is ready; SAQ's counterpart is its
# first job. Its own hook comes before it has spoken to Redis.
PEER, PEER_HOOK = "bare SAQ worker at its first job, ms", "bare SAQ worker at its startup hook, ms"
HELP, BARE = "nightdesk --help, CPU ms", "python -c pass, CPU ms"
SAQ_SETTINGS = "benchmarks.peers.saq_worker.settings"
TIMES_PEER = 1.5
MOST_HELP_MS = 120.0
MOST_IDLE_SHARE = 0.005
IDLE_S, QUICK_IDLE_S, SETTLE_S = 30.0, 5.0, 5.0


def figures(effort: Effort) -> list[Verdict]:
    """Run the daemon, SAQ, the help and the bare interpreter in turn; then leave one daemon alone."""
    config = effort.folder / "orchestrator_config.json"
    config.write_text(json.dumps({"nightlyBatchSchedule": "0 23 * * *", "heartbeatSchedule": "*/5 * * * *"}))
    existing = effort.folder / "existing"
    _ready_ms(_daemon(config, existing), effort.folder)  # the home is made, and the byte-code is warm

    def fresh(folder: Path) -> float:
        return _ready_ms(_daemon(config, folder / "home"), folder)

    def again(folder: Path) -> float:
        return _ready_ms(_daemon(config, existing), folder)

    with TemporaryDirectory(dir=effort.folder) as kept, valkey.serving(Path(kept)) as address:

        def peer(folder: Path, tell_at: str) -> float:
            saq_worker.enqueue(address)
            told = {"BENCH_REDIS_URL": address, "BENCH_TELL_AT": tell_at}
            return _ready_ms([sys.executable, "-m", "saq", SAQ_SETTINGS], folder, told)

        contestants: dict[str, Contestant] = {FRESH: fresh, EXISTING: again}
        contestants[PEER] = partial(peer, tell_at="first-job")
        contestants[PEER_HOOK] = partial(peer, tell_at="startup")
        contestants[PEER](effort.folder)  # warm, as ours is
        contestants[HELP] = lambda folder: process.cpu_of_run(process.nightdesk("--help")) * 1000
        contestants[BARE] = lambda folder: process.cpu_of_run([sys.executable, "-c", "pass"]) * 1000
        rounds = run_rounds(effort, contestants, form=",.0f")
    return [*_starts(rounds), _help(rounds), *_idle(effort, config)]


def _starts(rounds: Rounds) -> list[Verdict]:
    verdicts = [
        Verdict(figure=name, measured=rounds.spread(name).shown()) for name in (FRESH, EXISTING, PEER)
    ]
    for name in (FRESH, EXISTING):
        times = rounds.ratio(name, PEER)
        verdicts.append(
            Verdict(
                figure=f"... {name.removesuffix(', ms')} x SAQ's first job",
                measured=times.shown(".2f"),
                goal=f"<= {TIMES_PEER}",
                is_met=times.median <= TIMES_PEER,
            )
        )
    return verdicts


def _help(rounds: Rounds) -> Verdict:
    above = rounds.spread(HELP).median - rounds.spread(BARE).median
    return Verdict(
        figure="nightdesk --help above the bare interpreter",
        measured=f"{above:.0f} ms of CPU",
        goal=f"<= {MOST_HELP_MS:.0f} ms",
        is_met=above <= MOST_HELP_MS,
    )


def _idle(effort: Effort, config: Path) -> list[Verdict]:
    """The share of a core that a daemon takes which has nothing to do, once it has settled."""
    watched_s = QUICK_IDLE_S if effort.is_quick else IDLE_S
    with process.started(_daemon(config, effort.folder / "idle"), effort.folder) as (daemon, _):
        time.sleep(SETTLE_S)
        cpu_s, began = process.cpu_so_far(daemon.pid), time.monotonic()
        time.sleep(watched_s)
        share = (process.cpu_so_far(daemon.pid) - cpu_s) / (time.monotonic() - began)
        memory = process.memory_mib(daemon.pid)
    return [
        Verdict(
            figure=f"idle daemon, share of a core over {watched_s:.0f} s",
            measured=f"{share:.2%}",
            goal=f"< {MOST_IDLE_SHARE:.1%}",
            is_met=share < MOST_IDLE_SHARE,
        ),
        Verdict(figure="idle daemon, memory", measured=f"{memory:.0f} MiB"),
    ]


def _daemon(config: Path, home: Path) -> list[str]:
    return process.nightdesk("--config", str(config), "--home", str(home), "run", "--no-log")


def _ready_ms(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> float:
    with process.started(command, folder, environ) as (_, seconds):
        return seconds * 1000
