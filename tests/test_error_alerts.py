"""docs/ERROR_ALERTS.md, held to its word: commands typed as printed, tables compared with the code."""

import ast
import json
import re
import runpy
import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message as HeadersOfMail
from pathlib import Path
from typing import Any, TypeGuard

import click
import pytest

from daemon.check import prepare
from daemon.cli.command import program
from daemon.config.environment import BOT_TOKEN, CHANNELS
from daemon.dispatch.inhibition import UNMUTABLE
from daemon.dispatch.pacing import GAPS
from daemon.dispatch.routing import BELOW, NO_ROUTE, TURNED_OFF
from daemon.notify.webhook_event import signature
from daemon.watchdog.choosing import ALERT as WATCHDOG_ALERT
from state.records import Severity
from tests.daemon.notify.services import WEBHOOK_KEY, WEBHOOK_SECRET
from tests.journeys.desk import Desk, open_desk
from tests.mini_jq import Reader
from tests.shell_tour import ROOT, Ran, blocks, clone_into, run_script, sections
from tests.vendors import Vendors, vendors

DOCUMENT = "docs/ERROR_ALERTS.md"
TEXT = (ROOT / DOCUMENT).read_text("utf-8")
SECTIONS = sections(DOCUMENT)

# Fails three times and is mended then, as the first section has it.
DUMP = "echo x >> runs; test $(wc -l < runs) -gt 3"
TROUBLE = {
    "schedules": {"nightly-dump": {"command": ["sh", "-c", DUMP], "cron": "30 2 29 2 *", "maxAttempts": 1}}
}
AT_ONCE = {"alerts": {"groupWait": "0s"}}  # tests need not wait for more of the same
TEST = ("alerts", "test")


@dataclass(frozen=True)
class Scene:
    """What surrounds the commands of a section, and what they must say."""

    says: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[tuple[str, ...], ...] = ()
    is_running: bool = True
    is_whole_environ: bool = False


SCENES = {
    "At 3 a.m.": Scene(
        config=TROUBLE,
        before=(("trigger", "nightly-dump", "--wait"),) * 3,
        says=(r"nightly-dump has failed 3 times in a row", r"acknowledged by", r"completed", r"No alerts\."),
    ),
    "The shortest set-up": Scene(
        is_whole_environ=True,
        says=(
            r"channels: discord, email, log, slack, slack-errors, smtp, webhook",
            r"smtp +quit +yes",
            r"discord +delivered",
            r"email +delivered +202 queued at SendGrid for 2",
            r"delivered by slack-errors to default in \d+\.\ds: 200 ok",
        ),
    ),
    "Slack by an incoming webhook": Scene(says=(r"slack-ops +connect +yes .*reached", r"delivered +200 ok")),
    "Slack by a bot token": Scene(says=(r"slack-oncall +token +yes", r"delivered +200 ok C0\S+ \d+")),
    "Discord": Scene(says=(r'the webhook "Night desk" of channel \d+', r"delivered +200 message \d+")),
    "SendGrid": Scene(says=(r"may send mail", r"delivered +202 queued at SendGrid for 2, not yet delivered")),
    "Mailgun": Scene(says=(r"the domain mg\.example\.com are accepted", r"200 queued at Mailgun")),
    "SMTP": Scene(
        says=(
            r"mail-relay +starttls +yes",
            r"mail-relay +login +yes",
            r"recipient ops@example\.com +yes",
            r"mail-relay +delivered +250",
        )
    ),
    "PagerDuty": Scene(says=(r"pager +connect +yes", r"pager +delivered +202 Event processed")),
    "A webhook of your own": Scene(is_running=False, says=(r"my-hook +delivered +204", r"nightdesk\.test: ")),
    "SMS, Telegram, ntfy and the rest": Scene(says=(r"phones .*yes", r"phones +delivered +taken by")),
    "Who is told: receivers and routes": Scene(
        config=AT_ONCE,
        says=(r"delivered by pager to on-call", r"pager +delivered +\S+ +\S+ +202 Event processed"),
    ),
    "Silences": Scene(
        config={**TROUBLE, **AT_ONCE},
        says=(r"silent until", r"task\.failed,handler=nightly-dump", r"the disk is being changed"),
    ),
    "Nothing arrives": Scene(
        config={**TROUBLE, "alerts": {"severityThreshold": "critical"}},
        before=(("trigger", "nightly-dump", "--wait"),),
        says=(
            r"below the threshold",
            r"slack-errors +connect +yes",
            r"task\.failed-\S+\tbelow the threshold",
        ),
    ),
    "It arrives twice": Scene(config=AT_ONCE, before=(TEST,), says=()),
    "Too many": Scene(
        config=TROUBLE,
        before=(("trigger", "nightly-dump", "--wait"),) * 2,
        says=(r"2\ttask\.failed\tnightly-dump failed for good",),
    ),
    "It comes late": Scene(config=AT_ONCE, before=(TEST,), says=(r'"channel":"slack-errors","took_s":\d',)),
    "The wrong person": Scene(
        config={**TROUBLE, **AT_ONCE},
        before=(TEST, ("trigger", "nightly-dump", "--wait")),
        says=(r'"receivers"', r"slack-errors +delivered", r"error\ttask\.failed\t"),
    ),
    "What happened last night": Scene(
        config=AT_ONCE,
        before=(TEST, ("alerts", "silence", "batch.*", "--for", "1h", "--reason", "moving")),
        says=(r'"event":"fired"', r'"event":"delivered"', r'"reason": "moving"'),
    ),
    "The second process": Scene(
        config={"watchdog": {"hungAfter": "3s"}}, says=(r"running, process \d+", r"slack-errors +ok")
    ),
    "Deployment checklist": Scene(
        config=AT_ONCE, says=(r"delivered by slack-errors", r"No silences\.", r"slack-errors +ok")
    ),
}
# No test can run these where it has neither an index of packages nor a systemd; tests/systemd has one.
NOT_RUN = {"SMS, Telegram, ntfy and the rest", "The second process"}


@pytest.fixture(scope="module")
def there() -> Iterator[Vendors]:
    with vendors() as opened:
        yield opened


def test_every_section_with_commands_is_run() -> None:
    assert {name for name, text in SECTIONS.items() if blocks(text, "sh")} == set(SCENES)
    assert {name for name, text in SECTIONS.items() if blocks(text, "text")} == NOT_RUN


@pytest.mark.parametrize("heading", SCENES)
def test_its_commands_do_as_printed(heading: str, tmp_path: Path, there: Vendors) -> None:
    scene, port = SCENES[heading], free_port()
    clone_into(tmp_path)
    with open_desk(tmp_path) as desk:
        environ = there.whole_environ if scene.is_whole_environ else there.environ
        desk.environ = dict(environ)
        desk.write_config(**config_of(heading, scene, there))
        if scene.is_running:
            desk.start()
        for argv in scene.before:
            desk.run(*argv)
        if scene.before:
            desk.wait_for("the JSON state to show it all", lambda: is_shown(desk))
        said = ""
        for script in blocks(SECTIONS[heading], "sh"):
            ran = run_script(script.replace("8799", str(port)), tmp_path, environ)
            assert ran.code == 0, desk.told(f"{script}\n{ran.told}")
            assert "Traceback" not in ran.out + ran.err, ran.told
            said += as_one(ran)
        for wanted in scene.says:
            assert re.search(wanted, said), f"{wanted!r} is not in:\n{said}"
        for shown in blocks(SECTIONS[heading], "console"):
            assert set(plain_lines(shown)) <= set(plain_lines(said)), said


def is_shown(desk: Desk) -> bool:
    """Whether the JSON state has caught up with the database, which it may lag behind by a second."""
    [row] = desk.rows("SELECT value FROM note WHERE name = 'generation'")
    return bool(desk.state()["generation"] >= int(row["value"]))


def plain_lines(text: str) -> list[str]:
    """The lines of a text without what differs each time: figures, and the width of columns."""
    return [re.sub(r"\s+", " ", re.sub(r"\d+", "0", line)) for line in text.strip().splitlines()]


def as_one(ran: Ran) -> str:
    return f"{ran.out}\n{ran.err}\n"


def config_of(heading: str, scene: Scene, there: Vendors) -> dict[str, Any]:
    """All that a section would have a person write, with the vendors' addresses turned to loopback."""
    config: dict[str, Any] = {"network": {"allowPrivate": True}}
    for part in (*map(json.loads, blocks(SECTIONS[heading], "json")), scene.config):
        for key, value in part.items():
            config[key] = {**config.get(key, {}), **value}
    channels = config.get("channels", {})
    return {**config, "channels": {name: there.here(entry) for name, entry in channels.items()}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("heading", [name for name, text in SECTIONS.items() if blocks(text, "json")])
def test_its_configurations_have_no_mistakes(heading: str, tmp_path: Path, there: Vendors) -> None:
    for number, snippet in enumerate(blocks(SECTIONS[heading], "json")):
        path = tmp_path / f"{number}.json"
        path.write_text(snippet)
        public = {name: f"https://example.com/{name}" for name in ("MY_HOOK_URL", "SLACK_ERROR_WEBHOOK")}
        public["DISCORD_OPS_WEBHOOK"] = "https://discord.com/api/webhooks/223704706495545344/abc-DEF_123"
        prepared = prepare(path, {**there.environ, **public})
        assert set(json.loads(snippet)["channels"]) <= set(prepared.channels)


def test_the_receiver_in_the_text_is_the_one_in_the_examples() -> None:
    source = (ROOT / "examples" / "webhook_receiver.py").read_text("utf-8")
    [shown] = blocks(SECTIONS["A webhook of your own"], "python")
    assert shown.strip() in source


@pytest.mark.parametrize("spoilt", ["body", "secret", "time", "id", "signature"])
def test_that_receiver_takes_what_is_signed_and_nothing_else(spoilt: str) -> None:
    event_of = runpy.run_path(str(ROOT / "examples" / "webhook_receiver.py"))["event_of"]
    at, body, other = 1_800_000_000, b'{"type": "nightdesk.alert"}', "whsec_" + "QUJD" * 8
    headers = HeadersOfMail()
    headers["webhook-id"], headers["webhook-timestamp"] = "alert-1", str(at)
    headers["webhook-signature"] = "v1,bm9uZQ== " + signature("alert-1", at, body, [WEBHOOK_KEY])
    assert event_of(headers, body, WEBHOOK_SECRET, at + 299) == {"type": "nightdesk.alert"}
    if spoilt in ("id", "signature"):
        headers.replace_header(f"webhook-{spoilt}", "alert-2")
    changed = (body + b" " if spoilt == "body" else body, other if spoilt == "secret" else WEBHOOK_SECRET)
    with pytest.raises(ValueError, match="too old" if spoilt == "time" else "signature"):
        event_of(headers, *changed, at + (301 if spoilt == "time" else 0))


def test_every_variable_that_makes_a_channel_is_named() -> None:
    used = {name for _, variables in CHANNELS.values() for name in variables.values()} | {BOT_TOKEN}
    assert sorted(name for name in used if f"`{name}`" not in TEXT) == []


def test_every_alert_of_the_code_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z.-]+)` \| (\w+) \|", SECTIONS["Every alert there is"], re.MULTILINE)
    assert dict(rows) == raised() | {WATCHDOG_ALERT: "critical"}
    assert len(rows) == len(dict(rows)), "an alert stands there twice"


def raised() -> dict[str, str]:
    """The alerts of the code, each with its severity, of two the graver."""
    found: dict[str, str] = {}
    for path in sorted([*(ROOT / "daemon").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]):
        tree = ast.parse(path.read_text("utf-8"))
        names = constants(tree)
        for node in ast.walk(tree):
            if is_raising(node) and (name := text_of(node.args[0], names)):
                told = [it.value for it in node.keywords if it.arg == "severity"]
                found[name] = gravest(told[0]) if told else ""
    return found


def is_raising(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether it is a call by which an alert is raised."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    return node.func.attr in ("fire", "firing", "tell")


def constants(tree: ast.Module) -> dict[str, str]:
    """The names that stand for a text in a module, those it imports included."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                found[node.targets[0].id] = node.value.value
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "daemon":
            source = ROOT / (node.module.replace(".", "/") + ".py")
            wanted = {it.name for it in node.names if it.name.isupper()}
            if wanted and source.exists():
                there = constants(ast.parse(source.read_text("utf-8")))
                found |= {name: text for name, text in there.items() if name in wanted}
    return found


def text_of(node: ast.expr, names: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return names.get(node.id) if isinstance(node, ast.Name) else None


def gravest(node: ast.expr) -> str:
    """The gravest severity that is named in an expression; one that is asked for is an error by default."""
    named = [
        it.attr for it in ast.walk(node) if isinstance(it, ast.Attribute) and it.attr in Severity.__members__
    ]
    return max((Severity[name] for name in named), key=lambda it: it.rank, default=Severity.ERROR).value


@pytest.mark.parametrize("document", [DOCUMENT, "README.md"])
def test_every_command_in_the_text_exists(document: str) -> None:
    argvs = [shlex.split(it) for it in commands_in(document)]
    assert len(argvs) > 15
    for argv in argvs:
        check_command(argv)


def commands_in(document: str) -> list[str]:
    """What follows `nightdesk`, in the text and in the blocks."""
    scripts = [block for text in sections(document).values() for block in blocks(text, "sh")]
    lines = [line for script in scripts for line in script.splitlines()]
    spans = re.findall(r"`nightdesk ([^`]+)`", (ROOT / document).read_text("utf-8"))
    return spans + [
        found[1] for line in lines if (found := re.match(r"nightdesk ([^#&|>]+?)(?: 2>|[#&|>]|$)", line))
    ]


def check_command(argv: list[str]) -> None:
    found: click.Command = program()
    context = click.Context(found)
    rest = list(argv)
    while isinstance(found, click.Group) and rest:
        name = rest.pop(0)
        following = found.get_command(context, name)
        assert following is not None, f"nightdesk {' '.join(argv)}: there is no {name}"
        found = following
    known = {option for parameter in found.params for option in parameter.opts} | {"--help", "--json"}
    assert [it for it in rest if it.startswith("--") and it not in known] == [], argv


def test_its_filters_of_jq_are_understood_where_there_is_no_jq() -> None:
    scripts = "".join(block for text in SECTIONS.values() for block in blocks(text, "sh"))
    filters = re.findall(r"jq (?:-[rc] )?('[^']+'|\.\w+)", scripts)
    assert len(filters) > 10
    for each in filters:
        Reader(each.strip("'")).whole()


def test_its_figures_and_words_are_those_of_the_code() -> None:
    rules = SECTIONS["When: the rules"]
    for gap in GAPS:
        assert f"{gap.total_seconds():.0f} s" in rules
    # The next message may go at the latest so long after the last, however the three before it fell.
    longest = max(GAPS[0], GAPS[1] - GAPS[0], GAPS[2] - GAPS[1])
    assert f"{longest.total_seconds():.0f} s" in rules
    assert "4 min 30 s" in rules
    for reason in (BELOW, NO_ROUTE, TURNED_OFF):
        assert f"| `{reason}` |" in SECTIONS["Nothing arrives"]
    for glob in UNMUTABLE:
        assert f"`{glob}`" in SECTIONS["Silences"]


def test_its_links_lead_somewhere() -> None:
    headings = re.findall(r"^#{1,3} (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-") for it in headings}
    assert {it for it in re.findall(r"\]\(#([^)]+)\)", TEXT)} <= anchors
    for path in re.findall(r"`((?:examples|systemd|daemon)/[\w./@-]+)`", TEXT):
        assert (ROOT / path).exists(), path
