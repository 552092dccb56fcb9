"""How a process divides its time between rows and chunks."""

from hypothesis import given
from hypothesis import strategies as st

from worker.fair_share import CHUNK_SECONDS_PER_ROW_SECOND, LONGEST_TURN_SECONDS, FairShare

durations = st.floats(0.001, LONGEST_TURN_SECONDS)


def run(share: FairShare, chunk_seconds: float, row_seconds: float, turns: int = 5_000) -> tuple[float, float, float]:
    """Returns the time spent on chunks and on rows that always wait, and the longest wait of rows."""
    chunks = rows = waited = longest = 0.0
    for _ in range(turns):
        if share.rows_come_first:
            share.add_rows(row_seconds)
            rows, waited = rows + row_seconds, 0.0
        else:
            share.add_chunk(chunk_seconds)
            chunks, waited = chunks + chunk_seconds, waited + chunk_seconds
            longest = max(longest, waited)
    return chunks, rows, longest


@given(durations, st.floats(0.001, 3.0))
def test_chunks_get_at_least_half_of_the_time_however_long_rows_take(chunk: float, rows: float) -> None:
    for_chunks, for_rows, _ = run(FairShare(), chunk, rows)
    assert for_rows > 0
    assert for_chunks >= for_rows
    # Time owed beyond the longest turn is dropped, which favours the side with the longer pieces of work.
    if CHUNK_SECONDS_PER_ROW_SECOND * rows + chunk <= LONGEST_TURN_SECONDS:
        assert abs(for_chunks - CHUNK_SECONDS_PER_ROW_SECOND * for_rows) <= 2 * LONGEST_TURN_SECONDS


@given(durations, durations, st.integers(0, 1000), st.booleans())
def test_neither_side_waits_longer_for_time_that_the_other_had_before(
    chunk: float, rows: float, alone: int, was_rows: bool
) -> None:
    share = FairShare()
    for _ in range(alone):
        share.add_rows(rows) if was_rows else share.add_chunk(chunk)
    _, _, longest = run(share, chunk, rows)
    assert longest <= CHUNK_SECONDS_PER_ROW_SECOND * max(rows, LONGEST_TURN_SECONDS) + chunk


def test_a_chunk_comes_first_after_a_burst_of_rows_and_rows_during_a_file() -> None:
    share = FairShare()
    for _ in range(600):
        share.add_rows(0.1)
    assert share.order == ("chunk", "rows")
    for _ in range(600):
        share.add_chunk(0.1)
    assert share.order == ("rows", "chunk")
