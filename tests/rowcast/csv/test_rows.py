import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.rows import rows, whole_rows
from rowcast.csv.write import csv_row

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=20))
def test_cells_come_back_as_they_were_written(table: list[list[str]]) -> None:
    data = b"".join(csv_row(row) for row in table)
    reference = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    assert list(rows(data, ",")) == reference == [row or [""] for row in table]


def test_more_rows_than_are_read_at_a_time() -> None:
    data = b"".join(b"%d;x\n" % number for number in range(1_234)) + b"odd\n"
    assert list(rows(data, ";")) == [[str(number), "x"] for number in range(1_234)] + [["odd"]]


@pytest.mark.parametrize(("size", "repeats"), [(1, 20), (7, 500), (100_000, 50_000)])
def test_pieces_end_where_rows_end(size: int, repeats: int) -> None:
    data = b'1,"a\nb"\n2,c\n' * repeats + b"3,d"
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    pieces = list(whole_rows(blocks, ","))
    assert b"".join(pieces) == b"".join(blocks)
    assert [row for piece in pieces for row in rows(piece, ",")] == list(rows(b"".join(blocks), ","))
    assert max(map(len, pieces)) < 300 * 1024


@pytest.mark.parametrize(("data", "found"), [(b"a\rb,c\n", [["a\rb", "c"]]), (b"x" * 200_000 + b",1\n", None)])
def test_what_pythons_reader_does_not_take(data: bytes, found: list[list[str]] | None) -> None:
    assert list(rows(data, ",")) == (found or [["x" * 200_000, "1"]])
