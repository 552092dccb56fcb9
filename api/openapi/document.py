"""The OpenAPI document, assembled from the routes, the entries of their views and the views' docstrings."""

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from api.auth import is_open
from api.error_responses import HttpProblem, public_types, status_of
from api.openapi.call_types import JSON, PROBLEM, Answer, Call, Content, Parameter, call_of
from api.openapi.webhook_entry import webhook_entry
from api.web.paths import is_page
from rowcast.errors import NoKey, OtherSite, RateLimited, RowcastError
from rowcast.jobs.public_job import PublicJob
from rowcast.version import VERSION

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_KEYS = {"bearer": {"type": "http", "scheme": "bearer"}, "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}


def openapi(app: Flask, *, has_keys: bool, prefix: str) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document of every route but those of pages.

    401, 429 and the security schemes are in it only if the gateway has API keys.
    """
    schemas = _schemas(app)
    paths: dict[str, dict[str, Any]] = {}
    for rule in _rules(app):
        needs_key = has_keys and not is_open(rule.rule)
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"} or {"HEAD"}
        view = app.view_functions[rule.endpoint]
        errors = [
            *((NoKey, RateLimited) if needs_key else ()),
            *((OtherSite,) if method not in ("GET", "HEAD") else ()),
        ]
        operation = _operation(rule.endpoint, view.__doc__ or "", call_of(view), schemas, errors)
        if needs_key:
            operation["security"] = [{name: []} for name in _KEYS]
        variables = [_variable(name) for name in _VARIABLE.findall(rule.rule)]
        operation["parameters"] = variables + operation["parameters"]
        paths.setdefault(_VARIABLE.sub(r"{\1}", rule.rule), {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rowcast", "version": VERSION, "description": "Scores rows through a queue."},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "webhooks": webhook_entry(schemas.content({JSON: PublicJob}, "serialization")),
        "components": {"schemas": schemas.shared, "responses": _responses(schemas)}
        | ({"securitySchemes": _KEYS} if has_keys else {}),
    }


def _operation(
    endpoint: str, about: str, call: Call, schemas: "_Schemas", errors: list[type[RowcastError]]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.partition(".")[2],
        "summary": about.partition("\n")[0].rstrip("."),
        "tags": [call.tag],
        "parameters": [_parameter(parameter) for parameter in call.parameters],
        "responses": {str(status): _answer(answer, schemas) for status, answer in call.answers.items()}
        | _problems([*call.errors, *errors], call),
    }
    if call.bodies:
        content = schemas.content(call.bodies, "validation")
        for media, example in call.examples.items():
            content[media]["example"] = example
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _problems(errors: Iterable[type[RowcastError]], call: Call) -> dict[str, Any]:
    """Returns the responses of errors by status. A status for which the call has its own answer is left out."""
    return {
        str(status): {"$ref": f"#/components/responses/{_response_name(status)}"}
        for status in sorted({status_of(error) for error in errors})
        if status not in call.answers
    }


def _responses(schemas: "_Schemas") -> dict[str, Any]:
    """Returns the response for each status of errors, with the problem types that it may have."""
    content = schemas.content({PROBLEM: HttpProblem}, "serialization")
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


def _answer(answer: Answer, schemas: "_Schemas") -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.about}
    if answer.headers:
        described["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    if answer.content:
        described["content"] = schemas.content(answer.content, "serialization")
    return described


class _Schemas:
    """The JSON schemas of all types that the calls name, made together so that the names of shared schemas agree."""

    def __init__(self, calls: Iterable[Call]) -> None:
        wanted: dict[str, tuple[Any, Any]] = {_name(HttpProblem, "serialization"): ("serialization", HttpProblem)}
        for call in calls:
            contents = [(answer.content, "serialization") for answer in call.answers.values()]
            for content, mode in [*contents, (call.bodies, "validation")]:
                wanted |= {_name(kind, mode): (mode, kind) for kind in content.values() if kind is not None}
        schemas, shared = TypeAdapter.json_schemas(
            [(name, mode, TypeAdapter(kind)) for name, (mode, kind) in wanted.items()],
            ref_template="#/components/schemas/{model}",
        )
        self._by_name = {name: schema for (name, _), schema in schemas.items()}
        self.shared: dict[str, Any] = shared.get("$defs", {})
        """The schemas that others refer to, by name."""

    def content(self, content: Content, mode: str) -> dict[str, Any]:
        """Returns the `content` object of a body; `mode` is pydantic's `validation` or `serialization`."""
        return {
            media: {"schema": self._by_name[_name(kind, mode)] if kind is not None else {"type": "string"}}
            for media, kind in content.items()
        }


def _name(kind: Any, mode: str) -> str:
    return f"{mode} {kind!r}"


@lru_cache(maxsize=1)
def _schemas(app: Flask) -> _Schemas:
    """Returns the schemas of an application's calls. They are made once, because making them takes long."""
    return _Schemas(call_of(app.view_functions[rule.endpoint]) for rule in _rules(app))


def _rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if not is_page(rule.rule)]
