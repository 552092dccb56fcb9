"""The filter of a list or a bulk action: `status`, `model`, `tag`, `since` and `until`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict

from api.openapi.call_types import query
from rowcast.errors import OptionValue, UnknownOption
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.states import PublicStatus, Status
from rowcast.wording.nearest import if_nearest

_EXAMPLE = "2026-01-31T09:30:00Z"

FILTER = (
    query("status", "Only jobs with this status.", type="string", enum=[str(one) for one in Status.public()]),
    query("model", "Only jobs of this model: `NAME` or `NAME@VERSION`.", type="string"),
    query("tag", "Only jobs with this tag: `name:value`, or `name` with any value.", type="string"),
    query("since", f"Only jobs that were made then or later, for example `{_EXAMPLE}`.", type="string"),
    query("until", "Only jobs that were made before then.", type="string"),
)
"""OpenAPI entries of the parameters that `read_filter` reads."""

NAMES = tuple(parameter.name for parameter in FILTER)


class FilterDocument(TypedDict, total=False):
    """The jobs that a bulk action takes: those for which every member is true. `{}` takes all jobs."""

    status: PublicStatus
    #: `NAME` or `NAME@VERSION`.
    model: str
    #: `name:value`, or `name` with any value.
    tag: str
    #: Only jobs that were made then or later (RFC 3339).
    since: str
    #: Only jobs that were made before then.
    until: str


def read_filter(values: Mapping[str, Any]) -> JobFilter:
    """Returns the filter in a query or in a JSON object. Values that are empty count as not given.

    Raises:
        UnknownOption: there is another name in it. OptionValue: a value is not valid.
    """
    for name in values:
        if name not in NAMES:
            raise UnknownOption.at(name[:200], f"unknown part of a filter{if_nearest(name, NAMES)}")
    for name, value in values.items():
        if not isinstance(value, str):
            raise OptionValue.at(name, "must be text")
    return JobFilter(
        status=_status(values.get("status")),
        model=values.get("model") or None,
        tag=values.get("tag") or None,
        since_ms=_time("since", values.get("since")),
        until_ms=_time("until", values.get("until")),
    )


def _status(text: str | None) -> Status | None:
    if not text:
        return None
    if text not in {status.value for status in Status.public()}:
        raise OptionValue.at("status", f"must be one of {', '.join(Status.public())}")
    return Status(text)


def _time(name: str, text: str | None) -> int | None:
    """Returns a time in milliseconds since 1970; without an offset it is UTC, and a date is its midnight."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise OptionValue.at(name, f"must be a time (RFC 3339), for example {_EXAMPLE}") from None
