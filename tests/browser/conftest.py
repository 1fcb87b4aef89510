"""What the browser tests lean on: one daemon, one Chromium, a page that hears every complaint."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.stage import READ_TOKEN, TOKEN, Stage, open_stage

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 10_000


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon with something to show."""
    with open_stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), "Chromium is missing; run: apt install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


class Visitor:
    """A tab, and everything that it complained of."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self.stage = stage
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def go(self, place: str = "") -> None:
        """Go to a place in the page: "alerts", "digests/2026-11-21"."""
        self.page.goto(f"{self.stage.address}/#/{place}")

    def enter(self, token: str = TOKEN, place: str = "") -> None:
        """Come with a token and find everything drawn."""
        self.go(place)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("#pulse.live").wait_for()

    def enter_as_reader(self, place: str = "") -> None:
        self.enter(READ_TOKEN, place)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture
def visitor(browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """A tab of a screen of usual size; at its end nothing may have been complained of."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    made = Visitor(context.new_page(), stage)
    yield made
    context.close()
    assert made.complaints == []
