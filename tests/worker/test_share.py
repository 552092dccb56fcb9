"""How a process divides its time between rows and chunks."""

from hypothesis import given
from hypothesis import strategies as st

from worker.share import CHUNK_SECONDS_PER_ROW_SECOND, LONGEST_TURN_SECONDS, Share

durations = st.floats(0.001, LONGEST_TURN_SECONDS)


def run(share: Share, chunk_seconds: float, row_seconds: float, turns: int = 5_000) -> tuple[float, float, float]:
    """Time spent on chunks and on rows that always wait, and the longest that rows had to wait."""
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


@given(durations, durations)
def test_chunks_get_two_thirds_however_long_a_piece_of_either_side_takes(chunk: float, rows: float) -> None:
    for_chunks, for_rows, _ = run(Share(), chunk, rows)
    # What is forgotten beyond the longest turn is to the advantage of the side whose pieces are longer.
    if CHUNK_SECONDS_PER_ROW_SECOND * rows + chunk <= LONGEST_TURN_SECONDS:
        assert abs(for_chunks - CHUNK_SECONDS_PER_ROW_SECOND * for_rows) <= 2 * LONGEST_TURN_SECONDS
    assert for_rows > 0
    assert for_chunks >= for_rows * min(1.0, chunk / rows)


@given(durations, durations, st.floats(0, 1000), st.booleans())
def test_neither_side_waits_longer_for_what_the_other_had_alone(
    chunk: float, rows: float, alone: float, was_rows: bool
) -> None:
    share = Share()
    (share.add_rows if was_rows else share.add_chunk)(alone)
    _, _, longest = run(share, chunk, rows)
    assert longest <= 2 * LONGEST_TURN_SECONDS


def test_a_chunk_comes_first_after_a_burst_of_rows_and_rows_during_a_file() -> None:
    share = Share()
    share.add_rows(60)
    assert share.order == ("chunk", "rows")
    share.add_chunk(60)
    assert share.order == ("rows", "chunk")
