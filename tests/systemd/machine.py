"""A small machine with a real systemd, booted from this one's /usr: what the units are proved on."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# The units name these paths; here they are scripts that start the sources with the tests' own Python.
PROGRAM = Path("/opt/nightdesk/bin/nightdesk")
PYTHON = Path("/opt/nightdesk/bin/python")
BOOT_S = 60.0
COMMAND_S = 60.0

# Runs what the test puts into /link, one command after another, and leaves the answers beside it.
DRIVER = """
touch /link/booted
while :; do
    for command in /link/*.command; do
        [ -e "$command" ] || continue
        name="${command%.command}"
        sh "$command" >"$name.out" 2>&1
        echo $? >"$name.code.new"
        rm "$command"
        mv "$name.code.new" "$name.code"
    done
    sleep 0.05
done
"""
DRIVER_UNIT = """
[Unit]
Description=does what the test says
[Service]
ExecStart=/bin/sh /driver
TimeoutStopSec=1
"""
TARGET = """
[Unit]
Description=everything the test needs
Requires=basic.target driver.service
After=basic.target
AllowIsolate=yes
"""
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"
NAMES = "passwd: files systemd\ngroup: files systemd\nhosts: files\n"


class Machine:
    """A booted machine; leave the `with` block and it is gone.

    Raises:
        AssertionError: it did not boot; the message holds what its console said.
    """

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.root = folder / "root"
        self._link = folder / "link"
        self._console = folder / "console"
        self._commands = 0
        self._link.mkdir(parents=True)
        _lay_out(self.root, files)

    def __enter__(self) -> "Machine":
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                _boot_command(self.root, self._link),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        try:
            assert self._appears(self._link / "booted", BOOT_S), f"no boot:\n{self.console}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def console(self) -> str:
        """What the machine has written to its console."""
        return self._console.read_text("utf-8", "replace")

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the machine; its two outputs come as one."""
        self._commands += 1
        name = self._link / f"{self._commands:04}"
        name.with_suffix(".new").write_text(command)
        name.with_suffix(".new").rename(name.with_suffix(".command"))
        assert self._appears(name.with_suffix(".code"), COMMAND_S), f"{command}: no end\n{self.console}"
        code = int(name.with_suffix(".code").read_text())
        return subprocess.CompletedProcess(command, code, name.with_suffix(".out").read_text())

    def shows(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit."""
        shown = self.run(f"systemctl show {unit} -p {','.join(properties)}")
        assert shown.returncode == 0, shown.stdout
        return dict(line.split("=", 1) for line in shown.stdout.splitlines())

    def _appears(self, path: Path, within_s: float) -> bool:
        return (
            comes_true(lambda: path.exists() or self._process.poll() is not None, within_s) and path.exists()
        )

    def _end(self) -> None:
        self._process.terminate()  # systemd-nspawn hands this on as an orderly shutdown
        if comes_true(lambda: self._process.poll() is not None, 10):
            return
        # Killing systemd-nspawn alone would leave the machine running; it goes when its systemd does.
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        for child in children.split():
            os.kill(int(child), signal.SIGKILL)
        self._process.wait(20)


def comes_true(holds: Callable[[], bool], within_s: float) -> bool:
    """Look again and again until it holds, or the time is up; say which."""
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def missing_tools() -> str | None:
    """What keeps this machine from booting another, in words; None where nothing does."""
    if os.geteuid() != 0:
        return "booting a systemd needs root; run: sudo make test-systemd"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is missing; run: apt install systemd-container"
    return None


def _lay_out(root: Path, files: dict[str, str]) -> None:
    """The root folder: links into /usr, who there is, and what the test brings; about 100 kB."""
    for name in ("usr", "proc", "sys", "dev", "run", "tmp", "var", "root", "link", "opt/python", "etc"):
        (root / name).mkdir(parents=True)
    for name in ("lib", "source/daemon", "source/handlers", "source/state"):
        (root / "opt/nightdesk" / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    shutil.copy("/etc/ld.so.cache", root / "etc")
    written = {
        "etc/passwd": USERS,
        "etc/group": GROUPS,
        "etc/nsswitch.conf": NAMES,
        "etc/machine-id": "",
        "etc/os-release": "ID=test\nNAME=test\n",
        "etc/systemd/system/proof.target": TARGET,
        "etc/systemd/system/driver.service": DRIVER_UNIT,
        "driver": DRIVER,
        **files,
    }
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / PROGRAM.relative_to("/")).parent.mkdir(parents=True)
    for path, arguments in ((PROGRAM, "-m daemon "), (PYTHON, "")):
        script = root / path.relative_to("/")
        script.write_text(_script(arguments))
        script.chmod(0o755)


def _script(arguments: str) -> str:
    # The library path keeps it from another Python's library of the same name in /usr.
    return (
        "#!/bin/sh\n"
        "export PYTHONPATH=/opt/nightdesk/source:/opt/nightdesk/lib PYTHONDONTWRITEBYTECODE=1\n"
        "export LD_LIBRARY_PATH=/opt/python/lib\n"
        f'exec {_python_inside()} {arguments}"$@"\n'
    )


def _python_inside() -> str:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return f"/usr/bin/{name}" if sys.base_prefix == "/usr" else f"/opt/python/bin/{name}"


def _boot_command(root: Path, link: Path) -> list[str]:
    binds = {
        "/usr": "/usr",
        sysconfig.get_path("purelib"): "/opt/nightdesk/lib",
        **{str(PROJECT / name): f"/opt/nightdesk/source/{name}" for name in ("daemon", "handlers", "state")},
    }
    if sys.base_prefix != "/usr":
        binds[sys.base_prefix] = "/opt/python"
    return [
        "systemd-nspawn",
        f"--directory={root}",
        *(f"--bind-ro={_escaped(source)}:{target}" for source, target in binds.items()),
        f"--bind={_escaped(str(link))}:/link",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--console=pipe",
        "--link-journal=no",
        "--boot",
        "systemd.unit=proof.target",
    ]


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")
