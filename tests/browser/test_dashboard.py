"""The dashboard in a real browser, before a real daemon: what it shows, and what it bears."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.browser.stage import COMPANIES, FAILING_COMPANY, FAILING_JOB, GOOD_JOB, HOSTILE, TOKEN
from tests.browser.visitor import Visitor

PAGE_LOAD_BYTES = 150_000


def test_a_wrong_token_is_told_of_and_a_right_one_opens(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go()
    page.get_by_label("Token").fill("ein Schlüssel")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".door .problem")).to_contain_text("no token")
    page.get_by_label("Token").fill("a-guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".door .problem")).to_contain_text("not known")
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
    expect(page.get_by_role("img", name=re.compile("30 runs, the median took"))).not_to_have_count(0)
    expect(page.get_by_text(re.compile(r"% of 4\d\d reports delivered"))).to_be_visible()
    expect(page.locator("day-bars canvas")).to_have_count(2)
    page.get_by_role("button", name="90 days").click()
    expect(page.get_by_text(re.compile(r"% of 1,4\d\d reports delivered"))).to_be_visible()


def test_a_page_load_is_small(visitor: Visitor) -> None:
    page = visitor.page
    moved: list[float] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda it: moved.append(it["encodedDataLength"]))
    network.send("Network.enable")
    visitor.enter()
    expect(page.locator("day-bars canvas")).to_have_count(2)
    page.wait_for_load_state()
    assert len(moved) > 30
    assert sum(moved) < PAGE_LOAD_BYTES, f"{sum(moved):,.0f} bytes in {len(moved)} answers"


def test_a_run_is_seen_without_a_reload(visitor: Visitor) -> None:
    page = visitor.page
    visitor.enter()
    row = page.locator(f"#schedule-{GOOD_JOB}")
    expect(row.locator("td").first).to_contain_text(re.compile("days|d \\d+ h ago|h ago|ago"))
    page.evaluate("window.isTheSame = true")
    visitor.stage.trigger(GOOD_JOB)
    expect(row.locator("td").first).to_contain_text(re.compile(r"completed.*(now|\d s ago)"))
    assert page.evaluate("window.isTheSame")


def test_what_others_have_written_is_text_and_nothing_else(visitor: Visitor) -> None:
    page = visitor.page
    visitor.enter(place=f"digests/{visitor.stage.today}")
    leads = page.get_by_role("region", name="Marked leads")
    for title in HOSTILE:
        expect(leads.get_by_role("heading", name=title)).to_be_visible()
    expect(leads.get_by_role("link", name=re.compile("safe"))).to_have_count(0)  # javascript: is no address
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.title() == f"Digest of {visitor.stage.today} · nightdesk"


def test_a_report_shows_its_figures_and_why_it_stands_as_it_does(visitor: Visitor) -> None:
    page, today = visitor.page, visitor.stage.today
    visitor.enter(place=f"reports/{today}")
    page.get_by_role("row", name=re.compile("^AA ")).get_by_role("link", name="AA").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("American Airlines Inc.")
    expect(page.get_by_role("region", name="Why")).to_contain_text("send.delivered")
    expect(page.get_by_role("region", name="The report")).to_contain_text("Mean departure delay")
    page.get_by_text("As it was sent, as text").click()
    expect(page.locator("pre")).to_contain_text("Worst routes")


def test_those_without_a_report_are_shown_alone(visitor: Visitor) -> None:
    page, today = visitor.page, visitor.stage.today
    visitor.enter(place=f"reports/{today}")
    expect(page.get_by_role("row")).to_have_count(1 + COMPANIES)
    page.get_by_role("button", name="Missing").click()
    expect(page.get_by_role("row", name=re.compile("^AA "))).to_have_count(0)
    page.get_by_role("button", name="All").click()
    page.get_by_label("Date").fill(str(today - timedelta(days=1)))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Reports of {today - timedelta(days=1)}")
    expect(page.get_by_label("Date")).to_have_value(str(today - timedelta(days=1)))


def test_addresses_in_messages_lead_to_their_view(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter()
    [alert, *_] = stage.alerts()
    places = {
        f"alerts/{alert['id']}": alert["name"],
        "alerts": "Alerts",
        f"digests/{stage.today}": f"Digest of {stage.today}",
        f"reports/AA/{stage.today}": "American Airlines Inc.",
    }
    for path, heading in places.items():
        page.goto(f"{stage.address}/{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert page.url == f"{stage.address}/#/{path}"


def test_the_page_goes_on_without_its_stream_and_says_so(visitor: Visitor) -> None:
    page = visitor.page
    page.route("**/api/events", lambda route: route.abort())
    visitor.go()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#pulse.away")).to_contain_text("reconnecting")
    expect(page.get_by_role("region", name="Coverage")).to_contain_text("Delivered")
    page.unroute("**/api/events")
    expect(page.locator("#pulse.live")).to_be_visible()
    visitor.complaints.clear()  # the browser's own lines about the stream that was cut
