"""The dashboard for everybody: by keyboard, by screen reader, on a small screen, in light and dark."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import GOOD_JOB, Stage
from tests.browser.visitor import Visitor

# The views by their title: where each is.
VIEWS = {
    "Alerts": "alerts",
    "Alert": "alerts/{alert}",
    "Digests": "digests",
    "Digest of {today}": "digests/{today}",
    "Reports": "reports/{today}",
    "Report of AA, {today}": "reports/AA/{today}",
    "Health": "health",
    "Emergency": "emergency",
    GOOD_JOB: f"schedules/{GOOD_JOB}",
    "Today": "",
}
# Those with a colour that no other has.
IN_THE_DARK = ("Alert", "Digest of {today}", "Report of AA, {today}", "Health", "Emergency", "Today")
PHONE = {"width": 360, "height": 740}
COLOURS = ("color-contrast", "link-in-text-block")
# Of what passes only the first node is looked up by its name: the rest would take most of the time.
WANTED = {"resultTypes": ["violations"]}
GRAVE = ("serious", "critical")


@cache
def axe() -> str:
    """The scanner: https://github.com/dequelabs/axe-core, as its package for Playwright brings it."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


@pytest.fixture
def phone(browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """A tab of a small telephone."""
    context = browser.new_context(viewport=PHONE, has_touch=True)
    made = Visitor(context.new_page(), stage)
    yield made
    context.close()
    assert made.complaints == []


def scanned(visitor: Visitor, rules: Sequence[str] = ()) -> list[str]:
    """What the scanner finds grave, each with where; by these rules alone, or by all there are."""
    if not visitor.page.evaluate("'axe' in window"):
        visitor.page.evaluate(axe())
    only = {"runOnly": list(rules)} if rules else {}
    found: dict[str, Any] = visitor.page.evaluate("(it) => axe.run(it)", {**WANTED, **only})
    grave = [it for it in found["violations"] if it["impact"] in GRAVE]
    return [f"{it['id']}: {node['target']} {node['failureSummary']}" for it in grave for node in it["nodes"]]


def test_every_view_can_be_read_by_anybody_on_a_telephone(phone: Visitor) -> None:
    page, today = phone.page, phone.stage.today
    phone.go()
    assert scanned(phone) == []
    phone.enter()
    alert = phone.stage.alerts()[0]["id"]
    for title, place in VIEWS.items():
        phone.go(place.format(today=today, alert=alert))
        expect(page).to_have_title(f"{title.format(today=today)} · nightdesk")
        expect(page.get_by_text("Loading …")).to_have_count(0)
        assert (title, scanned(phone)) == (title, [])
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (title, width) == (title, PHONE["width"])


def test_every_view_can_be_read_in_the_dark(visitor: Visitor) -> None:
    page, today = visitor.page, visitor.stage.today
    visitor.enter()
    page.get_by_role("button", name="Turn dark").click()
    alert = visitor.stage.alerts()[0]["id"]
    for title in IN_THE_DARK:
        visitor.go(VIEWS[title].format(today=today, alert=alert))
        expect(page).to_have_title(f"{title.format(today=today)} · nightdesk")
        expect(page.get_by_text("Loading …")).to_have_count(0)
        assert (title, scanned(visitor, COLOURS)) == (title, [])
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
