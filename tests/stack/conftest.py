"""Models that misbehave, and services to break: one of a test's own, or one that each test finds empty."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing

import estimators
import httpx
import numpy as np
import pytest
from programs import SUPPORT, Stack, http_client, kill_group, until
from registering import register

from rowcast.jobs.records.redis_keys import key

LASTING = ("gateway", "upkeep")
"""The programs of `kept_stack` that go on from test to test."""


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the whole service."""
    with http_client(stack.url, timeout=90) as http:
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


@pytest.fixture(scope="module")
def unstarted_stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A misbehaving stack of the module's own; nothing started."""
    stack = misbehaving(make_stack)
    yield stack
    stack.stop_all()
    stack.server.stop()


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
def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of the test's stack: `kept_stack`, or `own_stack`, whose gateway and upkeep are started here.

    However a test ends what it broke, all adds up afterwards.
    """
    if "kept_stack" in request.fixturenames:
        stack = request.getfixturevalue("kept_stack")
    else:
        stack = request.getfixturevalue("own_stack")
        stack.start_gateway()
        stack.start_upkeep()
    with http_client(stack.url, timeout=90) as client:
        yield client
        try:
            stack.audit()
        except BaseException:  # this phase is reported only when all fixtures have ended
            request.node.stash[FAILED] = True
            raise


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remembers for `kept_stack` that a phase of the test has failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def kept_stacks(make_lasting_stack: Callable[..., Stack]) -> list[Stack]:
    """The stack that `kept_stack` gives to the next test; empty before the first test and after one that failed."""
    return []


@pytest.fixture
def kept_stack(
    kept_stacks: list[Stack], make_lasting_stack: Callable[..., Stack], request: pytest.FixtureRequest
) -> Iterator[Stack]:
    """A misbehaving stack without a job, whose gateway and upkeep run. The test starts the workers.

    Starting a gateway and upkeep takes some seconds, so they go on from test to test, for tests after which they serve
    as before. After a test that failed, the next one gets a new stack.
    """
    if not kept_stacks:
        kept_stacks.append(misbehaving(make_lasting_stack))
        kept_stacks[0].start_gateway()
        kept_stacks[0].start_upkeep()
    stack = kept_stacks[0]
    environment = dict(stack.environment)
    yield stack
    end_workers(stack)
    if FAILED in request.node.stash or not all(stack.processes[name].poll() is None for name in LASTING):
        kept_stacks.clear()
        stack.stop_all()
        return
    stack.environment = environment
    empty(stack)


def end_workers(stack: Stack) -> None:
    """Kills every program that does not go on to the next test."""
    for name in [name for name in stack.processes if name not in LASTING]:
        if name in stack.supervised:
            stack.supervised.pop(name).stop()
        kill_group(stack.processes.pop(name))


def empty(stack: Stack) -> None:
    """Removes every job and the workers' logs, and waits until upkeep has noticed that Redis was emptied."""
    for log in set(stack.folder.glob("*.log")) - {stack.folder / f"{name}.log" for name in LASTING}:
        log.unlink()
    for mark in ("stuck", "failing", "die", "hangs"):
        (stack.folder / mark).unlink(missing_ok=True)
    shutil.rmtree(stack.store / "jobs", ignore_errors=True)
    with closing(stack.redis) as redis:
        redis.flushall()
        until(lambda: redis.get(key("indexed")) == b"whole", "upkeep knows that there is no job")
