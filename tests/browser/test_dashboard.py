"""The dashboard in a real browser, before a real daemon: what it shows, what it does, what it bears."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.stage import FAILING_COMPANY, FAILING_JOB, GOOD_JOB


def test_a_wrong_token_is_told_of_and_a_right_one_opens(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go()
    page.get_by_label("Token").fill("a guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_contain_text("not known")
    visitor.complaints.clear()  # the browser's own line about the 401 that was meant
    visitor.enter()
    expect(page.get_by_role("heading", level=1)).to_contain_text("alert")
    assert page.url.endswith("/#/")
    assert page.evaluate("[Object.keys(localStorage).length, Object.keys(sessionStorage).length]") == [0, 1]


def test_today_is_seen_at_a_glance(visitor: Visitor) -> None:
    page = visitor.page
    visitor.enter()
    expect(page.get_by_role("img", name=re.compile("Coverage of .*: 15 of 16 reports"))).to_be_visible()
    coverage = page.get_by_role("region", name="Coverage")
    expect(coverage.get_by_role("link", name=FAILING_COMPANY, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Open alerts")).to_contain_text(FAILING_JOB)
    expect(page.get_by_role("row", name=re.compile(GOOD_JOB))).to_contain_text("in ")
    expect(page.get_by_role("img", name=re.compile("40 runs, the median took"))).not_to_have_count(0)
    expect(
        page.get_by_text(re.compile(r"% of 1,4\d\d reports delivered|% of 4\d\d reports delivered"))
    ).to_be_visible()
    expect(page.locator("day-bars canvas")).to_have_count(2)
