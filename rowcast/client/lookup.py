"""The lookup of what a caller names loosely: a job by the beginning of its id, a model by its name or alias."""

from typing import Any
from urllib.parse import quote

from rowcast.client.errors import NotFound, Unprocessable, WrongUse
from rowcast.client.transport import Transport, plain

_LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
"""The last id of all (UUID version 7)."""

_SHOWN = 20
"""How many jobs are listed if the beginning of an id is not unique."""


def find_record(transport: Transport, id: str) -> dict[str, Any]:
    """The record of the job with that id, or of the only one whose id begins so.

    Raises:
        NotFound: there is none.
        WrongUse: it is not an id or the beginning of one, or several jobs have ids that begin so.
    """
    prefix = _prefix(id)
    if len(prefix) == len(_LAST_ID):
        return plain(transport.call("GET", f"/jobs/{prefix}"))
    # Ids grow, and the list is sorted by them: the jobs that begin so are next to each other. A page begins after its
    # cursor, so the last id that fits is asked for itself.
    last = prefix + _LAST_ID[len(prefix) :]
    try:
        page = plain(transport.call("GET", "/jobs", params={"limit": str(_SHOWN), "cursor": last}))
        fitting = [raw for raw in page["jobs"] if raw["id"].startswith(prefix)]
        fitting = fitting or [plain(transport.call("GET", f"/jobs/{last}"))]
    except (NotFound, Unprocessable):  # the latter if no id can begin so
        raise NotFound(f"There is no job whose id begins with {prefix!r}.", {"status": 404}) from None
    if len(fitting) > 1:
        ids = "".join(f"\n  {raw['id']}" for raw in fitting)
        more = "" if len(fitting) < _SHOWN else "\n  ..."
        raise WrongUse(f"The ids of several jobs begin with {prefix!r}; give more of it:{ids}{more}")
    record: dict[str, Any] = fitting[0]
    return record


def find_manifest(transport: Transport, model: str | None) -> dict[str, Any]:
    """What the service knows of the version that `model` means now; None is the default model.

    Raises:
        NotFound: there is no such model or version.
        WrongUse: there is no default model.
    """
    if model is None:
        found = plain(transport.call("GET", "/models"))
        model = found.get("default")
        if model is None:
            names = ", ".join(one["name"] for one in found["models"])
            raise WrongUse(f"Name the model, because there is no default one: {names or 'there is none yet'}.")
    name, at, wanted = (quote(part, safe="") for part in model.partition("@"))
    if not wanted.isdigit():
        found = plain(transport.call("GET", f"/models/{name}"))
        aliases, versions = found["aliases"], found["versions"]
        # A wrong alias is sent as it is: the service's answer says which ones there are.
        wanted = aliases.get(wanted, wanted) if at else aliases.get("production", versions[-1])
    return plain(transport.call("GET", f"/models/{name}/versions/{wanted}"))


def _prefix(id: str) -> str:
    """A job's id or the beginning of one, in the form that the service uses."""
    digits = id.strip().replace("-", "").lower()
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        raise WrongUse(f"{id!r} is not a job's id.")
    groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(group for group in groups if group)
