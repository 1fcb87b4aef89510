"""Reports as text, HTML and JSON: the same bytes each time, and harmless whatever is in them."""

import json
import logging
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reporting.base import Facts, Report, Table
from handlers.reporting.render import Renderer
from tests.daemon.notify.hostile import BARBS, URLS

DAY = date(2026, 11, 21)
FACTS = Facts(
    company_id="acme",
    date=DAY,
    values={
        "orders": 1234,
        "orders_week_before": 1000,
        "mean_delay": -0.5,
        "best_shop": "Mitte",
        "is_open": True,
    },
    tables={
        "Worst routes": Table(columns=("route", "delay"), rows=(("A – B", 12.5), ("C – D", 7), ("E", None)))
    },
)
REPORT = Report(
    company_id="acme",
    company_name="Acme & Sons",
    date=DAY,
    facts=FACTS,
    prose="A good day.\nTruly.\n\nAnd a second paragraph.",
    rung="template",
    stable_id="report-acme-2026-11-21",
    generated_at=datetime(2026, 11, 22, 5, 0, tzinfo=UTC),
)
RENDERER = Renderer()
HOSTILE = "".join(BARBS) + "x" * 10_000 + "<b>" + "&" * 100


class Page(HTMLParser):
    """The elements, attributes and words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def hostile_report(barb: str) -> Report:
    """A report in which everything that may be foreign is."""
    table = Table(columns=(barb or "a", "n"), rows=((barb, 1), (barb * 3, 2)))
    facts = Facts(
        company_id=barb,
        date=DAY,
        values={barb: barb, f"{barb}_week_before": barb, "list": (barb, barb), "map": {barb: barb}},
        tables={barb: table},
        problem=barb,
    )
    told = {"company_id": barb, "company_name": barb, "prose": barb, "rung": barb, "stable_id": barb}
    return replace(REPORT, facts=facts, notes=(barb,), **told)


PLAIN_ELEMENTS = Page(RENDERER.render(hostile_report("x\ny")).html)


def test_text_holds_figures_with_their_change_and_tables_in_columns() -> None:
    assert RENDERER.render(REPORT).text == (
        "Acme & Sons\nSaturday, 21 November 2026\n\n"
        "A good day.\nTruly.\n\nAnd a second paragraph.\n\n"
        "Figure        Day  Week before          Change\n"
        "Orders      1,234        1,000  +234 (+23.4 %)\n"
        "Mean delay   -0.5\n"
        "Best shop   Mitte\n"
        "Is open       yes\n\n"
        "Worst routes\n"
        "Route  Delay\n"
        "A – B   12.5\n"
        "C – D      7\n"
        "E          –\n\n"
        "Written by template.\n\n"
        "-- \nnightdesk · report · 2026-11-22 05:00 UTC · report-acme-2026-11-21\n"
    )


def test_the_kept_json_holds_all_of_it() -> None:
    assert json.loads(RENDERER.render(REPORT).json) == {
        "companyId": "acme",
        "companyName": "Acme & Sons",
        "date": "2026-11-21",
        "facts": dict(FACTS.values),
        "tables": {
            "Worst routes": [
                {"route": "A – B", "delay": 12.5},
                {"route": "C – D", "delay": 7},
                {"route": "E", "delay": None},
            ]
        },
        "problem": None,
        "prose": REPORT.prose,
        "rung": "template",
        "isDegraded": False,
        "isLate": False,
        "notes": [],
        "stableId": "report-acme-2026-11-21",
        "generatedAt": "2026-11-22T05:00:00Z",
    }


def test_figures_stand_to_the_right_and_words_to_the_left() -> None:
    page = RENDERER.render(REPORT).html
    (cell,) = [part for part in page.split("<td") if ">12.5<" in part]
    assert 'align="right"' in cell
    (cell,) = [part for part in page.split("<td") if ">A – B<" in part]
    assert 'align="left"' in cell


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_degraded": True}, "Written by template; no model was reached."),
        ({"rung": "main"}, "Written by main; the figures come from the source."),
        ({"is_late": True}, "This report is late."),
        ({"notes": ("Made by the backup.",)}, "Made by the backup."),
        ({"facts": replace(FACTS, problem="There are no figures.")}, "There are no figures."),
    ],
    ids=["degraded", "model", "late", "note", "problem"],
)
def test_what_a_reader_must_know_is_in_text_and_page(changes: dict[str, Any], said: str) -> None:
    made = RENDERER.render(replace(REPORT, **changes))
    assert said in made.text
    assert said in made.html


def test_the_same_report_is_the_same_bytes() -> None:
    assert RENDERER.render(REPORT) == Renderer().render(REPORT)


def test_a_page_fetches_nothing_and_is_readable_in_the_dark_and_on_a_phone() -> None:
    page = RENDERER.render(REPORT).html
    assert not {"img", "script", "link", "iframe", "a", "form"} & Page(page).elements
    assert "http" not in page
    assert "url(" not in page
    assert "prefers-color-scheme:dark" in page
    assert 'name="viewport"' in page
    assert "max-width:640px" in page


@pytest.mark.parametrize("barb", [*BARBS, *filter(None, URLS), HOSTILE], ids=range(len(BARBS) + 17))
def test_hostile_text_is_harmless_in_all_three(barb: str) -> None:
    made = RENDERER.render(hostile_report(barb))
    page = Page(made.html)
    assert page.elements <= PLAIN_ELEMENTS.elements
    assert page.attributes <= PLAIN_ELEMENTS.attributes
    for text in (made.text, made.html):
        assert not any(sign in text for sign in "\x00\x1b\u202e\u2066\u200b\ud83d\u2028")
        assert len(text) < 60_000
    assert json.loads(made.json.decode())["rung"] == barb.encode("utf-8", "replace").decode()


@given(st.text(max_size=40), st.floats() | st.integers() | st.text() | st.none() | st.booleans())
def test_whatever_the_facts_hold_a_report_is_made(name: str, value: Any) -> None:
    table = Table(columns=(name, "n"), rows=((value, 1), (None, value)))
    values = {name: value, f"{name}_week_before": value, "x": value, "x_week_before": 3}
    facts = Facts(company_id="a", date=DAY, values=values, tables={name: table})
    made = RENDERER.render(replace(REPORT, facts=facts))
    assert json.loads(made.json)["companyId"] == "acme"
    assert Page(made.html).elements <= PLAIN_ELEMENTS.elements


def test_a_report_without_figures_or_rows_is_whole() -> None:
    facts = Facts(
        company_id="a", date=DAY, values={}, tables={"None": Table(columns=(), rows=())}, problem="Nothing."
    )
    made = RENDERER.render(replace(REPORT, facts=facts, prose=""))
    assert "PLEASE NOTE: Nothing." in made.text
    assert "(no rows)" in made.text
    assert made.html.endswith("</html>\n")


def test_long_tables_are_shown_in_part_and_kept_in_whole() -> None:
    rows = tuple((f"r{number}", number) for number in range(500))
    facts = replace(FACTS, tables={"Long": Table(columns=("r", "n"), rows=rows)})
    made = RENDERER.render(replace(REPORT, facts=facts))
    assert "… and 400 more" in made.text
    assert "… and 400 more" in made.html
    assert len(json.loads(made.json)["tables"]["Long"]) == 500


def test_templates_of_ones_own_are_taken_and_escape_as_well(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>{{ view.company }} {{ view.report.facts.values.orders }}</p>")
    made = Renderer(tmp_path).render(replace(REPORT, company_name="<b>"))
    assert made.html == "<p>&lt;b&gt; 1234</p>"
    assert made.text == RENDERER.render(replace(REPORT, company_name="<b>")).text


@pytest.mark.parametrize(
    "template",
    [
        "{{ view.nothing }}",
        "{{ view.__class__.__mro__ }}",
        "{{ view.report.__init__.__globals__ }}",
        "{% for a in range(10 ** 9) %}x{% endfor %}",
        "{{ 1 / 0 }}",
    ],
    ids=["unknown", "class", "globals", "endless", "division"],
)
def test_a_template_that_fails_is_stood_in_for(
    tmp_path: Path, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "report.txt").write_text(template)
    with caplog.at_level(logging.WARNING, logger="handlers.reporting"):
        made = Renderer(tmp_path).render(REPORT)
    assert made == RENDERER.render(REPORT)
    (record,) = caplog.records
    assert record.message == "template.failed"
    assert "report.txt" in record.__dict__["fields"]["error"]


def test_a_template_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("fine\n{% if %}\n")
    with pytest.raises(ValueError, match=r"^reports\.templates: report\.txt, line 2: "):
        Renderer(tmp_path)


def test_a_folder_of_templates_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^reports\.templates: .* is no folder"):
        Renderer(tmp_path / "none")
