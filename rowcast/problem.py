"""A problem document (RFC 9457): what every HTTP error and every failed job carries."""

from collections.abc import Sequence
from typing import Any


def problem(status: int, title: str, detail: str, errors: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """The document; `errors` lists single faults as `{"where": ..., "message": ...}` and is left out where empty."""
    document: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return document | {"errors": list(errors)} if errors else document
