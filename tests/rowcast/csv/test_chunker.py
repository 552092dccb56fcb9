"""Cutting a stream into chunks: the same plan whatever the blocks, and every fault named with its place."""

import csv
import hashlib
import io
from collections.abc import Iterable
from typing import Any

import csv_reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.chunker import Chunk, Chunker, Header
from rowcast.errors import NotUtf8, Refused, TooLarge, Unprocessable

PIECES = ["a,b", "1", "é,", "漢", " ", ",", "\n", "\n", "\r\n", "\r", '"', '""', '"x, y"', '"p\nq",', "\n\n", "\ufeff"]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
limits = st.fixed_dictionaries({"chunk_bytes": st.integers(1, 200), "chunk_rows": st.integers(1, 80)})


def chunker(**options: Any) -> Chunker:
    known = {
        "delimiter": ",",
        "header": True,
        "chunk_bytes": 4096,
        "chunk_rows": 1000,
        "max_row_bytes": 1000,
        "max_columns": 50,
        "on_header": None,
        "keeps_blank_rows": True,
    }
    return Chunker(**(known | options))


def feed(plan: Chunker, blocks: Iterable[bytes]) -> list[Chunk]:
    chunks = []
    for block in blocks:
        chunks += plan.feed(block)
    return chunks + list(plan.end())


def blocks_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def outcome(data: bytes, blocks: list[bytes], **options: Any) -> tuple[Any, ...]:
    """Returns everything that a plan says, or how it refuses."""
    plan = chunker(**options)
    try:
        chunks = feed(plan, blocks)
    except Refused as error:
        return type(error), error.detail
    assert plan.sha256 == hashlib.sha256(data).hexdigest()
    assert plan.bytes_total == len(data)
    return chunks, plan.header, plan.rows_total, plan.line_end


@given(texts, st.booleans(), st.booleans(), st.sampled_from([",", ";", "auto"]), limits, st.data())
def test_the_plan_does_not_depend_on_the_blocks(
    text: str, header: bool, keeps: bool, delimiter: str, limit: dict[str, int], data: Any
) -> None:
    sent = text.encode()
    limit = {"keeps_blank_rows": keeps, "delimiter": delimiter, "features": ("a", "b"), **limit}
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    whole = outcome(sent, [sent], header=header, **limit)
    assert outcome(sent, pieces, header=header, **limit) == whole
    assert outcome(sent, blocks_of(sent, 1), header=header, **limit) == whole


@given(texts, st.booleans(), limits)
def test_chunks_are_all_rows_in_order(text: str, header: bool, limit: dict[str, int]) -> None:
    plan = chunker(header=header, **limit)
    rows, is_open = csv_reference.read(text.removeprefix("\ufeff"), ",")
    if is_open or len(rows) <= header or (header and rows[0].lone_return):
        with pytest.raises(Unprocessable):
            feed(plan, [text.encode()])
        return
    chunks = feed(plan, [text.encode()])
    if header:
        assert plan.header is not None
        assert plan.header.line == rows.pop(0).sent.encode()
    assert plan.rows_total == len(rows)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    first = 1
    for chunk in chunks:
        assert chunk.first_row == first
        first += chunk.rows
        within, _ = csv_reference.read(chunk.data.decode(), ",")
        assert [row.sent for row in within] == [row.sent for row in rows[chunk.first_row - 1 : first - 1]]
        assert chunk.rows <= limit["chunk_rows"]
        assert chunk.rows == 1 or len(chunk.data) <= limit["chunk_bytes"]


TRICKY = (
    '\ufeffid,"na""me",note\r\n1,é漢,\r\n\r\n2,"a,b","line\r\nend"\n'
    '\n3,"""","\n\n"\r\n4,5" pipe, \n"",,\n5,\U0001f600,"x"\n6'
).encode()


@pytest.mark.parametrize("at", range(len(TRICKY) + 1))
def test_a_file_that_is_cut_anywhere_has_the_rows_that_python_reads_or_is_refused(at: int) -> None:
    data = TRICKY[:at]
    plan = chunker(chunk_rows=1)
    try:
        chunks = feed(plan, [data])
    except Refused as error:
        assert_has_reason(data, error)
        return
    assert plan.header is not None
    assert plan.rows_total == len(chunks)
    if data.endswith(b"\n\r"):  # half a line end: no row to Python, and here one that scoring finds bad
        assert chunks.pop().data == b"\r"
    pieces = [plan.header.line, *(chunk.data for chunk in chunks)]
    rows = [rows_of(piece) for piece in pieces]
    assert [len(some) for some in rows] == [1] * len(pieces), "a chunk has its one row"
    assert [row for some in rows for row in some] == rows_of(data)


def rows_of(data: bytes) -> list[list[str]]:
    """Returns the rows as Python reads them; blank lines are not rows."""
    return [row for row in csv.reader(io.StringIO(data.decode().removeprefix("\ufeff"), newline="")) if row]


def assert_has_reason(data: bytes, error: Refused) -> None:
    """The cut is within a character, within quotes, or before the first row."""
    if isinstance(error, NotUtf8):
        with pytest.raises(UnicodeDecodeError):
            data.decode()
    elif len(rows_of(data)) > 1:
        with pytest.raises(csv.Error, match="unexpected end of data"):
            list(csv.reader(io.StringIO(data.decode()), strict=True))


@pytest.mark.parametrize(("limit", "rows"), [(1000, 960), (64, 64), (63, 60), (7, 4), (3, 3), (1, 1)])
def test_all_chunks_but_the_last_have_whole_blocks_of_rows(limit: int, rows: int) -> None:
    chunks = feed(chunker(chunk_rows=limit, chunk_bytes=10**6), [b"a\n" + b"1\n" * 2001])
    assert {chunk.rows for chunk in chunks[:-1]} == {rows}
    assert sum(chunk.rows for chunk in chunks) == 2001


def test_the_header_is_known_with_its_last_byte() -> None:
    seen: list[Header] = []
    plan = chunker(on_header=seen.append)
    for byte in b'\xef\xbb\xbf\r\n"a\nb",c\r':
        assert not list(plan.feed(bytes([byte])))
        assert not seen
    list(plan.feed(b"\n"))
    assert seen == [Header(b'"a\nb",c\r\n', ("a\nb", "c"))]
    assert plan.line_end == b"\r\n"


def test_what_the_check_of_the_header_raises_ends_the_upload() -> None:
    def refuse(header: Header) -> None:
        raise Unprocessable(f"no {header.columns}")

    with pytest.raises(Unprocessable, match="no \\('a', 'b'\\)"):
        list(chunker(on_header=refuse).feed(b"a,b\n"))


@pytest.mark.parametrize(("data", "message"), [(b"", "empty"), (b"\n\r\n\n", "empty"), (b"\xef\xbb\xbf", "empty")])
def test_an_input_of_nothing_is_refused(data: bytes, message: str) -> None:
    for header in (True, False):
        with pytest.raises(Unprocessable, match=message):
            feed(chunker(header=header), [data])


def test_a_header_without_rows_is_refused() -> None:
    with pytest.raises(Unprocessable, match="no rows"):
        feed(chunker(), [b"a,b\n\n"])


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_bytes_that_are_not_utf_8_are_refused_with_their_offset(size: int) -> None:
    data = "a\né漢\U0001f600\n".encode() + b"x\xff\n"
    with pytest.raises(NotUtf8) as caught:
        feed(chunker(), blocks_of(data, size))
    assert caught.value.offset == len(data) - 2


def test_a_character_that_the_end_cuts_off_is_refused() -> None:
    with pytest.raises(NotUtf8) as caught:
        feed(chunker(), [b"a\n1\n", "漢".encode()[:2]])
    assert caught.value.offset == 4


@pytest.mark.parametrize("size", [1, 1000])
def test_a_nul_byte_is_refused_with_its_offset(size: int) -> None:
    with pytest.raises(Unprocessable, match="row 2, column 'a': a NUL byte at offset 5"):
        feed(chunker(), blocks_of("a\né\n\0\xff".encode(), size))


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_row_over_the_limit_is_refused_as_soon_as_it_is(size: int) -> None:
    plan = chunker(max_row_bytes=100)
    rows = b"a,b\n" + b"1,2\n" * 3 + b'"' + b"x\n" * 49 + b"x"
    for block in blocks_of(rows, size):
        list(plan.feed(block))
    with pytest.raises(TooLarge, match=r"Row 4 \(bytes; is a quote not closed\?\) is over the limit of 100"):
        list(plan.feed(b"x"))


def test_a_row_of_just_the_limit_is_taken() -> None:
    assert chunker(max_row_bytes=100)
    chunks = feed(chunker(max_row_bytes=100), [b"a\n" + b"x" * 99 + b"\n" + b"y" * 100])
    assert sum(chunk.rows for chunk in chunks) == 2
    with pytest.raises(TooLarge, match="Row 1 "):
        feed(chunker(max_row_bytes=100), [b"a\n" + b"x" * 100 + b"\n"])


@pytest.mark.parametrize("header", [True, False])
def test_more_columns_than_allowed_are_refused(header: bool) -> None:
    with pytest.raises(TooLarge, match="number of columns, 51, is over the limit of 50"):
        list(chunker(header=header).feed(b"," * 50 + b"\n" + b"1\n" * 50_000))


@pytest.mark.parametrize(
    ("data", "where"), [(b'a,"b\n1,2\n', "The header line"), (b'a\n1\n\n2\n"3\n4\n', "Row 3"), (b'a\n"', "Row 1")]
)
def test_a_quote_that_never_closes_is_refused_with_its_row(data: bytes, where: str) -> None:
    with pytest.raises(Unprocessable, match=f"{where}: a quote opens here"):
        feed(chunker(), [data])


def test_a_header_with_old_line_ends_is_refused() -> None:
    with pytest.raises(Unprocessable, match="carriage return"):
        feed(chunker(), [b"a,b\r1,2\r3,4\r\n"])


def test_blank_lines_do_not_pile_up() -> None:
    plan = chunker(chunk_bytes=1000)
    chunks = []
    for _ in range(2000):
        chunks += plan.feed(b"\n\r\n  \n\t\r\n" * 300)
        assert plan._buffer.end - plan._buffer.begin < 200_000
    chunks += plan.feed(b"a\n\n\n1\n")
    for _ in range(200):
        chunks += plan.feed(b"\r\n \t\r\n" * 300)
    chunks += plan.feed(b"2\n\n")
    chunks += plan.end()
    assert [(chunk.first_row, chunk.rows, chunk.data) for chunk in chunks] == [(1, 1, b"1\n"), (2, 1, b"2\n")]


def test_a_long_block_is_not_held_whole() -> None:
    plan = chunker(chunk_bytes=100_000, chunk_rows=10**6)
    most = 0
    for _ in plan.feed(b"a\n" + b"12345678,\n" * 2_000_000):
        most = max(most, plan._buffer.end - plan._buffer.begin)
    assert most < 2_500_000


def test_small_blocks_and_giant_rows_cost_no_more_than_their_bytes() -> None:
    """If they did, this would take minutes: each byte of the row would be looked at again with each block."""
    row = b'"' + b'x\n""' * 50_000 + b'"\n'
    plan = chunker(header=False, max_row_bytes=10**6, chunk_rows=10**6, chunk_bytes=10**6)
    assert [chunk.rows for chunk in feed(plan, blocks_of(row * 2, 1))] == [2]
