"""Retries: when, and for how long, the client repeats a request.

A pause is as long as the service asks for (`Retry-After`), or grows from a tenth of a second to five seconds. The
limit is a time, not a count: a gateway that restarts soon answers again. An address that never answered is most often
wrong, so its limit is shorter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from rowcast.client.errors import TRANSIENT, ClientError

Value = TypeVar("Value")

_growing = wait_random_exponential(multiplier=0.1, max=5, min=0.05)


@dataclass(frozen=True)
class Patience:
    """How long one call is retried."""

    #: Limit if the service has answered before. A pause that would end later is not begun.
    seconds: float = 60
    #: Limit if the service has never answered.
    first_contact_seconds: float = 3


def call_with_retries(call: Callable[[], Value], patience_seconds: Callable[[RetryCallState], float]) -> Value:
    """Calls `call`, and repeats it after transient errors while the pause fits into `patience_seconds`.

    `patience_seconds` is called after each failure.

    Raises:
        ClientError: the error of the last attempt. Its traceback begins here, without the frames of the retry loop.
    """

    def give_up(state: RetryCallState) -> bool:
        return state.upcoming_sleep > patience_seconds(state)

    again = Retrying(retry=retry_if_exception_type(TRANSIENT), wait=_pause_seconds, stop=give_up, reraise=True)
    try:
        return again(call)
    except ClientError as error:
        raise error.with_traceback(None) from None


def _pause_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, ClientError) else None
    return asked if asked is not None else _growing(state)
