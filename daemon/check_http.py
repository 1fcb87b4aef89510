"""Whether the HTTP API may be served as it is configured: who could reach it, and by which tokens."""

import ipaddress

from daemon.config import Config
from daemon.config.problems import Findings, Place, quoted
from daemon.config.sections import TokenEntry
from daemon.secret import Secret

# A token of chance with so many characters is not guessed in ten tries a minute.
SHORTEST_TOKEN = 16
NEW_TOKEN = "`nightdesk token new` makes one"  # noqa: S105 - a command


def check_http(config: Config, findings: Findings) -> None:
    """Tell what is wrong with the section `http`."""
    http = config.http
    broken = [
        ("http", name) for name in ("token", "readToken", "tokens") if findings.is_broken(("http", name))
    ]
    if not (_is_loopback(http.host) or http.has_token or broken):
        text = f"{quoted(http.host)} is reached from the network, so http.token is needed; or listen on"
        findings.problem(("http", "host"), f"{text} 127.0.0.1")
    for name, token in (("token", http.token), ("readToken", http.read_token)):
        _check_token(("http", name), token, findings)
    names = [entry.name for entry in http.tokens]
    for index, entry in enumerate(http.tokens):
        _check_entry(("http", "tokens", index), entry, findings)
        if names.index(entry.name) != index:
            place: Place = ("http", "tokens", index, "name")
            findings.problem(
                place, f"{quoted(entry.name)} names two tokens; the log could not tell them apart"
            )


def _check_entry(place: Place, entry: TokenEntry, findings: Findings) -> None:
    if (entry.hash is None) is (entry.token is None):
        which = "neither is here" if entry.hash is None else "both are here"
        findings.missing(
            place, f"a token has either a hash or a token, and {which}; {NEW_TOKEN} and its hash"
        )
    _check_token((*place, "token"), entry.token, findings)


def _check_token(place: Place, token: Secret | None, findings: Findings) -> None:
    if token is not None and len(token.reveal()) < SHORTEST_TOKEN:
        text = f"a token of less than {SHORTEST_TOKEN} characters can be guessed; {NEW_TOKEN} that cannot"
        findings.warn(place, text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
