"""Whether what a model wrote may go into a report: untrusted text, held against the day's material."""

import re
from dataclasses import dataclass

from daemon.notify.text import clean, cut, one_line
from handlers.llm.base import Brief
from handlers.llm.figures import Figures
from handlers.llm.material import Material
from handlers.llm.prompting import SYSTEM

SHORTEST, LONGEST = 40, 4000  # characters of prose
LONGEST_LINE_LEFT = 30  # characters of a rule of ours that no prose repeats by chance
FEWEST_WORDS = 60  # from here on a text is looked at for turning in circles
LEAST_VARIETY = 0.25  # distinct words among all; prose of this length has about 0.6

_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)  # some servers leave them before the answer
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.{1,200}?)(?<=\S)\1")
_HEADING = re.compile(r"(?m)^#{1,6}\s+")
_BARE_ADDRESS = re.compile(r"(?i)\b[\w-]{1,63}(?:[.。．｡][\w-]{1,63}){0,8}[.。．｡][^\W\d_]{2,63}\b")
_FORBIDDEN = {
    "holds HTML or a mention": re.compile(r"[<>]|&(?:#\w+|[a-z]+);", re.IGNORECASE),
    "holds a link": re.compile(
        r"(?i)\w:/|//|\bwww\.|\]\s*[(\[]|!\[|\b(?:mailto|javascript|tel|ftp)\s*:|\bdata:\w"
    ),
    "holds an address": re.compile(r"@"),
    "holds code or data": re.compile(r"[`{}|\\]|\$\("),
    "speaks of itself or of its task": re.compile(
        r"(?i)\b(?:as an? (?:ai|assistant|language model)|language model|system prompt|instructions?"
        r"|i(?:['’]m| am) (?:sorry|unable)|i (?:cannot|can['’]t|will not|won['’]t)|i apologi[sz]e"
        r"|here(?:['’]s| is) (?:the|your|a) (?:report|summary|prose)|note to (?:the )?(?:reader|user))\b"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A model's text made tidy, and what forbids it; None where nothing does."""

    text: str
    problem: str | None


def check(answer: str, brief: Brief, material: Material, fence: str) -> Checked:
    """Hold an answer against what it was made from. The problem's text is for the log."""
    text = tidy(answer)
    problem = (
        _shape_problem(text)
        or _forbidden(text, material)
        or _echo(text, fence)
        or _stranger(text, brief, material)
        or _invention(text, material)
    )
    return Checked(text=text, problem=problem)


def tidy(answer: str) -> str:
    """The text without what is not seen, without markdown's emphasis and headings, and without thoughts."""
    text = clean(_THOUGHTS.sub("", answer)[: LONGEST * 2])  # the rest of it could only be refused
    return _HEADING.sub("", _BOLD.sub(r"\2", text)).strip()


def _shape_problem(text: str) -> str | None:
    if len(text) < SHORTEST:
        return f"is {len(text)} characters long; {SHORTEST} are the least"
    if len(text) > LONGEST:
        return f"is {len(text)} characters long; {LONGEST} are the most"
    words = text.casefold().split()
    if len(words) >= FEWEST_WORDS and len(set(words)) < len(words) * LEAST_VARIETY:
        return "turns in circles"
    return None


def _forbidden(text: str, material: Material) -> str | None:
    for problem, pattern in _FORBIDDEN.items():
        if pattern.search(text):
            return problem
    # A mail program makes a link of a bare name, so only the company's own may be one.
    own = set(_BARE_ADDRESS.findall(material.company.casefold()))
    if any(found not in own for found in _BARE_ADDRESS.findall(text.casefold())):
        return "holds a link"
    return None


def _echo(text: str, fence: str) -> str | None:
    flat = one_line(text).casefold()
    rules = (rule.strip("- ").casefold() for rule in re.split(r"[.:;]\s|\n", SYSTEM))
    is_echo = fence in text or any(rule in flat for rule in rules if len(rule) >= LONGEST_LINE_LEFT)
    return "repeats what it was told" if is_echo else None


def _stranger(text: str, brief: Brief, material: Material) -> str | None:
    if brief.others is None:
        return None
    ours = (brief.company_id, brief.company_name, *material.texts())
    found = brief.others.found_in(text, ours)
    return None if found is None else f'names another company: "{_quoted(found)}"'


def _invention(text: str, material: Material) -> str | None:
    figure = Figures(material).unheld(text)
    return None if figure is None else f'has a figure that is in no fact: "{_quoted(figure)}"'


def _quoted(text: str) -> str:
    return cut(one_line(text), 40)
