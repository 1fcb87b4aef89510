"""Somebody in a browser who is to see the dashboard, and everything that the browser complained of."""

from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page

from tests.browser.stage import READ_TOKEN, TOKEN, Stage

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",
)
PATIENCE_MS = 10_000


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
        """Come with a token, and stay until the page is live."""
        self.go(place)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("#pulse.live").wait_for()

    def enter_as_reader(self, place: str = "") -> None:
        """Come with a token that may only read."""
        self.enter(READ_TOKEN, place)

    def confirm(self, verb: str) -> None:
        """Say yes in the dialog that asks."""
        self.page.get_by_role("dialog").get_by_role("button", name=verb, exact=True).click()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")
