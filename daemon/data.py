"""Where the files that travel with the program are: sample leads, default config, schema, unit."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# In a wheel the files lie inside the package; in a source checkout they lie where people look for them.
FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent)


def data_file(name: str) -> Path:
    """The path of a file that ships with the program, by its path in the repository: "examples/leads.jsonl".

    Raises:
        FileNotFoundError: this installation lacks it; the message names the file and what to do.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{name} is missing from this installation in {_PACKAGE}; install nightdesk again"
    )
