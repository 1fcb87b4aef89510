"""The daily health as a message and as a text: each trouble is told once."""

from dataclasses import replace

from daemon.reports.advice import advised
from daemon.reports.components import Component, State
from daemon.reports.health import Health
from daemon.reports.kpis import kpis
from handlers.health_message import as_message, as_text
from state.records import Alert
from state.records import replace as change
from tests.daemon.reports.owing import DUE
from tests.state.sample import make_alert

LLM = "20 of 20 reports of 2026-11-21 were not written by the first language model"


def alert(summary: str) -> Alert:
    return change(make_alert(summary), summary=summary)


def troubled(*alerts: str) -> Health:
    parts = (
        Component(name="llm", state=State.DEGRADED, detail=LLM),
        Component(name="disk", state=State.OK, detail="9.0 GB free"),
    )
    figures = tuple(kpis(None, None, None))
    health = Health(at=DUE, components=parts, kpis=figures, grave_alerts=tuple(map(alert, alerts)))
    return replace(health, recommendations=tuple(advised(health)))


def test_what_a_component_tells_is_told_once_on_a_page() -> None:
    page = as_text(troubled(LLM, "hello has failed"), [])
    assert page.count(LLM) == 1
    assert "Open alerts: hello has failed." in page


def test_a_message_which_has_no_table_names_what_ails() -> None:
    message = as_message(troubled(LLM), [], message_id="one")
    assert message.text == f"llm: {LLM}."
    assert [it.title for it in message.entries] == ["Reports are not written by the best model"]


def test_where_nothing_ails_it_is_said() -> None:
    sound = Health(at=DUE, components=(Component(name="redis", state=State.OK, detail="takes writes"),))
    assert as_message(sound, [], message_id="one").text == "Every component answers as it should."
