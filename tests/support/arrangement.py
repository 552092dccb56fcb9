"""In which order the processes of one run take the tests, and which tests stay together.

The tests of a file go to the same process, one after another, so that what the file's fixtures start is started once.
Some files have long tests and no such fixtures: their tests are handed out one by one. Files come in an order that is
mixed, and the same in each run: many tests compute, many wait for programs, and a run of one kind would leave
processors idle. What takes longest comes in the first half, so that no process is left with it at the end.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

ONE_BY_ONE = {
    "tests/same_as_script/test_families.py",
    "tests/same_as_script/test_features.py",
    "tests/stack/test_up.py",
    "tests/test_docs.py",
    "tests/training/test_train.py",
}
"""Files whose tests are handed out one by one, unless they are marked as a group."""

FIRST = "compose"
"""The group that takes longest: three minutes."""

LONG = {
    "quickstart",
    "readme",
    "tests/api/openapi/test_document.py",
    "tests/api/web/test_guide_pages.py",
    "tests/api/web/test_pages.py",
    "tests/api/web/test_typed_work.py",
    "tests/stack/test_faults.py",
    "tests/stack/test_redis_faults.py",
    "tests/stack/test_retry.py",
    "tests/stack/test_store_faults.py",
    "tests/stack/test_up.py",
    "tests/stack/test_webhooks.py",
    "tests/test_docs.py",
}
"""Groups and files that take more than half a minute, or have a test that does."""


def arrange(items: list[pytest.Item]) -> None:
    """Marks tests that stay together as groups of xdist, and puts the groups into their order."""
    places: dict[pytest.Item, float] = {}
    for item in items:
        file = item.nodeid.partition("::")[0]
        named = [str(mark.args[0]) for mark in item.iter_markers("xdist_group")]
        if not named and file not in ONE_BY_ONE:
            named = [file]
            item.add_marker(pytest.mark.xdist_group(file))
        places[item] = _place("_".join(sorted(named)) or item.nodeid, file)
    items.sort(key=places.__getitem__)  # it keeps the order within a group


@contextmanager
def compiled_once() -> Iterator[None]:
    """Lets the other processes wait until one has compiled the modules of the tests, in a checkout that is new.

    Otherwise each would compile all of them, because they begin at the same time.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.dont_write_bytecode or any(TESTS.glob("__pycache__/test_*.pyc")):
        yield
        return
    with (TESTS / "conftest.py").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield


def _place(group: str, file: str) -> float:
    """Returns where a group of this file comes, from 0 to 1."""
    if group == FIRST:
        return 0
    return _mixed(group) * (0.5 if {group, file} & LONG else 1)


def _mixed(name: str) -> float:
    """Returns a number from 0 to 1 that has nothing to do with the name, but is the same each time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
