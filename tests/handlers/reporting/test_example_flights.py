"""The shipped example: real flights, asked for by the shipped queries, reckoned again in plain Python."""

import csv
import gzip
import json
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

import pytest

from daemon.clock import SystemClock
from daemon.config.load import load_config
from handlers.reporting.base import Facts
from handlers.reporting.sources import Surroundings, open_source

FOLDER = Path(__file__).parents[3] / "examples" / "flights"
CARRIERS = [company["id"] for company in json.loads((FOLDER / "companies.json").read_text())]
Flight = dict[str, str]


async def answered(day: date) -> dict[str, Facts]:
    """What the example's config answers for a day."""
    section = load_config(FOLDER / "orchestrator_config.json", {}).reports.source
    assert section is not None
    source = open_source(section, Surroundings(clock=SystemClock(), folder=FOLDER))
    try:
        return dict(await source.facts(day, CARRIERS))
    finally:
        await source.close()


def flights() -> dict[tuple[str, str], list[Flight]]:
    """All flights by carrier and day."""
    found = defaultdict(list)
    with gzip.open(FOLDER / "flights.csv.gz", "rt") as file:
        for flight in csv.DictReader(file):
            found[flight["carrier"], flight["date"]].append(flight)
    return found


def delays(those: list[Flight]) -> list[int]:
    return [int(flight["dep_delay"]) for flight in those if flight["dep_delay"] != "NA"]


@pytest.mark.parametrize(
    "day", [date(2013, 1, 3), date(2013, 1, 8), date(2013, 1, 12), date(2013, 1, 15)], ids=str
)
async def test_the_figures_are_those_that_python_reckons(day: date) -> None:
    known = flights()
    found = await answered(day)
    assert list(found) == CARRIERS
    for carrier in CARRIERS:
        today = known[carrier, day.isoformat()]
        before = known[carrier, (day - timedelta(days=7)).isoformat()]
        values = found[carrier].values
        if not today:
            assert values == {}
            assert found[carrier].problem
            continue
        assert values["flights"] == len(today)
        assert values["cancelled"] == len(today) - len(delays(today))
        assert values["mean_departure_delay"] == pytest.approx(fmean(delays(today)), abs=0.0501)
        assert values["flights_week_before"] == (len(before) or None)
        assert values["cancelled_week_before"] == (len(before) - len(delays(before)) if before else None)
        was = values["mean_departure_delay_week_before"]
        assert was == (pytest.approx(fmean(delays(before)), abs=0.0501) if before else None)


async def test_the_worst_routes_are_those_that_python_finds() -> None:
    day = date(2013, 1, 12)
    known = flights()
    found = await answered(day)
    for carrier in CARRIERS:
        routes: dict[str, list[Flight]] = defaultdict(list)
        for flight in known[carrier, day.isoformat()]:
            routes[f"{flight['origin']} – {flight['dest']}"].append(flight)
        mean = {route: round(fmean(delays(those)), 1) for route, those in routes.items() if delays(those)}
        worst = sorted(mean, key=lambda route: (-mean[route], route))[:5]
        table = found[carrier].tables["Worst routes"]
        assert [row[0] for row in table.rows] == worst
        assert [row[1] for row in table.rows] == [len(routes[route]) for route in worst]


async def test_carriers_that_did_not_fly_are_told_so() -> None:
    found = await answered(date(2013, 1, 12))
    assert [carrier for carrier in CARRIERS if found[carrier].problem] == ["OO", "YV"]
    assert found["OO"].problem == "There are no figures for 2013-01-12: source.facts gives no row for OO."


def test_the_sample_is_small_and_its_carriers_are_those_of_the_roster() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 250_000
    with (FOLDER / "airlines.csv").open() as file:
        assert [row["carrier"] for row in csv.DictReader(file)] == CARRIERS
