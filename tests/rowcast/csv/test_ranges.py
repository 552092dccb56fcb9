"""Ranges of a file are scanned apart, and still give the rows of the whole file."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from rowcast.csv.chunker import Chunker
from rowcast.csv.ranges.range_scan import Survey, TwoScans
from rowcast.csv.ranges.row_cuts import RowCuts, RowSpan, rows_in
from rowcast.errors import Unprocessable

LIMIT = 10_000


@dataclass(frozen=True)
class Cutting:
    """How a file is taken apart."""

    ranges: int
    block: int
    every: int
    chunk_bytes: int
    chunk_rows: int


def chunks_at_once(data: bytes, cutting: Cutting) -> list[tuple[int, bytes]]:
    """Returns the rows and bytes of each chunk, cut by one process that reads everything."""
    chunker = Chunker(
        delimiter=",",
        header=False,
        chunk_bytes=cutting.chunk_bytes,
        chunk_rows=cutting.chunk_rows,
        max_row_bytes=LIMIT,
        max_columns=100,
        on_header=None,
    )
    return [(chunk.rows, chunk.data) for chunk in [*chunker.feed(data), *chunker.end()]]


def boundaries(data: bytes, ranges: int) -> list[int]:
    wanted = [len(data) * number // ranges for number in range(1, ranges)]
    ends = [data.find(b"\n", max(0, at - 1)) + 1 for at in wanted]
    return [0, *(end or len(data) for end in ends), len(data)]


def surveyed(data: bytes, start: int, stop: int, cutting: Cutting) -> tuple[Survey | None, Survey | None]:
    scans = TwoScans(start, ",", every=cutting.every, max_row_bytes=LIMIT)
    for at in range(start, stop, cutting.block):
        end = min(stop, at + cutting.block)
        scans.feed(data[at:end], final=end == len(data))
    return scans.surveys()


def chunks_of_ranges(data: bytes, cutting: Cutting) -> list[tuple[int, bytes]]:
    """Returns the same, cut of surveys that know only their range."""
    places = boundaries(data, cutting.ranges)
    pairs = [surveyed(data, start, stop, cutting) for start, stop in pairwise(places)]
    cuts, is_inside, spans = RowCuts(cutting.chunk_bytes, cutting.chunk_rows), False, list[RowSpan]()
    for pair in pairs:
        survey = pair[is_inside]
        assert survey is not None
        spans += cuts.add(survey)
        is_inside = survey.is_open
    spans += cuts.end(len(data))
    found = [(span.rows, rows_in(data[span.start : span.stop], span, ",", LIMIT)) for span in spans]
    return [(rows, data) for rows, data in found if data is not None]


fields = st.text('a"\n\r, ', max_size=5)
cells = st.one_of(fields.map(lambda text: '"' + text.replace('"', '""') + '"'), st.text('a" ', max_size=3))
lines = st.lists(cells, min_size=1, max_size=3).map(",".join)
files = st.lists(st.tuples(lines, st.sampled_from(["\n", "\r\n"])).map("".join), min_size=1, max_size=60)
cuttings = st.builds(
    Cutting,
    ranges=st.integers(1, 6),
    block=st.integers(1, 200),
    every=st.sampled_from([1, 4, 64]),
    chunk_bytes=st.integers(1, 300),
    chunk_rows=st.integers(1, 100),
)


def whole(chunks: Sequence[tuple[int, bytes]]) -> tuple[int, list[bytes]]:
    """Returns the number of rows, and the bytes without blank lines, of which each cutting drops others."""
    return sum(rows for rows, _ in chunks), b"".join(data for _, data in chunks).split()


@given(files, cuttings)
@example(['"a\n', "b\n", 'c"\n', "d\n"], Cutting(4, 3, 1, 1, 1))
def test_ranges_that_are_scanned_apart_have_the_rows_of_the_file(parts: list[str], cutting: Cutting) -> None:
    data = "".join(parts).encode()
    try:
        expected = chunks_at_once(data, cutting)
    except Unprocessable:  # for example a quote that is never closed
        assume(False)
    assert whole(chunks_of_ranges(data, cutting)) == whole(expected)
