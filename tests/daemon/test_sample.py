"""The demo's sample: the same flights as the shipped example, under tonight's date."""

import csv
import gzip
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from daemon.clock import SystemClock
from daemon.config.load import load_config
from daemon.data import data_file
from daemon.sample import SAMPLE_DAY, lay_out, sample_companies
from handlers.reporting.sources import Surroundings, open_source
from state.home import Home

TODAY = date(2026, 11, 22)


def flights_of(day: date) -> list[dict[str, str]]:
    with gzip.open(data_file("examples/flights/flights.csv.gz"), "rt") as file:
        return [it for it in csv.DictReader(file) if it["date"] == day.isoformat()]


def laid_out(folder: Path) -> Path:
    home = Home(folder, folder / "logs")
    home.make_folders()
    return lay_out(home, TODAY)


async def test_the_questions_answer_with_the_figures_of_the_sample(tmp_path: Path) -> None:
    section = load_config(laid_out(tmp_path), {}).reports.source
    assert section is not None
    ids = [it["id"] for it in sample_companies()]
    source = open_source(section, Surroundings(clock=SystemClock(), folder=tmp_path))
    try:
        found = await source.facts(TODAY, ids)
    finally:
        await source.close()
    flown = flights_of(SAMPLE_DAY)
    for carrier in ids:
        own = [it for it in flown if it["carrier"] == carrier]
        assert found[carrier].values.get("flights", 0) == len(own)
        assert found[carrier].values.get("cancelled", 0) == sum(it["dep_delay"] == "NA" for it in own)
        assert len(found[carrier].tables["Worst routes"].rows) == min(
            5, len({it["dest"] + it["origin"] for it in own})
        )
    assert [carrier for carrier in ids if found[carrier].problem] == ["OO"]


def test_no_more_than_two_days_are_loaded(tmp_path: Path) -> None:
    laid_out(tmp_path)
    with closing(sqlite3.connect(tmp_path / "flights.db")) as database:
        days = database.execute("SELECT DISTINCT date FROM flights ORDER BY date").fetchall()
    assert days == [("2026-11-15",), ("2026-11-22",)]
