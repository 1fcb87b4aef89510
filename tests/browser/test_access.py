"""The dashboard for everybody: by keyboard, by screen reader, on a small screen, in light and dark."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import GOOD_JOB, Stage
from tests.browser.visitor import Visitor

VIEWS = {
    "today": "",
    "alerts": "alerts",
    "digests": "digests",
    "digest": "digests/{today}",
    "reports": "reports/{today}",
    "report": "reports/AA/{today}",
    "health": "health",
    "emergency": "emergency",
    "schedule": f"schedules/{GOOD_JOB}",
}
PHONE = {"width": 360, "height": 740}
GRAVE = ("serious", "critical")


@cache
def axe() -> str:
    """The scanner: https://github.com/dequelabs/axe-core, as its package for Playwright brings it."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """A tab of a small telephone."""
    context = browser.new_context(viewport=PHONE, color_scheme=request.param, has_touch=True)
    made = Visitor(context.new_page(), stage)
    yield made
    context.close()
    assert made.complaints == []


def scanned(visitor: Visitor) -> list[str]:
    """What the scanner finds grave, each with where."""
    if not visitor.page.evaluate("'axe' in window"):
        visitor.page.evaluate(axe())
    found: dict[str, Any] = visitor.page.evaluate("axe.run()")
    grave = [it for it in found["violations"] if it["impact"] in GRAVE]
    return [f"{it['id']}: {node['target']} {node['failureSummary']}" for it in grave for node in it["nodes"]]


def test_every_view_can_be_read_by_anybody_on_a_telephone(phone: Visitor) -> None:
    phone.go()
    assert scanned(phone) == []
    phone.enter()
    for name, place in VIEWS.items():
        phone.go(place.format(today=phone.stage.today))
        expect(phone.page.get_by_role("heading", level=1)).to_be_visible()
        expect(phone.page.get_by_text("Loading …")).to_have_count(0)
        assert (name, scanned(phone)) == (name, [])
        width = phone.page.evaluate("document.documentElement.scrollWidth")
        assert (name, width) == (name, PHONE["width"])


def test_today_can_be_read_by_anybody_on_a_desk(visitor: Visitor) -> None:
    visitor.enter()
    expect(visitor.page.get_by_text("Loading …")).to_have_count(0)
    assert scanned(visitor) == []
    visitor.page.get_by_role("button", name="Turn dark").click()
    assert scanned(visitor) == []


def test_everything_can_be_done_from_the_keyboard(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go()
    expect(page.get_by_label("Token")).to_be_focused()
    visitor.enter()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.reload()
    page.locator("#pulse.live").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    button = page.get_by_role("button", name=f"Run {GOOD_JOB}")
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("it => it === document.activeElement"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Run {GOOD_JOB} now?")
    expect(dialog.get_by_role("button", name="Run now")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert button.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
