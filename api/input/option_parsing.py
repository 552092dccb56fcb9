"""The options of a request, and the time for which the caller wants to wait."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from flask import request
from werkzeug.http import parse_list_header

from api.openapi.call_types import query
from rowcast.errors import OptionValue
from rowcast.jobs.options import Options
from rowcast.jobs.request import checked_options

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
"""OpenAPI entry of the parameter `follow`."""

PARTIAL = query(
    "partial",
    "`true`: the result of a batch that failed or was cancelled, up to the first chunk that is not done.",
    type="string",
    enum=["true", "false"],
)
"""OpenAPI entry of the parameter `partial`."""

DRY_RUN = query(
    "dry_run",
    "`true`: no job is made. At most the first MiB of the file is read and checked. Also as a member of a JSON body or "
    "as a part of a form.",
    type="string",
    enum=["true", "false"],
)
"""OpenAPI entry of the parameter that `dry_run` reads."""

_MAX_NAMES = 100
"""Names after this many are not checked: most of them would be unknown, and the first show what is wrong."""

_NOT_OPTIONS = {"wait", "follow", "dry_run"}
"""Query parameters of `POST /predict` that are not options of the job."""

_FLAGS = {"true": True, "false": False, True: True, False: False}


def read_options(body: Mapping[str, Any] | None = None) -> Options:
    """Returns the options in the query and in the body. `body` has the fields of the body, without the rows.

    Raises:
        UnknownOption: an option does not exist. OptionValue: one is given twice, or its value is not valid.
    """
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name in _NOT_OPTIONS:
            continue
        if len(values) > 1:
            raise OptionValue.at(name, "is given more than once")
        given[name] = values[0]
    for name, value in (body or {}).items():
        if name == "dry_run":
            continue
        if name in given:
            raise OptionValue.at(name, "is given more than once")
        given[name] = value
    return checked_options(dict(islice(given.items(), _MAX_NAMES)))


def query_wait() -> float | None:
    """Returns the value of `?wait=SECONDS`, or None if it is not given.

    Raises:
        OptionValue: it is not a number from 0 to 60.
    """
    text = request.args.get("wait")
    if text is None:
        return None
    seconds = _seconds(text)
    if seconds is None or seconds > MAX_WAIT_SECONDS:
        raise OptionValue.at("wait", f"must be a number of seconds from 0 to {MAX_WAIT_SECONDS:g}")
    return seconds


def query_flag(name: str) -> bool:
    """Returns whether `?NAME=true` is given.

    Raises:
        OptionValue: it is neither `true` nor `false`.
    """
    return _flag(name, request.args.get(name, "false"))


def dry_run(body: Mapping[str, Any] | None = None) -> bool:
    """Returns whether the query or the fields of the body ask for a check instead of a job.

    Raises:
        OptionValue: the value is neither `true` nor `false`.
    """
    given = [*request.args.getlist("dry_run"), *([body["dry_run"]] if body and "dry_run" in body else [])]
    if len(given) > 1:
        raise OptionValue.at("dry_run", "is given more than once")
    return _flag("dry_run", given[0] if given else "false")


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, str | bool) or value not in _FLAGS:
        raise OptionValue.at(name, "must be true or false")
    return _FLAGS[value]


def preferred_wait() -> float | None:
    """Returns the seconds of `Prefer: wait=SECONDS` (RFC 7240), at most 60, or None.

    A value that is not valid is ignored, as the RFC requires.
    """
    for preference in parse_list_header(request.headers.get("Prefer", "")):
        name, _, value = preference.partition(";")[0].partition("=")  # parameters follow a semicolon
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
