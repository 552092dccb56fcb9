"""The Python client. It speaks only HTTP and runs without the service's dependencies."""

from rowcast.client.check import Check
from rowcast.client.client import Client
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
from rowcast.client.job_filter import BulkOutcome
from rowcast.client.row import Prediction

__all__ = [
    "BadRequest",
    "BrokenTransfer",
    "BulkOutcome",
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
