"""The metrics as text, read back by a parser that is not ours."""

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from daemon.meters import Family, Kind, Spread, Timer
from daemon.web.metrics import MEDIA, METRIC_ROUTES, exposed
from daemon.web.route import Scope

ODD = 'a"b\\c\nd, é'


def read_back(*readings: Family | Spread) -> dict[str, dict[tuple[str, ...], float]]:
    """The values of every sample, by its name and its labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(exposed(readings).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_what_is_read_back_is_what_was_counted() -> None:
    counter = Family(name="c_total", kind=Kind.COUNTER, about="C.", labels=("x",), values={("a",): 3.5})
    gauge = Family(name="g", kind=Kind.GAUGE, about="G.", values={(): -1.0})
    timer = Timer("t_seconds", "How long", (1.0, 5.0))
    for seconds in (0.5, 2.0, 7.0):
        timer.note(seconds)
    found = read_back(counter, gauge, timer.read())
    assert found["c_total"] == {("a",): 3.5}
    assert found["g"] == {(): -1.0}
    assert found["t_seconds_bucket"] == {("1.0",): 1, ("5.0",): 2, ("+Inf",): 3}
    assert (found["t_seconds_count"], found["t_seconds_sum"]) == ({(): 3}, {(): 9.5})


def test_a_name_with_quotes_and_lines_stays_one_label() -> None:
    odd = Family(name="g", kind=Kind.GAUGE, about="G.", labels=("x",), values={(ODD,): 1.0})
    assert read_back(odd)["g"] == {(ODD,): 1}


def test_what_has_no_value_just_now_still_says_what_it_is() -> None:
    text = exposed([Family(name="g", kind=Kind.GAUGE, about="G.", values={})]).decode()
    assert text.startswith("# HELP g G.\n# TYPE g gauge\n# HELP process_")


def test_the_process_is_measured() -> None:
    found = read_back()
    assert found["process_resident_memory_bytes"][()] > 1_000_000
    assert 0 < found["process_open_fds"][()] < found["process_max_fds"][()]


def test_a_token_that_may_read_is_needed() -> None:
    [route] = METRIC_ROUTES
    assert (route.method, route.path, route.scope) == ("GET", "/metrics", Scope.READ)


async def test_the_route_answers_many_at_once_in_the_format_that_every_prometheus_reads(
    api: aiohttp.ClientSession,
) -> None:
    async def scrape() -> str:
        async with api.get("/metrics") as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, MEDIA)
            return await answer.text()

    texts = await asyncio.gather(*(scrape() for _ in range(20)))
    assert all('nightdesk_schedule_paused{schedule="hello"} 0.0\n' in text for text in texts)


async def test_a_message_on_a_channel_is_counted(api: aiohttp.ClientSession) -> None:
    async with api.post("/api/notify/test", json={"channel": "log"}) as answer:
        assert answer.status == 200
    async with api.get("/metrics") as answer:
        assert 'nightdesk_sends_total{channel="log",outcome="delivered"} 1.0\n' in await answer.text()
