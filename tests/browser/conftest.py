"""What the browser tests lean on: one Chromium, one daemon to look at, tabs that hear every complaint."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.stage import Stage, open_stage
from tests.browser.visitor import CHROMIUM, QUIET, Visitor
from tests.journeys.desk import zone_at_noon


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon with something to show; who changes what it shows brings one of his own."""
    with open_stage(tmp_path_factory.mktemp("stage"), zone_at_noon()) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests fail, and say what to install."""
    assert CHROMIUM.exists(), "Chromium is missing; run: apt install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What the tabs of a file share: the files of the page, fetched once and asked for anew."""
    made = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    yield made
    made.close()


@pytest.fixture
def visitor(context: BrowserContext, stage: Stage) -> Iterator[Visitor]:
    """A tab of a screen of usual size; at its end nothing may have been complained of."""
    made = Visitor(context.new_page(), stage)
    yield made
    made.page.evaluate("localStorage.clear()")
    made.page.close()
    assert made.complaints == []
