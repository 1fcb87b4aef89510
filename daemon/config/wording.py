"""Say in the operator's words what pydantic found, and where."""

from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from daemon.config.problems import Findings, Place, kind_of, meant, nearest, shown


def record(
    error: ValidationError, root: type[BaseModel], findings: Findings, base: Place = ()
) -> list[Place]:
    """Record every mistake of a check of `root`, which stands at `base`; return their places."""
    places = []
    # Unknown keys first: a key that was misspelt is not missing as well.
    for found in sorted(
        error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden"
    ):
        place = _place_of(found["type"], found["loc"])
        if found["type"] == "extra_forbidden":
            _record_unknown_key(place, root, findings, base)
        elif found["type"] == "missing":
            findings.missing((*base, *place), "this key is missing, and nothing can stand in for it")
        else:
            findings.problem(
                (*base, *place), _say(found["type"], found["input"], found.get("ctx", {}), found["msg"])
            )
        places.append((*base, *place))
    return places


def _place_of(kind: str, loc: tuple[int | str, ...]) -> Place:
    is_key = kind != "extra_forbidden" and loc[-1:] == ("[key]",)
    return loc[:-1] if is_key else loc


def _record_unknown_key(place: Place, root: type[BaseModel], findings: Findings, base: Place) -> None:
    key, known = str(place[-1]), known_keys(root, place[:-1])
    findings.problem((*base, *place), f"unknown key; {meant(key, known)}")
    if (near := nearest(key, known)) is not None:
        findings.misspelt.add((*base, *place[:-1], near))


def _say(kind: str, given: object, context: Mapping[str, Any], message: str) -> str:
    match kind:
        case "value_error":
            return str(context["error"])
        case "literal_error" | "enum":
            names = context["expected"].replace(" or ", ", ").replace("'", "")
            return f"{shown(given)} is not known here; write one of {names}"
        case "model_type" | "dict_type" | "mapping_type":
            return f"this is {kind_of(given)}; an object in braces is wanted"
        case "tuple_type":
            return f"this is {kind_of(given)}; a list in brackets is wanted"
        case "too_short":
            return "this list is empty; write at least one"
    return message


def known_keys(root: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """List the keys that an object at `place` below `root` may have."""
    wanted: Any = root
    for part in place:
        if model := _model_in(wanted):
            fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
            wanted = fields.get(str(part))
        else:
            wanted = next(reversed(_arguments(wanted)), None)
    model = _model_in(wanted)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *_members(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _arguments(annotation: Any) -> tuple[Any, ...]:
    """The types inside a container: of `Mapping[str, Route] | None` they are str and Route."""
    for candidate in (annotation, *_members(annotation)):
        if get_origin(candidate) not in (None, Union, UnionType):
            return tuple(inner for inner in get_args(candidate) if inner is not Ellipsis)
    return ()


def _members(annotation: Any) -> Iterable[Any]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
