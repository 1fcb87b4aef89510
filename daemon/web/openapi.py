"""GET /openapi.json: the API as OpenAPI 3.1 describes it, made of the same table that answers."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from daemon import __version__
from daemon.web.asking import Answer, Asking
from daemon.web.headers import TOTAL_HEADER
from daemon.web.problems import PROBLEM_TYPE
from daemon.web.query import DATE_PATTERN
from daemon.web.replays import KEY_PATTERN
from daemon.web.route import Route, Scope, read
from state.codec import json_schemas

PATH = "/openapi.json"
REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
BEARER = "bearer"
EVENTS = "text/event-stream"
FILES = ("text/csv", "application/octet-stream")  # taken as they are, and looked into
COMPANY_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
Schema = dict[str, Any]

# What the names in braces stand for.
NAMES: Mapping[str, tuple[str, Schema]] = {
    "id": ("An id.", TEXT),
    "name": ("The name of a schedule.", TEXT),
    "companyId": ("The id of a company.", {"type": "string", "pattern": COMPANY_PATTERN}),
    "company": ("The id of a company.", {"type": "string", "pattern": COMPANY_PATTERN}),
    "day": ("A date.", {"type": "string", "format": "date", "pattern": DATE_PATTERN}),
    "date": (
        "A date, or `newest`.",
        {"anyOf": [{"type": "string", "format": "date", "pattern": DATE_PATTERN}, {"const": "newest"}]},
    ),
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key, route and body: done once, and answered the same again.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
TAG = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer at hand; the same answer is not sent again.",
    "schema": {"type": "string"},
}
LAST = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was seen; what has happened since is told first.",
    "schema": {"type": "string"},
}
PROBLEM: Schema = {
    "description": "What went wrong, as RFC 9457 has it.",
    "type": "object",
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "instance"],
    "additionalProperties": False,
}


def described(table: Sequence[Route]) -> tuple[Route, ...]:
    """The table together with the route that describes it."""

    async def describe(asking: Asking) -> Answer:
        """This description of the API."""
        return Answer(value=made())

    @cache
    def made() -> Schema:
        return document(whole)

    whole = (*table, read(PATH, describe, gives=dict[str, Any], is_tagged=True))
    return whole


def document(table: Iterable[Route]) -> Schema:
    """The description of every route that says what it gives; the pages do not."""
    routes = [route for route in table if route.gives is not None and not _is_page(route)]
    shown, components = _schemas(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, shown)
    about = "Everything but liveness and readiness needs a bearer token. Errors are problems (RFC 9457)."
    schemes = {BEARER: {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "nightdesk", "version": __version__, "description": about},
        "paths": paths,
        "components": {"schemas": {**components, "Problem": PROBLEM}, "securitySchemes": schemes},
    }


def _schemas(routes: Iterable[Route]) -> tuple[Callable[[Any], Schema], dict[str, Schema]]:
    """How each type of the table is shown, and the schemas that are named."""
    types = [*dict.fromkeys(it for route in routes for it in _types(route))]
    found, components = json_schemas(types, REFERENCE)
    bodies = {route.body.__name__ for route in routes if route.body is not None}
    for name, schema in components.items():
        if name.rpartition(".")[2] not in bodies and "properties" in schema:
            _close(schema)
    table = {repr(it): schema for it, schema in zip(types, found, strict=True)}
    return lambda it: table[repr(it)], components


def _types(route: Route) -> list[Any]:
    given = [it for it in (*_given(route), *_all(route.when_down)) if it is not None]
    given = [it for it in given if not isinstance(it, str)]
    return given + ([route.body] if _is_struct(route.body) else [])


def _given(route: Route) -> tuple[Any, ...]:
    return _all(route.gives)


def _all(gives: Any) -> tuple[Any, ...]:
    return gives if isinstance(gives, tuple) else (gives,)


def _any_of(schemas: Sequence[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _is_page(route: Route) -> bool:
    """Whether it is a part of the dashboard: open to all, and nothing that a program reads."""
    return route.scope is Scope.OPEN and all(isinstance(it, str) for it in _given(route))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _close(schema: Schema) -> None:
    """An answer has all of its fields, and no others; a default is of no concern to who reads it."""
    needed = schema.get("required", ())
    schema["required"] = [
        name for name, it in schema["properties"].items() if name in needed or "default" in it
    ]
    schema["additionalProperties"] = False
    for field in schema["properties"].values():
        field.pop("default", None)


def _operation(route: Route, shown: Callable[[Any], Schema]) -> Schema:
    operation: Schema = {
        "operationId": route.answer.__name__,
        "summary": (route.answer.__doc__ or "").strip().splitlines()[0],
        "tags": [_tag(route.path)],
        "parameters": _parameters(route),
        "responses": _responses(route, shown),
        "security": _security(route),
    }
    if route.body is not None:
        operation["requestBody"] = _request(route, shown)
    if route.limit is not None:
        operation["description"] = f"Counts as one of the {route.limit.value} calls of a minute."
    return operation


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "api" else "process"


def _security(route: Route) -> list[Schema]:
    if route.scope is not Scope.OPEN:
        return [{BEARER: [route.scope.value]}]
    # Answered to anybody; where there are two answers, the fuller one goes to whoever has a token.
    return [{}, {BEARER: [Scope.READ.value]}] if isinstance(route.gives, tuple) else []


def _parameters(route: Route) -> list[Schema]:
    found: list[Schema] = []
    for name in re.findall(r"{(\w+)}", route.path):
        about, schema = NAMES[name]
        found.append({"name": name, "in": "path", "required": True, "description": about, "schema": schema})
    for param in route.query:
        schema = dict(param.schema)
        found.append({"name": param.name, "in": "query", "description": param.about, "schema": schema})
    if route.scope is Scope.OPERATE:
        found.append(KEY)
    if route.is_tagged:
        found.append(TAG)
    if EVENTS in str(route.gives):
        found.append(LAST)
    return found


def _request(route: Route, shown: Callable[[Any], Schema]) -> Schema:
    if _is_struct(route.body):
        assert route.body is not None
        is_needed = any(field.required for field in fields(route.body))
        return {"required": is_needed, "content": {JSON: {"schema": shown(route.body)}}}
    if route.body is list:
        return {"required": True, "content": {JSON: {"schema": {"type": "array"}}}}
    return {"required": True, "content": {media: {} for media in FILES}}


def _responses(route: Route, shown: Callable[[Any], Schema]) -> Schema:
    answers = [it for it in _given(route) if not isinstance(it, str)]
    content: Schema = {it.partition(";")[0]: {} for it in _given(route) if isinstance(it, str)}
    if answers:
        content[JSON] = {"schema": _any_of([shown(it) for it in answers])}
    good: Schema = {"description": route.status.phrase, "content": content}
    if headers := _headers(route):
        good["headers"] = headers
    responses: Schema = {str(route.status.value): good}
    if route.is_tagged:
        responses[str(HTTPStatus.NOT_MODIFIED.value)] = {"description": HTTPStatus.NOT_MODIFIED.phrase}
    for status in _problems(route):
        responses[str(status.value)] = _problem(status)
    if route.when_down is not None:
        down = responses.setdefault(str(HTTPStatus.SERVICE_UNAVAILABLE.value), {"content": {}})
        down["content"][JSON] = {"schema": _any_of([shown(it) for it in _all(route.when_down)])}
    return responses


def _headers(route: Route) -> Schema:
    headers: Schema = {}
    if any(get_origin(it) is list for it in _given(route) if get_args(it)) and any(
        param.name == "cursor" for param in route.query
    ):
        about = "How many rows there are in all, where that is known."
        headers[TOTAL_HEADER] = {"description": about, "schema": {"type": "integer"}}
        headers["Link"] = {"description": 'The next page, rel="next".', "schema": {"type": "string"}}
    if route.is_tagged:
        headers["ETag"] = {"description": "By what the answer is recognised.", "schema": {"type": "string"}}
    return headers


def _problem(status: HTTPStatus) -> Schema:
    schema = {"$ref": REFERENCE.format(name="Problem")}
    response: Schema = {"description": status.phrase, "content": {PROBLEM_TYPE: {"schema": schema}}}
    if status is HTTPStatus.UNAUTHORIZED:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


def _problems(route: Route) -> list[HTTPStatus]:
    """The statuses that may be answered instead."""
    found = [HTTPStatus.BAD_REQUEST, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR]
    found += [HTTPStatus.SERVICE_UNAVAILABLE]
    if route.scope is not Scope.OPEN:
        found += [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_FOUND]
    if route.scope is Scope.OPERATE:
        found += [HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY]
        found += [HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
        found += [HTTPStatus.INSUFFICIENT_STORAGE]
    return sorted(found)
