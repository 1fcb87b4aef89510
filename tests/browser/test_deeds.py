"""Everything that an operator can have done from the page, done in a real browser to a real daemon."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.past import UNSETTLED_AGO
from tests.browser.stage import (
    FAILING_COMPANY,
    FAILING_JOB,
    GOOD_JOB,
    HOSTILE,
    READ_TOKEN,
    TAKEN_JOB,
    Stage,
    open_stage,
)
from tests.browser.visitor import Visitor
from tests.journeys.desk import zone_at_noon

LIVE_MS = 25_000  # for what waits for a sweep or the next step of a plan


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon of our own: what is done to it here is seen nowhere else."""
    with open_stage(tmp_path_factory.mktemp("deeds"), zone_at_noon()) as made:
        yield made


def test_an_alert_grows_before_ones_eyes_and_is_taken_on(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter()
    alerts = page.get_by_role("region", name="Open alerts")
    alert = alerts.get_by_role("listitem").filter(has_text=FAILING_JOB)
    expect(alert).to_contain_text("Told on-call by team-room")
    stage.trigger(FAILING_JOB)
    expect(alert).to_contain_text("2 times")
    alert.get_by_role("button", name=re.compile("Acknowledge")).click()
    visitor.confirm("I am on it")
    expect(alert).to_contain_text("Taken on by ada")
    expect(alert.get_by_role("button", name=re.compile("Acknowledge"))).to_have_count(0)
    [known] = stage.alerts(handler=FAILING_JOB)
    assert known["acknowledgedBy"] == "ada"


def test_alerts_are_silenced_for_a_while_and_told_again(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter(place="alerts")
    alert = page.get_by_role("region", name="Open").get_by_role("listitem").filter(has_text=FAILING_JOB)
    alert.get_by_role("button", name="Silence").click()
    dialog = page.get_by_role("dialog", name="Silence alerts like this?")
    dialog.get_by_label("What").fill("no such = thing,")
    dialog.get_by_label("Why").fill(HOSTILE[0])
    visitor.confirm("Silence")
    expect(dialog.get_by_role("alert")).to_contain_text("a match is")
    dialog.get_by_label("What").fill(f"task.failed,handler={FAILING_JOB}")
    dialog.get_by_label("For how long").select_option("30m")
    visitor.confirm("Silence")
    visitor.complaints.clear()  # the browser's own line about the 400 that was meant
    row = page.get_by_role("region", name="Silences").get_by_role("row", name=re.compile(FAILING_JOB))
    expect(row).to_contain_text(HOSTILE[0])
    expect(row).to_contain_text("ada")
    assert [it["match"] for it in stage.get("/api/silences")] == [f"task.failed,handler={FAILING_JOB}"]
    row.get_by_role("button", name="End").click()
    visitor.confirm("End it")
    expect(page.get_by_role("region", name="Silences")).to_contain_text("None is in force.")
    assert stage.get("/api/silences") == []


def test_an_alert_is_closed_on_somebodys_word(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter(place="alerts")
    is_it = {"has_text": TAKEN_JOB}
    alert = page.get_by_role("region", name="Open").get_by_role("listitem").filter(**is_it)
    expect(alert).to_contain_text("Taken on by grace")
    alert.get_by_role("link", name="task.failed").click()
    expect(page.get_by_role("region", name="Who was told")).to_contain_text("team-room")
    page.get_by_role("button", name="Resolve").click()
    visitor.confirm("It is over")
    expect(page.get_by_role("region", name="What is known")).to_contain_text("Over")
    expect(page.get_by_role("button", name="Resolve")).to_have_count(0)
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Alerts").click()
    over = page.get_by_role("region", name="Over")
    expect(over.get_by_role("row").filter(**is_it)).to_be_visible()
    assert stage.alerts(handler=TAKEN_JOB) == []


def test_a_digest_is_sent_once_and_again_only_on_a_second_word(visitor: Visitor) -> None:
    page, today = visitor.page, visitor.stage.today
    visitor.enter(place="digests")
    page.get_by_role("link", name=str(today)).click()
    expect(page.locator(".heading")).to_contain_text("not sent")
    page.get_by_role("button", name="Send now").click()
    visitor.confirm("Send it")
    expect(page.locator(".heading")).not_to_contain_text("not sent")
    expect(page.locator(".heading")).to_contain_text("sent")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Everybody gets it twice")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    [row] = [it for it in visitor.stage.get("/api/digests") if it["date"] == str(today)]
    assert row["sentAt"]


def test_what_nobody_knows_of_is_settled_by_a_word(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    day = stage.today - timedelta(days=UNSETTLED_AGO)
    visitor.enter(place=f"reports/{day}")
    page.get_by_role("link", name="B6", exact=True).click()
    heading = page.locator(".heading")
    expect(heading).to_contain_text("unknown")
    page.get_by_role("button", name="It has arrived").click()
    visitor.confirm("It has arrived")
    expect(heading).to_contain_text("delivered")
    expect(page.get_by_role("button", name="It has arrived")).to_have_count(0)
    page.get_by_role("link", name=f"Reports of {day}").click()
    row = page.get_by_role("row", name=re.compile("^B6 "))
    expect(row).to_contain_text("delivered", timeout=LIVE_MS)
    assert stage.get(f"/api/reports/B6/{day}")["status"] == "delivered"


def test_what_nobody_knows_of_is_sent_again_after_a_warning(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    day = stage.today - timedelta(days=UNSETTLED_AGO)
    visitor.enter(place=f"reports/DL/{day}")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("dialog")).to_contain_text("It may come twice")
    visitor.confirm("Send it again")
    expect(page.locator("#notice")).to_contain_text("Noted.")
    expect(page.locator(".heading")).not_to_contain_text("unknown")
    assert stage.get(f"/api/reports/DL/{day}")["status"] != "unknown"


def test_a_schedule_is_run_paused_and_resumed_from_its_own_view(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter(place=f"schedules/{GOOD_JOB}")
    runs = page.get_by_role("region", name="Last runs").get_by_role("row")
    expect(runs).to_have_count(1 + 30)
    page.get_by_role("button", name=f"Run {GOOD_JOB}").click()
    visitor.confirm("Run now")
    expect(page.locator("#notice")).to_contain_text("has been triggered")
    expect(runs.nth(1)).to_contain_text("api")
    page.get_by_role("button", name=f"Pause {GOOD_JOB}").click()
    page.get_by_label("For how long").select_option("12h")
    page.get_by_label("Why").fill(HOSTILE[0])
    visitor.confirm("Pause")
    when = page.get_by_role("region", name="When")
    expect(when).to_contain_text("paused until")
    expect(when).to_contain_text(HOSTILE[0])
    [known] = [it for it in stage.get("/api/schedules") if it["name"] == GOOD_JOB]
    assert known["pauseReason"] == HOSTILE[0]
    page.get_by_role("button", name=f"Resume {GOOD_JOB}").click()
    expect(page.get_by_role("dialog")).to_contain_text(HOSTILE[0])
    visitor.confirm("Resume")
    expect(when).not_to_contain_text("paused")
    expect(page.locator(f"#pause-{GOOD_JOB}")).to_be_focused()


def test_an_emergency_that_waits_is_called_off(visitor: Visitor) -> None:
    page = visitor.page
    visitor.enter(place="emergency")
    page.get_by_label("Reason").fill("a drill")
    page.get_by_label("Company").fill(FAILING_COMPANY)
    page.get_by_label("Begin in minutes").fill("30")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("button", name="Send 1 report …").click()
    expect(page.get_by_role("dialog")).to_contain_text("begins in 30 min")
    visitor.confirm("Send 1 report")
    page.get_by_role("button", name="Call it off").click()
    visitor.confirm("Call it off")
    expect(page.get_by_role("region", name="Progress")).to_contain_text("It was called off")


def test_an_emergency_for_one_company_is_seen_to_its_end(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    visitor.enter(place="emergency")
    page.get_by_label("Reason").fill(f"{FAILING_COMPANY} waits for its figures")
    page.get_by_label("Company").fill("NOBODY")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#wish-form").get_by_role("alert")).to_contain_text("NOBODY")
    visitor.complaints.clear()  # the browser's own line about the 404 that was meant
    page.get_by_label("Company").fill(FAILING_COMPANY)
    page.get_by_role("button", name="Show the plan").click()
    plan = page.get_by_role("region", name="The plan")
    expect(plan).to_contain_text(f"1 report of {stage.today} will be sent.")
    plan.get_by_role("button", name="Send 1 report …").click()
    expect(page.get_by_role("dialog")).to_contain_text(FAILING_COMPANY)
    stage.gateway.instead = None
    visitor.confirm("Send 1 report")
    page.evaluate("window.isTheSame = true")
    progress = page.get_by_role("region", name="Progress")
    expect(progress).to_contain_text("Done.", timeout=LIVE_MS)
    progress.get_by_role("link").click()
    row = page.get_by_role("row", name=re.compile(f"^{FAILING_COMPANY} "))
    expect(row).to_contain_text("delivered")
    assert page.evaluate("window.isTheSame")
    assert [it.thread for it in stage.gateway.line.copies]


def test_one_report_is_made_now(visitor: Visitor) -> None:
    page, stage = visitor.page, visitor.stage
    tomorrow = stage.today + timedelta(days=1)
    visitor.enter(place=f"reports/AA/{tomorrow}")
    page.get_by_role("button", name="Make it now").click()
    visitor.confirm("Make it now")
    expect(page.locator("#notice")).to_contain_text("The report of AA is being made.")


def test_a_token_that_may_only_read_is_told_why_nothing_can_be_done(visitor: Visitor) -> None:
    page, today = visitor.page, visitor.stage.today
    visitor.enter_as_reader()
    expect(page.get_by_text("read only")).to_be_visible()
    for place in ("", "alerts", f"digests/{today}", f"schedules/{GOOD_JOB}", "emergency"):
        visitor.go(place)
        expect(page.get_by_text("Loading …")).to_have_count(0)
        buttons = page.locator("main").get_by_role("button", name=re.compile("^(Run|Resolve|Send|Show)"))
        expect(buttons.first).to_be_disabled()
        buttons.first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("may only read")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert buttons.first.get_attribute("title")


def test_a_token_that_is_taken_back_closes_the_door(visitor: Visitor) -> None:
    page, desk = visitor.page, visitor.stage.desk
    visitor.enter_as_reader()
    before = desk.config.read_text()
    desk.config.write_text(before.replace("env:READ_TOKEN", "env:NEXT_TOKEN"))
    desk.reload()
    desk.wait_for("the other token", lambda: "config.reloaded" in desk.home.log_file.read_text())
    visitor.stage.trigger(GOOD_JOB)
    expect(page.locator(".door .problem")).to_contain_text("no longer taken", timeout=LIVE_MS)
    expect(page.get_by_label("Token")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    assert READ_TOKEN not in page.content()
    visitor.complaints.clear()  # the browser's own lines about the 401 that was meant
