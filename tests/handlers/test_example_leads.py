"""The leads the demo shows are good ones, and a night over them has something to tell."""

from datetime import UTC, datetime
from pathlib import Path

from daemon.config.sections import ScoringOptions
from handlers.scoring import Scorer
from state.intake import read_items

LEADS = Path(__file__).parents[2] / "examples" / "leads.jsonl"


def test_every_example_lead_is_taken() -> None:
    with LEADS.open("rb") as file:
        read = read_items(file)
    assert read.refusals == []
    assert len({body["id"] for body in read.bodies}) == len(read.bodies) == 60


def test_some_of_them_are_marked_and_most_are_not() -> None:
    bodies = read_items(LEADS.read_bytes()).bodies
    newest = max(body["created_utc"] for body in bodies)
    scorer = Scorer(ScoringOptions(), datetime.fromtimestamp(newest + 3600, UTC), newest=newest)
    marked = sum(scorer.score(body).score > 0.75 for body in bodies)
    assert 10 <= marked <= len(bodies) / 2
