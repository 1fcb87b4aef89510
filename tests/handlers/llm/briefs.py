"""One company's day, and prose that is right about it."""

from datetime import date
from typing import Any

from handlers.llm.base import Brief
from handlers.llm.names import Names
from handlers.reporting.base import Facts, Table

DAY = date(2026, 11, 21)
VALUES = {
    "flights": 1234,
    "flights_week_before": 1171,
    "cancelled": 3,
    "cancelled_week_before": 12,
    "mean_delay": 12.345,
    "on_time_percent": 83.25,
    "share_early": 0.125,
    "balance": -4200.5,
    "first_departure": "2026-11-21T05:40:00",
    "delay_over_15": 77,
}
ROUTES = Table(
    columns=("route", "flights", "mean_delay"),
    rows=(("EWR-LAX", 41, 55.55), ("JFK-B6", 38, 41.0), ("LGA-ORD", 12, 17.2)),
)
RIGHT = (
    "Acme flew 1,234 flights on 21 November 2026, up by 5.4 % on the week before. Of these 3 were cancelled, "
    "and the mean delay was 12.3 minutes; the route EWR-LAX was the worst with 55.6 minutes."
)


def brief(values: dict[str, Any] | None = None, company: str = "c1", **fields: Any) -> Brief:
    facts = Facts(
        company_id=company,
        date=DAY,
        values=VALUES if values is None else values,
        tables=fields.pop("tables", {"Worst routes": ROUTES}),
        problem=fields.pop("problem", None),
    )
    made = {"company_id": company, "company_name": "Acme Air 24", "date": DAY, "facts": facts, **fields}
    return Brief(**made)


OTHERS = Names(["Acme Air 24", "c1", "Delta Air Lines", "DL", "United", "American Airlines Inc."])
