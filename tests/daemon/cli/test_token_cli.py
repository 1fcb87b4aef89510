"""`nightdesk token new`: shown once, known by its hash."""

import json
from collections.abc import Callable

from daemon.config.sections import HttpSection, TokenEntry
from daemon.web.caller import READER, Caller
from daemon.web.tokens import keyring_of
from tests.daemon.cli.conftest import Desk, Ended

Nightdesk = Callable[..., Ended]


def test_a_token_is_printed_and_its_entry_lets_it_in(nightdesk: Nightdesk, desk: Desk) -> None:
    made = nightdesk("token", "new", "--name", "grafana", "--json").json
    assert set(made) == {"token", "entry"}
    assert made["token"] not in json.dumps(made["entry"])
    ring = keyring_of(HttpSection(tokens=(TokenEntry(**made["entry"]),)))
    assert ring.caller_of(made["token"].encode()) == Caller("grafana", READER)
    desk.config.write_text(json.dumps({"http": {"tokens": [made["entry"]]}}))
    assert nightdesk("config", "check").code == 0
    assert not desk.home.folder.exists()


def test_the_token_alone_goes_where_a_pipe_takes_it(nightdesk: Nightdesk) -> None:
    ended = nightdesk("token", "new", "--scope", "operate")
    assert ended.code == 0
    (token,) = ended.out.split()
    assert token.startswith("nd_")
    assert token not in ended.err
    assert '"scope": "operate"' in ended.err
    assert '"hash": "sha256:' in ended.err


def test_a_name_that_the_configuration_would_refuse_is_refused_here(nightdesk: Nightdesk) -> None:
    ended = nightdesk("token", "new", "--name", "two words")
    assert ended.code == 2
    assert "two words" in ended.err
