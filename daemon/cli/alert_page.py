"""One alert on a page: what it is, what was said of it, to whom, and how that went."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from daemon.cli.call import Call
from daemon.cli.tables import Column, Style, clean, display_width, render
from daemon.cli.times import Shower, shower
from state.codec import to_json

COLOUR_OF = {"critical": "bright_red", "error": "red", "warning": "yellow", "info": "cyan"}
Row = Mapping[str, Any]


def page(call: Call, alert: Row, offset: int) -> str:
    """All that `told.everything` knows, for people."""
    facts = [(clean(name), text) for name, text in _facts(alert, shower(call))]
    width = max(display_width(name) for name, _ in facts)
    parts = ["\n".join(f"{name}{' ' * (width - display_width(name))}  {text}" for name, text in facts)]
    if alert["notices"]:
        parts.append(_messages(call, alert["notices"]))
    parts += [_incident(call, it, offset) for it in alert["incidents"]]
    return "\n\n".join(parts)


def told_in_words(row: Row | None, times: Shower) -> str:
    """Whether somebody has heard of it, on one line."""
    if row is None:
        return "-"
    match row["state"]:
        case "delivered":
            return f"{times(row['at'])} by {row['channel'] or row['receiver']}"
        case "owed":
            return f"not yet: {row['reason'] or 'it is being sent'}"
        case "waiting":
            return "soon"
    return str(row["reason"])


def severity_style(call: Call) -> Style | None:
    """The colours of severities, where there are colours."""
    if not call.has_colour:
        return None
    return lambda cell: click.style(cell, fg=COLOUR_OF.get(cell.strip()))


def _facts(alert: Row, times: Shower) -> list[tuple[str, str]]:
    over = f", over {times(alert['resolvedAt'])}" if alert["resolvedAt"] else ", open"
    facts = [
        ("alert", f"{alert['name']}, {alert['severity']}{over}"),
        ("summary", clean(alert["summary"])),
        ("id", alert["id"]),
        (f"since ({times.zone_name})", _since(alert, times)),
    ]
    facts += [(name, clean(value)) for name, value in alert["labels"].items()]
    facts += [(name, _shown(value)) for name, value in alert["details"].items()]
    if alert["advice"]:
        facts.append(("advice", clean(alert["advice"])))
    if alert["acknowledgedAt"]:
        who = clean(alert["acknowledgedBy"])
        facts.append(("acknowledged", f"{times(alert['acknowledgedAt'])} by {who}"))
    facts.append(("told", clean(told_in_words(alert["told"], times))))
    facts += [
        (f"muted {it['receiver']}".rstrip(), clean(it["muted"])) for it in alert["tellings"] if it["muted"]
    ]
    return facts


def _since(alert: Row, times: Shower) -> str:
    first = times(alert["firstAt"])
    if alert["count"] == 1:
        return first
    return f"{first}, last {times(alert['lastAt'])}, {alert['count']:,} times"


def _shown(value: Any) -> str:
    return clean(value if isinstance(value, str | int | float) else to_json(value).decode())


def _messages(call: Call, notices: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="MESSAGE"),
        Column(title="RECEIVER"),
        Column(title="MADE"),
        Column(title="CHANNEL"),
        Column(title="OUTCOME"),
        Column(title="AT"),
        Column(title="AFTER", is_right=True),
        Column(title="ANSWER", may_be_cut=True),
    )
    return render(columns, [cells for it in notices for cells in _rows_of(it, times)], call.width)


def _rows_of(notice: Row, times: Shower) -> list[list[object]]:
    """One line for each channel that was tried; one that says so where none was."""
    about = [notice["kind"], notice["receiver"], times(notice["createdAt"])]
    after = None if notice["latencyS"] is None else f"{notice['latencyS']:.1f}s"
    rows: list[list[object]] = []
    for it in notice["deliveries"]:
        is_proof = it["channel"] == notice["channel"]
        answer = it["proof"] or it["error"]
        outcome, at = it["state"], times(it["lastTriedAt"])
        rows.append([*about, it["channel"], outcome, at, after if is_proof else None, answer])
    at = times(notice["deliveredAt"])
    return rows or [[*about, notice["channel"], notice["state"], at, after, notice["error"]]]


def _incident(call: Call, incident: Row, offset: int) -> str:
    times = shower(call)
    shown = incident["alerts"]
    total = incident["total"]
    count = f"{total:,} alerts" if total != 1 else "1 alert"
    part = "" if len(shown) == total else f", {offset + 1:,} to {offset + len(shown):,} shown"
    if not shown:
        part = ", none shown from there on"
    title = f"{incident['id']} to {clean(incident['receiver'])}: {count}{part}"
    if offset + len(shown) < total and shown:
        title += f"; --offset {offset + len(shown)} shows more"
    columns = (
        Column(title="SEVERITY", style=severity_style(call)),
        Column(title="SINCE"),
        Column(title="OVER"),
        Column(title="ID"),
        Column(title="SUMMARY", may_be_cut=True),
    )
    cells = [
        [it["severity"], times(it["firstAt"]), times(it["resolvedAt"]), it["id"], it["summary"]]
        for it in shown
    ]
    return f"{title}\n{render(columns, cells, call.width)}" if cells else title
