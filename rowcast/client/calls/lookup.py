"""Lookup: finds a job by the beginning of its id, lists jobs, and finds a model version by name or alias."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rowcast.client.errors import NotFound, Unprocessable, WrongUse
from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.steps import Steps
from rowcast.client.job_filter import filter_of

_LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
"""The largest possible job id (UUID version 7)."""

_PAGE = 200
"""The most jobs that the service returns at once."""

_SHOWN = 20
"""How many jobs are listed if the beginning of an id is not unique."""


def find_record(endpoint: Endpoint, id: str) -> Steps[dict[str, Any]]:
    """Returns the record of the job with this id, or of the only job with an id that begins with it.

    Raises:
        NotFound: there is no such job.
        WrongUse: `id` is not the beginning of a job id, or several job ids begin with it.
    """
    prefix = _prefix(id)
    if len(prefix) == len(_LAST_ID):
        return (yield from endpoint.call("GET", f"/jobs/{prefix}"))
    # The list is sorted by id, so the ids with this beginning are next to each other. A page begins after its cursor,
    # so the largest id with this beginning is requested by itself.
    last = prefix + _LAST_ID[len(prefix) :]
    try:
        page = yield from endpoint.call("GET", "/jobs", params={"limit": str(_SHOWN), "cursor": last})
        fitting = [raw for raw in page["jobs"] if raw["id"].startswith(prefix)]
        fitting = fitting or [(yield from endpoint.call("GET", f"/jobs/{last}"))]
    except (NotFound, Unprocessable):  # Unprocessable if no id can begin with it
        raise NotFound(f"No job has an id that begins with {prefix!r}.", {"status": 404}) from None
    if len(fitting) > 1:
        ids = "".join(f"\n  {raw['id']}" for raw in fitting)
        more = "" if len(fitting) < _SHOWN else "\n  ..."
        raise WrongUse(f"Several job ids begin with {prefix!r}. Give more characters of one:{ids}{more}")
    record: dict[str, Any] = fitting[0]
    return record


def find_manifest(endpoint: Endpoint, model: str | None) -> Steps[dict[str, Any]]:
    """Returns the manifest of the version that `model` refers to now; None is the default model.

    Raises:
        NotFound: there is no such model or version.
        WrongUse: the service has no default model.
    """
    if model is None:
        found = yield from endpoint.call("GET", "/models")
        model = found.get("default")
        if model is None:
            names = ", ".join(one["name"] for one in found["models"])
            raise WrongUse(f"The service has no default model. Name one of its models: {names or 'it has none yet'}.")
    name, at, wanted = (quote(part, safe="") for part in model.partition("@"))
    if not wanted.isdigit():
        found = yield from endpoint.call("GET", f"/models/{name}")
        aliases, versions = found["aliases"], found["versions"]
        # A wrong alias is sent unchanged, because the service's answer lists the aliases.
        wanted = aliases.get(wanted, wanted) if at else aliases.get("production", versions[-1])
    return (yield from endpoint.call("GET", f"/models/{name}/versions/{wanted}"))


def find_manifests(endpoint: Endpoint, model: str | None) -> Steps[list[dict[str, Any]]]:
    """Returns the manifests of the models that `model` names: of one, or of two with a comma. Raises as for one."""
    found = []
    for one in [None] if model is None else model.split(","):
        found.append((yield from find_manifest(endpoint, one if one is None else one.strip())))
    return found


def alias_path(name: str, alias: str) -> str:
    """Returns the path of an alias of a model."""
    return f"/models/{quote(name, safe='')}/aliases/{quote(alias, safe='')}"


def _prefix(id: str) -> str:
    """Returns a job id or its beginning as the service writes it, for example `d23206a5-eb2e` for `D23206A5EB2E`."""
    digits = id.strip().replace("-", "").lower()
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        raise WrongUse(f"{id!r} is not a job id; job ids look like d23206a5-eb2e-7499-ab96-45ef2a0ae9e8.")
    groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(group for group in groups if group)


class JobPages:
    """The jobs that match, at most `limit`, a page at a time. A page may be empty though others follow."""

    def __init__(self, endpoint: Endpoint, matching: Mapping[str, Any], limit: int | None) -> None:
        self._endpoint, self._left = endpoint, limit
        self._next: str | None = "/jobs?" + urlencode({"limit": min(limit or _PAGE, _PAGE), **filter_of(matching)})
        #: The records of the page that was loaded last.
        self.records: list[dict[str, Any]] = []

    @property
    def has_next(self) -> bool:
        """Whether there is another page to load."""
        return self._next is not None and (self._left is None or self._left > 0)

    def load(self) -> Steps[None]:
        """Loads the next page."""
        page = yield from self._endpoint.call("GET", self._next or "/jobs")
        self.records = page["jobs"][: self._left]
        self._left = None if self._left is None else self._left - len(page["jobs"])
        self._next = f"/jobs?{urlsplit(page['next']).query}" if page.get("next") else None
