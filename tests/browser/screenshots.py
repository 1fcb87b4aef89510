"""Take the pictures of the documentation: `python -m tests.browser.screenshots FOLDER`."""

import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, sync_playwright

from tests.browser.pictures import smaller
from tests.browser.stage import SCHEDULES, TOKEN, Stage, open_stage
from tests.browser.visitor import CHROMIUM, QUIET, Visitor

LARGEST = 200_000  # bytes
NOON = 12
# One for every hour of the day, whether the clocks there are on summer time or not.
CITIES = (
    "Pacific/Auckland",
    "Pacific/Guadalcanal",
    "Australia/Brisbane",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Bangkok",
    "Asia/Dhaka",
    "Asia/Karachi",
    "Asia/Dubai",
    "Africa/Nairobi",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Accra",
    "Atlantic/Cape_Verde",
    "America/Noronha",
    "America/Sao_Paulo",
    "America/La_Paz",
    "America/Lima",
    "America/Guatemala",
    "America/Phoenix",
    "Pacific/Pitcairn",
    "Pacific/Gambier",
    "Pacific/Honolulu",
    "Pacific/Pago_Pago",
    "Pacific/Fiji",
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: of which view, how wide, by which light, and of how much of it."""

    name: str
    place: str = ""
    width: int = 1280
    height: int = 800
    light: str = "light"
    is_whole: bool = False


PICTURES = (
    Picture(name="today-light", is_whole=True),
    Picture(name="today-dark", light="dark", is_whole=True),
    Picture(name="today-phone", width=360, height=740, light="dark"),
    Picture(name="report", place="reports/AA/{today}", height=860),
    Picture(name="digest", place="digests/{today}"),
    Picture(name="emergency", place="emergency"),
)


def take(picture: Picture, browser: Browser, stage: Stage, zone: str) -> bytes:
    """Take one picture."""
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(
        viewport=size, color_scheme=picture.light, reduced_motion="reduce", timezone_id=zone
    )
    visitor = Visitor(context.new_page(), stage)
    visitor.enter(TOKEN, picture.place.format(today=stage.today))
    page = visitor.page
    page.get_by_text("Loading …").first.wait_for(state="detached")
    if picture.place == "emergency":
        page.get_by_label("Reason").fill("Nothing was delivered after 05:00: the figures came late")
        page.get_by_role("button", name="Show the plan").click()
        page.locator("#go").wait_for()
    if picture.place == "":
        page.locator("day-bars canvas").nth(1).wait_for()
        page.locator(".schedules .spark").nth(SCHEDULES - 1).wait_for()
    page.evaluate("document.activeElement.blur()")
    taken = page.screenshot(full_page=picture.is_whole, animations="disabled")
    context.close()
    return taken if len(taken) < LARGEST else smaller(taken)


def city_at_noon() -> str:
    """A place where it is between 12 and 13 o'clock, as people name their zones."""
    now = datetime.now(UTC)
    return next(zone for zone in CITIES if now.astimezone(ZoneInfo(zone)).hour == NOON)


def main(folder: Path) -> None:
    """Take all of them before one daemon."""
    folder.mkdir(parents=True, exist_ok=True)
    zone = city_at_noon()
    with (
        tempfile.TemporaryDirectory(prefix="nightdesk-") as scratch,
        open_stage(Path(scratch), zone) as stage,
        sync_playwright() as playwright,
    ):
        stage.wait_until_told()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for picture in PICTURES:
            path = folder / f"{picture.name}.png"
            path.write_bytes(take(picture, browser, stage, zone))
            sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
