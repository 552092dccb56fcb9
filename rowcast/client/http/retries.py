"""Retries: when, how often and for how long the client repeats a request.

A pause is as long as the service asks for (`Retry-After`), or grows from a tenth of a second to five seconds. The
limit is a time rather than a count, because a gateway that restarts soon answers again. An address that never answered
is most often wrong, so its limit is shorter.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from rowcast.client.errors import TRANSIENT, ClientError
from rowcast.client.http.steps import Pause, Steps, Value

_FIRST_SECONDS, _LEAST_SECONDS, _MOST_SECONDS = 0.1, 0.05, 5.0


@dataclass(frozen=True)
class Patience:
    """How long one call is retried."""

    #: Limit if the service has answered before. A pause that would end later is not begun.
    seconds: float = 60
    #: Limit if the service has never answered.
    first_contact_seconds: float = 3


class Retries:
    """The failures of one call since it began, or since it last got on, and what they allow.

    `patience_seconds` returns the limit of time; it is called after each failure. `max_retries` None means any number.
    """

    def __init__(self, patience_seconds: Callable[[], float], max_retries: int | None) -> None:
        self._patience_seconds, self._max_retries = patience_seconds, max_retries
        self.restart()

    def restart(self) -> None:
        """Sets time and count back, because the call got on: for example, bytes of a download arrived."""
        self._failures, self._since = 0, monotonic()

    def pause_seconds(self, error: ClientError) -> float | None:
        """Counts a failure. Returns how long to wait before the next attempt, or None if there is to be none."""
        self._failures += 1
        if self._max_retries is not None and self._failures > self._max_retries:
            return None
        pause = error.retry_after_seconds
        if pause is None:
            longest = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(self._failures - 1, 16))
            # At random, so that clients that failed together do not come back together.
            pause = random.uniform(_LEAST_SECONDS, longest)  # noqa: S311
        return pause if pause <= self._patience_seconds() - (monotonic() - self._since) else None


def with_retries(once: Callable[[], Steps[Value]], retries: Retries) -> Steps[Value]:
    """Runs `once`, and runs it again after errors that may pass, as far as `retries` allows.

    Raises:
        ClientError: the error of the last attempt. Its traceback begins here, without the frames of the attempts.
    """
    while True:
        try:
            return (yield from once())
        except TRANSIENT as error:
            seconds = retries.pause_seconds(error)
            if seconds is None:
                raise error.with_traceback(None) from None
        yield Pause(seconds)
