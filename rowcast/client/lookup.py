"""Lookup: finds a job by the beginning of its id, lists jobs, and finds a model version by name or alias."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from rowcast.client.errors import NotFound, Unprocessable, WrongUse
from rowcast.client.job import Job
from rowcast.client.transport import Transport, json_object

_LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
"""The largest possible job id (UUID version 7)."""

_SHOWN = 20
"""How many jobs are listed if the beginning of an id is not unique."""


def find_record(transport: Transport, id: str) -> dict[str, Any]:
    """Returns the record of the job with this id, or of the only job with an id that begins with it.

    Raises:
        NotFound: there is no such job.
        WrongUse: `id` is not the beginning of a job id, or several job ids begin with it.
    """
    prefix = _prefix(id)
    if len(prefix) == len(_LAST_ID):
        return json_object(transport.call("GET", f"/jobs/{prefix}"))
    # The list is sorted by id, so the ids with this beginning are next to each other. A page begins after its cursor,
    # so the largest id with this beginning is requested by itself.
    last = prefix + _LAST_ID[len(prefix) :]
    try:
        page = json_object(transport.call("GET", "/jobs", params={"limit": str(_SHOWN), "cursor": last}))
        fitting = [raw for raw in page["jobs"] if raw["id"].startswith(prefix)]
        fitting = fitting or [json_object(transport.call("GET", f"/jobs/{last}"))]
    except (NotFound, Unprocessable):  # Unprocessable if no id can begin with it
        raise NotFound(f"No job has an id that begins with {prefix!r}.", {"status": 404}) from None
    if len(fitting) > 1:
        ids = "".join(f"\n  {raw['id']}" for raw in fitting)
        more = "" if len(fitting) < _SHOWN else "\n  ..."
        raise WrongUse(f"Several job ids begin with {prefix!r}. Give more characters of one:{ids}{more}")
    record: dict[str, Any] = fitting[0]
    return record


def find_manifest(transport: Transport, model: str | None) -> dict[str, Any]:
    """Returns the manifest of the version that `model` refers to now; None is the default model.

    Raises:
        NotFound: there is no such model or version.
        WrongUse: the service has no default model.
    """
    if model is None:
        found = json_object(transport.call("GET", "/models"))
        model = found.get("default")
        if model is None:
            names = ", ".join(one["name"] for one in found["models"])
            raise WrongUse(f"The service has no default model. Name one of its models: {names or 'it has none yet'}.")
    name, at, wanted = (quote(part, safe="") for part in model.partition("@"))
    if not wanted.isdigit():
        found = json_object(transport.call("GET", f"/models/{name}"))
        aliases, versions = found["aliases"], found["versions"]
        # A wrong alias is sent unchanged, because the service's answer lists the aliases.
        wanted = aliases.get(wanted, wanted) if at else aliases.get("production", versions[-1])
    return json_object(transport.call("GET", f"/models/{name}/versions/{wanted}"))


def _prefix(id: str) -> str:
    """Returns a job id or its beginning as the service writes it, for example `d23206a5-eb2e` for `D23206A5EB2E`."""
    digits = id.strip().replace("-", "").lower()
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        raise WrongUse(f"{id!r} is not a job id; job ids look like d23206a5-eb2e-7499-ab96-45ef2a0ae9e8.")
    groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(group for group in groups if group)


def job_pages(transport: Transport, page: dict[str, Any], limit: int | None) -> Iterator[Job]:
    """Yields the jobs of the first page and of those that follow, at most `limit`. A page may be empty."""
    left = limit
    while True:
        for raw in page["jobs"][:left]:
            yield Job(transport, raw)
        left = None if left is None else left - len(page["jobs"])
        if not page.get("next") or (left is not None and left <= 0):
            return
        page = json_object(transport.call("GET", f"/jobs?{urlsplit(page['next']).query}"))
