"""What a request asks for beside its rows: the options, and how long the caller would wait."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from flask import request
from pydantic import ValidationError
from werkzeug.http import parse_list_header

from api.openapi.call_types import query
from rowcast.errors import OptionValue, UnknownOption
from rowcast.jobs.options import Options
from rowcast.nearest import nearest

MAX_WAIT_SECONDS = 60.0
WAIT = query(
    "wait",
    "Number of seconds for which the response is held back until the job has ended.",
    type="number",
    minimum=0,
    maximum=MAX_WAIT_SECONDS,
)
"""OpenAPI entry of the parameter that `query_wait` reads."""

FOLLOW = query(
    "follow",
    "`true`: send the result of a batch at once, each part as soon as it and all parts before it are stored.",
    type="string",
    enum=["true", "false"],
)
"""OpenAPI entry of the parameter that `query_follow` reads."""

_MAX_NAMES = 100
"""Of more names than this most are unknown, and the first tell enough."""

_NAME_CHARACTERS = 200
"""How much of a name is told back."""

_UNKNOWN = "extra_forbidden"
"""What pydantic calls a field that the model does not have."""

_NOT_OPTIONS = {"wait", "follow"}
"""Query parameters of `POST /predict` that are no options of the job."""


def read_options(body: Mapping[str, Any] | None = None) -> Options:
    """The options in the query and, beside the rows, in the body.

    Raises:
        UnknownOption: there is no such option. OptionValue: one is given twice, or has a value that does not fit.
    """
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name in _NOT_OPTIONS:
            continue
        if len(values) > 1:
            raise OptionValue.at(name, "given more than once")
        given[name] = values[0]
    for name, value in (body or {}).items():
        if name in given:
            raise OptionValue.at(name, "given more than once")
        given[name] = value
    try:
        return Options(**dict(islice(given.items(), _MAX_NAMES)))
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors()]
        kind = UnknownOption if any(fault["type"] == _UNKNOWN for fault in error.errors()) else OptionValue
        raise kind("; ".join(f"{f['where']}: {f['message']}" for f in faults) + ".", faults) from None


def _fault(fault: Any) -> dict[str, str]:
    name = str(fault["loc"][0])[:_NAME_CHARACTERS]
    if fault["type"] == _UNKNOWN:
        close = nearest(name, Options.model_fields)
        return {"where": name, "message": "unknown option" + (f"; the nearest is {close!r}" if close else "")}
    message = fault["msg"]
    return {"where": name, "message": message[0].lower() + message[1:]}


def query_wait() -> float | None:
    """`?wait=SECONDS`, or None where it is not given.

    Raises:
        OptionValue: it is no number from 0 to 60.
    """
    text = request.args.get("wait")
    if text is None:
        return None
    seconds = _seconds(text)
    if seconds is None or seconds > MAX_WAIT_SECONDS:
        raise OptionValue.at("wait", f"takes seconds from 0 to {MAX_WAIT_SECONDS:g}")
    return seconds


def query_follow() -> bool:
    """`?follow=true`: whether the result is to come part by part.

    Raises:
        OptionValue: it is neither `true` nor `false`.
    """
    text = request.args.get("follow", "false")
    if text not in ("true", "false"):
        raise OptionValue.at("follow", "takes true or false")
    return text == "true"


def preferred_wait() -> float | None:
    """`Prefer: wait=SECONDS` (RFC 7240), at most 60, or None; one that makes no sense is ignored, as the RFC wants."""
    for preference in parse_list_header(request.headers.get("Prefer", "")):
        name, _, value = preference.partition(";")[0].partition("=")  # behind a semicolon stand its parameters
        if name.strip().lower() == "wait":
            seconds = _seconds(value.strip().strip('"'))
            return None if seconds is None else min(seconds, MAX_WAIT_SECONDS)
    return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
