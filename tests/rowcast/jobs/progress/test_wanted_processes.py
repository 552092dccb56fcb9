"""The number of worker processes that are worth having: enough for the target time, and never more than have work."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.jobs.progress.wanted_processes import (
    MOST_WANTED,
    Backlog,
    BatchBacklog,
    wanted_processes,
)
from rowcast.jobs.records.policy import CHUNK_SECONDS, GATHER_ROWS, UNMEASURED_ROW_SECONDS

COST = {"m@1": 0.001}

backlogs = st.builds(
    Backlog,
    batches=st.lists(
        st.builds(
            BatchBacklog,
            st.sampled_from(["m@1", "new@1"]),
            st.integers(0, 10**9),
            st.integers(0, 5_000),
            is_converting=st.booleans(),
        )
    ),
    rows_waiting=st.lists(st.integers(1, 10_000), max_size=5),
    has_work=st.just(True),
    row_seconds=st.just(COST),
)


def test_nothing_to_do_is_worth_no_process() -> None:
    assert wanted_processes(Backlog(), 30) == 0


def test_anything_to_do_is_worth_one_process_however_little_it_is() -> None:
    assert wanted_processes(Backlog(has_work=True), 30) == 1
    assert wanted_processes(Backlog([BatchBacklog("m@1", 1, 1)], has_work=True), 30) == 1


@pytest.mark.parametrize(("rows", "processes"), [(29_000, 1), (290_000, 10), (2_900_000, 97)])
def test_the_measured_cost_of_the_rows_is_divided_by_the_time(rows: int, processes: int) -> None:
    assert wanted_processes(Backlog([BatchBacklog("m@1", rows, 100)], has_work=True, row_seconds=COST), 30) == processes


def test_batches_add_up_before_they_are_rounded() -> None:
    small = BatchBacklog("m@1", 1_000, 1)
    expected = ceil(90 * (1 + CHUNK_SECONDS) / 30)
    assert wanted_processes(Backlog([small] * 90, has_work=True, row_seconds=COST), 30) == expected == 4


def test_a_batch_is_never_worth_more_processes_than_it_has_chunks() -> None:
    slow = Backlog([BatchBacklog("m@1", 10**9, 7)], has_work=True, row_seconds=COST)
    assert wanted_processes(slow, 30) == 7


def test_a_model_that_was_never_measured_has_an_assumed_cost() -> None:
    rows = round(60 / UNMEASURED_ROW_SECONDS)
    assert wanted_processes(Backlog([BatchBacklog("new@1", rows, 99)], has_work=True), 30) == 3


def test_a_conversion_needs_a_process_besides_those_of_its_chunks() -> None:
    converting = BatchBacklog("m@1", 60_000, 50, is_converting=True)
    assert wanted_processes(Backlog([converting], has_work=True, row_seconds=COST), 30) == 4
    unknown = BatchBacklog("m@1", 0, 0, is_converting=True)
    assert wanted_processes(Backlog([unknown], has_work=True), 30) == 1


def test_rows_that_wait_are_worth_a_process_for_each_call_of_predict() -> None:
    assert wanted_processes(Backlog(rows_waiting=[1], has_work=True), 30) == 1
    assert wanted_processes(Backlog(rows_waiting=[GATHER_ROWS + 1, 3], has_work=True), 30) == 3


def test_batches_that_were_not_read_are_like_those_that_were() -> None:
    one = BatchBacklog("m@1", 60_000, 50)
    assert wanted_processes(Backlog([one], weight=2.5, has_work=True, row_seconds=COST), 30) == ceil(2.5 * 60.2 / 30)


@given(backlogs, st.floats(0.1, 1_000))
def test_the_number_has_bounds_and_falls_if_there_is_more_time(backlog: Backlog, seconds: float) -> None:
    number = wanted_processes(backlog, seconds)
    most = sum(one.chunks + one.is_converting for one in backlog.batches) + sum(backlog.rows_waiting)
    assert 1 <= number <= min(MOST_WANTED, max(1, most))
    assert wanted_processes(backlog, 2 * seconds) <= number
