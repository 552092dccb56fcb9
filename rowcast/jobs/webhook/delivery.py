"""A delivery: one end of a job that its webhook has to learn of."""

from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import TypedDict


class DeliveryState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    """The job has not ended."""
    PENDING = "pending"
    """The job has ended, and the receiver has not accepted it yet."""
    DELIVERED = "delivered"
    """The receiver has answered with a status of 200 to 299."""
    FAILED = "failed"
    """The receiver did not accept it for a day, or answered 410 Gone. It is not tried again."""

    @property
    def is_settled(self) -> bool:
        """Whether no attempt follows."""
        return self in (DeliveryState.DELIVERED, DeliveryState.FAILED)


class Attempt(TypedDict):
    """One attempt to deliver, as a record has it."""

    #: When it began, in milliseconds since 1970, UTC.
    at_ms: int
    #: HTTP status of the answer; null without one.
    status: int | None
    #: What went wrong, as a sentence; null if the status says it.
    error: str | None


@dataclass(frozen=True)
class Delivery:
    """The delivery of a job's last end at one moment."""

    #: How far it is.
    state: DeliveryState = DeliveryState.WAITING
    #: Attempts so far, with the one that is under way.
    attempts: int = 0
    #: The last attempt that has ended; None before.
    last: Attempt | None = None
    #: When the next attempt is due (ms); during an attempt, when it counts as lost. None if there is none.
    next_ms: int | None = None
