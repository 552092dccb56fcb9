"""Retries: how long, how often and after which pauses the client tries again.

A pause is what the service asks for (`Retry-After`), or grows from a tenth of a second to five. The limit is a time,
not a count: a gateway that restarts is worth waiting for, an address that never answered is most often a wrong one.
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
    """Seconds for which one call is tried again.

    Attributes:
        seconds: where the service has answered before. A pause that would end later is not begun.
        first_contact_seconds: where it never has.
    """

    seconds: float = 60
    first_contact_seconds: float = 3


def retried(call: Callable[[], Value], patience_seconds: Callable[[RetryCallState], float]) -> Value:
    """Calls, and again after what is transient while `patience_seconds`, asked after each failure, allows the pause.

    Raises:
        ClientError: of the last try, with a traceback that begins here: the loop is of no interest to the caller.
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
