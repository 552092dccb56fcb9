"""The schedule of a delivery: how long to pause between attempts, and when to give up. Pure."""

FIRST_PAUSE_SECONDS = 5.0
"""Pause after the first attempt. Each further pause is three times as long."""

LONGEST_PAUSE_SECONDS = 3 * 3600.0
"""Longest pause, also if a receiver asks for more with `Retry-After`."""

GIVE_UP_SECONDS = 86_400.0
"""Time after the end of the job, after which no attempt is scheduled. Redis measures it (`settle_delivery.lua`)."""

_GROWTH = 3
_SPREAD = 0.1


def pause_seconds(attempt: int, retry_after_seconds: float = 0, spread: float = 0) -> float:
    """Returns the pause after a failed attempt, in seconds: about 5, 15, 45, 135 and so on.

    `attempt` is its number, from 1. `retry_after_seconds` is what the receiver asked for. `spread`, from 0 to 1,
    lengthens the pause by up to a tenth, so that deliveries that failed together do not all come back together.
    """
    growth: int = _GROWTH ** min(attempt - 1, 20)
    grown = min(FIRST_PAUSE_SECONDS * growth, LONGEST_PAUSE_SECONDS)
    return max(grown, min(retry_after_seconds, LONGEST_PAUSE_SECONDS)) * (1 + _SPREAD * spread)
