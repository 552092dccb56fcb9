"""The OpenAPI document: the table of calls, put together with the routes and the views."""

import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import TypeAdapter

from api.auth import is_open
from api.calls.error_pages import public_types
from api.error_responses import HttpProblem, status_of
from api.openapi.call_table import CALLS
from api.openapi.call_types import PROBLEM, Answer, Call, Content, Parameter
from rowcast.errors import NoKey, RateLimited, RowcastError
from rowcast.version import VERSION

_VARIABLE = re.compile(r"<([^>]+)>")
_KEYS = {"bearer": {"type": "http", "scheme": "bearer"}, "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}


def openapi(app: Flask, *, has_keys: bool, prefix: str) -> dict[str, Any]:
    """OpenAPI 3.1 of every route; what keys bring with them (401, 403, 429) only where the gateway has keys."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        needs_key = has_keys and not is_open(rule.rule)
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        operation = _operation(rule.endpoint, app.view_functions[rule.endpoint].__doc__ or "", needs_key)
        variables = [_variable(name) for name in _VARIABLE.findall(rule.rule)]
        operation["parameters"] = variables + operation["parameters"]
        paths.setdefault(_VARIABLE.sub(r"{\1}", rule.rule), {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rowcast", "version": VERSION, "description": "Scores rows through a queue."},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {"schemas": _schemas()[1], "responses": _responses()}
        | ({"securitySchemes": _KEYS} if has_keys else {}),
    }


def _operation(endpoint: str, about: str, needs_key: bool) -> dict[str, Any]:
    call = CALLS[endpoint]
    operation: dict[str, Any] = {
        "operationId": endpoint.partition(".")[2],
        "summary": about.partition("\n")[0].rstrip("."),
        "tags": [call.tag],
        "parameters": [_parameter(parameter) for parameter in call.parameters],
        "responses": {str(status): _answer(answer) for status, answer in call.answers.items()}
        | _problems([*call.errors, *((NoKey, RateLimited) if needs_key else ())], call),
    }
    if call.bodies:
        content = _content(call.bodies, "validation")
        for media, example in call.examples.items():
            content[media]["example"] = example
        operation["requestBody"] = {"required": True, "content": content}
    if needs_key:
        operation["security"] = [{name: []} for name in _KEYS]
    return operation


def _problems(errors: Iterable[type[RowcastError]], call: Call) -> dict[str, Any]:
    """The answers of errors, by status; where a status is one of the call's own, that holds."""
    return {
        str(status): {"$ref": f"#/components/responses/{_response_name(status)}"}
        for status in sorted({status_of(error) for error in errors})
        if status not in call.answers
    }


def _responses() -> dict[str, Any]:
    """The answer for each status of errors, with the types that it may have."""
    content = _content({PROBLEM: HttpProblem}, "serialization")
    return {
        _response_name(status): {
            "description": f"{HTTPStatus(status).phrase}. "
            + " ".join(f"`{kind.problem_type()}`: {kind.title}." for kind in kinds),
            "content": content,
        }
        for status, kinds in public_types().items()
    }


def _response_name(status: int) -> str:
    return f"Problem{status}"


def _variable(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "schema": dict(parameter.schema),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.about}
    if answer.headers:
        described["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    if answer.content:
        described["content"] = _content(answer.content, "serialization")
    return described


def _content(content: Content, mode: str) -> dict[str, Any]:
    schemas = _schemas()[0]
    return {
        media: {"schema": schemas[_name(type_, mode)] if type_ is not None else {"type": "string"}}
        for media, type_ in content.items()
    }


def _name(type_: Any, mode: str) -> str:
    return f"{mode} {type_!r}"


@cache
def _schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of each type that a call names, and those that they share; all of one making, so that names agree."""
    wanted: dict[str, tuple[Any, Any]] = {_name(HttpProblem, "serialization"): ("serialization", HttpProblem)}
    for call in CALLS.values():
        contents = [(answer.content, "serialization") for answer in call.answers.values()]
        for content, mode in [*contents, (call.bodies, "validation")]:
            wanted |= {_name(kind, mode): (mode, kind) for kind in content.values() if kind is not None}
    schemas, shared = TypeAdapter.json_schemas(
        [(name, mode, TypeAdapter(kind)) for name, (mode, kind) in wanted.items()],
        ref_template="#/components/schemas/{model}",
    )
    return {name: schema for (name, _), schema in schemas.items()}, shared.get("$defs", {})
