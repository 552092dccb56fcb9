"""The Python client. It speaks only HTTP and runs without the service's dependencies."""

from rowcast.client.check import Check
from rowcast.client.client import Client, Prediction
from rowcast.client.errors import (
    BadRequest,
    BrokenTransfer,
    ClientError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    Unreachable,
    UnsupportedType,
    WrongUse,
)
from rowcast.client.job import Job, JobCancelled, JobFailed, NoResult, RowError, StillRunning

__all__ = [
    "BadRequest",
    "BrokenTransfer",
    "Check",
    "Client",
    "ClientError",
    "Conflict",
    "Forbidden",
    "Gone",
    "Job",
    "JobCancelled",
    "JobFailed",
    "NoResult",
    "NotFound",
    "Prediction",
    "RateLimited",
    "Refused",
    "RowError",
    "ServiceError",
    "StillRunning",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "Unreachable",
    "UnsupportedType",
    "WrongUse",
]
