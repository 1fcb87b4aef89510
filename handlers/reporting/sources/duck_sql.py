"""What a query to DuckDB may be, and the file names in it made whole."""

import re
from collections.abc import Iterator
from pathlib import Path

# DuckDB judges a relative path by the process's folder, whatever its search path says. So names of files
# are made whole in the query: strings after FROM and JOIN, and the first argument of these.
_READERS = (
    "read_csv|read_csv_auto|sniff_csv|read_json|read_json_auto|read_json_objects|read_json_objects_auto"
    "|read_ndjson|read_ndjson_auto|read_ndjson_objects|read_parquet|parquet_scan|parquet_metadata"
    "|parquet_schema|read_text|read_blob|glob"
)
_TOKEN = re.compile(
    r"(?P<skipped>\s+|--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|\"(?:[^\"]|\"\")*\"|\$\$.*?\$\$)"
    r"|(?P<text>'(?:[^']|'')*')|(?P<word>\w+)|(?P<sign>\|\||=>|:=|.)",
    re.DOTALL,
)
_READER = re.compile(_READERS, re.IGNORECASE)
_WHOLE = re.compile(r"/|~|[A-Za-z][A-Za-z0-9+.-]*:")
_FIRST = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(select|with|from|values)\b", re.IGNORECASE | re.DOTALL
)
# Each would write a file, or run a query that stands in a string and was never looked at.
_FORBIDDEN = re.compile(r"(enable_logging|json_execute_serialized_sql|\bquery)\"?\s*\(", re.IGNORECASE)


def fault(sql: str) -> str | None:
    """Why this cannot be a question, as far as its text tells; None where it may be one."""
    if not _FIRST.match(sql):
        return "it is no query; begin it with SELECT, WITH or FROM"
    if found := _FORBIDDEN.search(sql):
        return f"{found[1]}() is not allowed in a question; leave it out"
    return None


def rooted(sql: str, folder: Path) -> str:
    """The query with every relative name of a file made whole from the folder."""
    parts: list[str] = []
    for text, is_file in _tokens(sql):
        parts.append(f"'{_quoted(folder)}/{text[1:]}" if is_file and not _WHOLE.match(text[1:]) else text)
    return "".join(parts)


def file_names(sql: str) -> list[str]:
    """The names of files in the query, as they stand there; they may hold * and ?."""
    return [text[1:-1].replace("''", "'") for text, is_file in _tokens(sql) if is_file]


def _tokens(sql: str) -> Iterator[tuple[str, bool]]:
    """The pieces of the query, each with whether it is the name of a file."""
    before = ""  # the piece of meaning before this one
    is_reading = False
    for found in _TOKEN.finditer(sql):
        text = found[0]
        if found["skipped"]:
            yield text, False
            continue
        if text == "(" and _READER.fullmatch(before):
            is_reading = True
        elif text in (")", "=", "=>", ":="):
            is_reading = False  # what follows are options: delimiters, formats
        is_after_from = before.upper() in ("FROM", "JOIN")
        yield text, found["text"] is not None and before != "||" and (is_reading or is_after_from)
        before = text


def _quoted(folder: Path) -> str:
    return str(folder).replace("'", "''")
