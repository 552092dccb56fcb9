"""Problems in the form in which OpenAI's clients read errors."""

from collections.abc import Mapping
from typing import Any

from api.error_responses import OpenAiError, problem
from rowcast.errors import BadRow

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_member(document: Mapping[str, Any]) -> dict[str, OpenAiError]:
    """Returns the member `error` for a problem document."""
    faults = document.get("errors") or [{}]
    status = document["status"]
    return {
        "error": {
            "message": document["detail"],
            "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            "param": faults[0].get("where"),
            "code": document["type"].rpartition(":")[2],
        }
    }


def row_problem(text: str) -> dict[str, Any]:
    """Returns the body of the response to a row that cannot be predicted."""
    document = problem(BadRow(text).recorded(), "")
    return {**document, **error_member(document)}
