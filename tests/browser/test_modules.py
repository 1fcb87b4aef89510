"""The modules of the page by themselves, in the browser that runs them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.stage import Stage
from tests.browser.visitor import Visitor

WIRE = (
    ": beat\n\n"
    "id: b-1\nevent: run\ndata: {\"a\": 1}\n\n"
    "event:alert\r\ndata: {\"b\":\r\ndata: [2]}\r\n\r\n"
    "id: b-3\ndata: null\n\n"
    "event: lost\n\n"
    "data: \"é → ✓\"\n\n"
)  # fmt: skip
HEARD = [
    {"id": "b-1", "type": "run", "data": {"a": 1}},
    {"id": "b-1", "type": "alert", "data": {"b": [2]}},
    {"id": "b-3", "type": "message", "data": None},
    {"id": "b-3", "type": "message", "data": "é → ✓"},
]


@pytest.fixture(scope="module")
def modules(browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """A page without a token, whose modules can be imported."""
    context = browser.new_context()
    made = Visitor(context.new_page(), stage)
    made.go()
    yield made
    context.close()
    assert made.complaints == []


def call(visitor: Visitor, module: str, code: str, given: Any = None) -> Any:
    """What an expression gives; the module stands in it as `it`, what it is given as `given`."""
    script = f"async (given) => {{ const it = await import('/static/js/{module}.js'); return {code}; }}"
    return visitor.page.evaluate(script, given)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_the_same_in_whatever_pieces_they_come(modules: Visitor, size: int) -> None:
    pieces = [WIRE[at : at + size] for at in range(0, len(WIRE), size)]
    code = """(() => {
      const heard = [];
      given.forEach(it.parser((event) => heard.push(event)));
      return heard;
    })()"""
    assert call(modules, "stream", code, pieces) == HEARD


def test_durations_and_distances_read_well(modules: Visitor) -> None:
    spans = {
        0.04: "40 ms",
        3.25: "3.3 s",
        59.4: "59 s",
        61: "1 min",
        3600: "1 h",
        3660: "1 h 1 min",
        90000: "1 d 1 h",
    }
    assert call(modules, "format", "given.map(it.span)", list(spans)) == list(spans.values())
    at = "2026-11-22T12:00:00Z"
    ways = {"11:59:58": "now", "12:00:30": "in 30 s", "11:58:00": "2 min ago", "15:10:00": "in 3 h 10 min"}
    code = f"given.map((text) => it.relative(text, Date.parse('{at}')))"
    assert call(modules, "format", code, [f"2026-11-22T{text}Z" for text in ways]) == list(ways.values())


def test_what_is_drawn_anew_keeps_what_somebody_holds(modules: Visitor) -> None:
    code = """(() => {
      const row = (name) => it.el('p', {'data-key': name}, it.el('input', {'aria-label': name}));
      const rows = (names) => it.el('div', {}, names.map(row));
      const shown = rows(['a', 'b', 'c']);
      document.body.append(shown);
      const held = shown.querySelector('[aria-label=b]');
      held.value = 'half a word';
      held.focus();
      it.morph(shown, rows(['new', 'b', 'a']));
      const kept = shown.querySelector('[aria-label=b]') === held && document.activeElement === held;
      const names = [...shown.children].map((child) => child.dataset.key);
      shown.remove();
      return [kept, held.value, names];
    })()"""
    assert call(modules, "dom", code) == [True, "half a word", ["new", "b", "a"]]


def test_what_has_not_changed_is_not_made_again(modules: Visitor) -> None:
    code = """(() => {
      const made = [];
      const row = ([name, facts]) => it.kept('li', name, facts, () => {
        made.push(name);
        return it.el('li', {'data-key': name}, facts);
      });
      const list = (rows) => it.el('div', {}, it.el('ul', {}, rows.map(row)));
      const shown = it.el('div');
      it.morph(shown, list([['a', '1'], ['b', '1']]));
      const first = shown.querySelector('li');
      it.morph(shown, list([['c', '1'], ['a', '1'], ['b', '2']]));
      const isKept = shown.querySelectorAll('li')[1] === first;
      return [made, shown.textContent, isKept, shown.innerHTML.includes('stub')];
    })()"""
    assert call(modules, "dom", code) == [["a", "b", "c", "b"], "112", True, False]


def test_a_long_list_shows_its_first_and_more_when_asked(modules: Visitor) -> None:
    code = """(() => {
      let drawn = 0;
      it.listen(() => { drawn += 1; });
      const rows = [...Array(120).keys()];
      const seen = [];
      for (let look = it.firstOf(rows, 'jobs', 50); ; look = it.firstOf(rows, 'jobs', 50)) {
        seen.push([look.first.length, look.more?.textContent ?? null]);
        if (look.more === null) return [seen, drawn];
        look.more.querySelector('button').click();
      }
    })()"""
    looks = [[50, "50 of 120Show 50 more"], [100, "100 of 120Show 20 more"], [120, None]]
    assert call(modules, "more", code) == [looks, 2]


def test_pages_are_turned_by_what_the_last_one_ended_with(modules: Visitor) -> None:
    code = """(() => {
      const path = 'api/reports?date=2026-11-22';
      const seen = [];
      const turn = (rows, name) => {
        const bar = it.pager({ value: rows, total: 150 }, 'reports', (row) => row);
        seen.push([it.pageOf(path).split('&').slice(1).join(' '), bar.querySelector('span').textContent]);
        bar.querySelector(name).click();
      };
      it.pageOf(path);
      turn(Array(100).fill('C 99'), '#page-next');
      turn(Array(50).fill('C 149'), '#page-next');  // there is no next one
      turn(Array(50).fill('C 149'), '#page-back');
      turn(Array(100).fill('C 99'), '#page-back');
      return [seen, it.pager({ value: ['a'], total: 1 }, 'reports', (row) => row)];
    })()"""
    first, second = ["limit=100", "1 to 100 of 150"], ["limit=100 cursor=C%2099", "101 to 150 of 150"]
    assert call(modules, "pages", code) == [[first, second, second, first], None]


def test_a_place_survives_its_address(modules: Visitor) -> None:
    odd = ["reports", "a/b %2F #?é", "2026-11-22"]
    place = call(modules, "router", "(() => { it.go(...given); return it.place(); })()", odd)
    assert place == odd, json.dumps(place)


def test_only_web_addresses_become_links(modules: Visitor) -> None:
    addresses = [
        "https://example.com/",
        "HTTP://example.com",
        "javascript:alert(1)",
        " https://x",
        "data:text/html,x",
        None,
    ]
    tags = call(
        modules, "format", "given.map((address) => it.outside(address, 'a title').nodeName)", addresses
    )
    assert tags == ["A", "A", "BDI", "BDI", "BDI", "BDI"]
