"""The small real models of the scoring tests, and the fork server of isolated processes."""

from collections.abc import Iterator

import pytest
from isolation_server import isolation_server
from scoring_models import models, training

from worker.isolation.fork_server import ForkServer

__all__ = ["models", "training"]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """The fork server of this process's tests."""
    with isolation_server() as server:
        yield server
