"""Readiness: whether the gateway and the programs behind it are ready, as `GET /ready` reports."""

import json
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Readiness:
    """One answer of `GET /ready`."""

    #: The checks by name, for example `{"redis": {"ok": true}}`; empty if the gateway did not answer.
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def serves(self, pools: Collection[str]) -> bool:
        """Returns whether Redis, the store and a worker of each of `pools` are ready; a model may be missing."""
        without = [pool or "" for pool in self.checks.get("workers", {}).get("pools_without_worker", [])]
        is_ok = all(self.checks.get(name, {}).get("ok") for name in ("redis", "store", "workers"))
        return is_ok and not any(pool in without for pool in pools)

    @property
    def has_model(self) -> bool:
        """Whether the registry has a model."""
        return bool(self.checks.get("models", {}).get("ok"))

    @property
    def missing(self) -> dict[str, str]:
        """The checks that fail, with the reason of each."""
        if not self.checks:
            return {"gateway": "does not answer"}
        return {
            name: str(check.get("detail", ""))
            for name, check in self.checks.items()
            if not check.get("ok") or check.get("pools_without_worker")
        }


class ReadyPoller:
    """Polls `GET /ready` in a thread, because a starting gateway accepts a request long before it answers."""

    def __init__(self, url: str, pools: Collection[str] = ()) -> None:
        """`pools` are those besides the default one that must have a worker."""
        self.latest = Readiness()
        self._url, self._pools = url, ["", *pools]
        self._enough = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._ask, name="ready", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()

    @property
    def serves(self) -> bool:
        """Whether the service can run jobs."""
        return self.latest.serves(self._pools)

    def _ask(self) -> None:
        while not self.serves and not self._enough.wait(_PAUSE_SECONDS):
            self.latest = ask(self._url)


def ask(url: str) -> Readiness:
    """Requests `GET /ready` once."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/ready")
        answer = json.loads(connection.getresponse().read())
        return Readiness(answer["checks"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return Readiness()
    finally:
        connection.close()
