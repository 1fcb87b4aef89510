"""Whether the packages that will be imported are ours: another project installs a `daemon` too.

python-daemon brings a package of the same name. pip and uv put one over the other without a word, and
take the shared files away when either is removed. What then breaks, breaks somewhere deep and late.
"""

import importlib.util
import os
import sys
from types import ModuleType

# A file of each storey; where one is gone, or comes from elsewhere, the program is not whole.
OURS = ("daemon/cli/__init__.py", "daemon/app.py", "handlers/__init__.py", "state/store.py")


def problem(package: ModuleType, root: str) -> str | None:
    """Say what is wrong with the installation whose packages lie in `root`; None when it is whole.

    `package` is what `import daemon` gave.
    """
    found = getattr(package, "__file__", None)
    here = os.path.join(root, "daemon", "__init__.py")  # noqa: PTH118  # pathlib would cost 10 ms of every start
    if found is None or not hasattr(package, "__version__") or hasattr(package, "DaemonContext"):
        return _explained(f"{found or os.path.dirname(here)} is not nightdesk's")  # noqa: PTH120
    if not _is_same(found, here):
        return _explained(f"`import daemon` gives {found}, and nightdesk is in {root}")
    for name in OURS:
        if not os.path.exists(os.path.join(root, name)):  # noqa: PTH110, PTH118
            return _explained(f"{name} is missing from {root}")
    return _shadowed(root)


def _shadowed(root: str) -> str | None:
    """Whether one of our packages would be taken from somewhere else, without importing it."""
    for name in ("handlers", "state"):
        found = sys.modules.get(name)
        spec = found.__spec__ if found is not None else importlib.util.find_spec(name)
        origin = spec.origin if spec is not None else None
        ours = os.path.join(root, name, "__init__.py")  # noqa: PTH118
        if origin is None or not _is_same(origin, ours):
            return _explained(f"`import {name}` gives {origin or 'nothing'}, and nightdesk's is {ours}")
    return None


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _explained(what: str) -> str:
    return (
        f"nightdesk: this installation is not whole: {what}.\n"
        "Another package with the same folder names (python-daemon, for one) has been installed over it.\n"
        "Give nightdesk an environment of its own: pipx install nightdesk, or uv tool install nightdesk.\n"
        "To mend this one: pip uninstall python-daemon, then pip install --force-reinstall nightdesk."
    )
