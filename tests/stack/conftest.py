"""Models that misbehave, and a service of each test's own where it breaks something."""

from collections.abc import Callable, Iterator

import estimators
import httpx
import numpy as np
import pytest
from programs import SUPPORT, Stack
from registering import register


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the whole service."""
    with httpx.Client(base_url=stack.url, timeout=90) as http:
        yield http


def misbehaving(make_stack: Callable[..., Stack]) -> Stack:
    """A stack with quick leases, tiny chunks, and misbehaving models in its registry; nothing started."""
    stack = make_stack(ROWCAST_LEASE_SECONDS="3", ROWCAST_CHUNK_ROWS="64", PYTHONPATH=str(SUPPORT))
    for kind in (
        estimators.Fixed,
        estimators.Slow,
        estimators.Stuck,
        estimators.Picky,
        estimators.Failing,
        estimators.Dying,
        estimators.Deadly,
        estimators.Hanging,
        estimators.Greedy,
    ):
        model = kind(str(stack.folder)).fit(np.zeros((2, 1)), [0, 1])
        register(stack.models, kind.__name__.lower(), model, ["age"])
    return stack


@pytest.fixture
def own_stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A misbehaving stack of the test's own; nothing started."""
    stack = misbehaving(make_stack)
    yield stack
    stack.stop_all()
    stack.server.stop()


@pytest.fixture(scope="module")
def shared_stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A misbehaving stack with a worker of two processes, for tests after which it serves as before."""
    stack = misbehaving(make_stack)
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    yield stack
    stack.stop_all()
    stack.server.stop()


@pytest.fixture
def http(own_stack: Stack) -> Iterator[httpx.Client]:
    """A client of `own_stack`, whose gateway and upkeep run; the test starts the workers.

    However a test ends what it broke, all adds up afterwards.
    """
    own_stack.start_gateway()
    own_stack.start_upkeep()
    with httpx.Client(base_url=own_stack.url, timeout=90) as client:
        yield client
        own_stack.audit()
