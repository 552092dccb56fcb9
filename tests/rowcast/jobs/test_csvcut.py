"""Rows and fields in bytes, against a reader that goes letter by letter and against Python's own."""

import csv
import io

import csv_reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.jobs import csvcut

PIECES = [
    "a",
    "1.5",
    "é",
    "漢",
    " ",
    ",",
    ",",
    ";",
    "\n",
    "\r\n",
    "\r",
    '"',
    '""',
    '"x"',
    ',"',
    '",',
    '"\n',
    '\n"',
    "\n\n",
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
delimiters = st.sampled_from([",", ";"])


def cut(data: bytes, delimiter: str, expected: int = 3) -> tuple[list[bytes], list[list[str]], list[int], bool]:
    inside = csvcut.quoted(data, delimiter)
    fields = csvcut.split(data, inside, delimiter, expected)
    places = zip(fields.lines.starts.tolist(), fields.lines.ends.tolist(), fields.lines.stops.tolist(), strict=True)
    rows = list(places)
    cells = [[csvcut.text(field) for field in csvcut.fields(data[start:end], delimiter)] for start, end, _ in rows]
    return [data[start:stop] for start, _, stop in rows], cells, fields.counts.tolist(), inside.is_open


@given(texts, delimiters)
def test_rows_and_fields_are_those_of_the_reader_letter_by_letter(text: str, delimiter: str) -> None:
    expected, is_open = csv_reference.read(text, delimiter)
    sent, cells, counts, found_open = cut(text.encode(), delimiter)
    assert found_open == is_open
    assert [row.decode() for row in sent] == [row.sent for row in expected]
    assert cells == [row.fields for row in expected]
    assert counts == [len(row.fields) for row in expected]


@given(texts, delimiters)
def test_the_reader_letter_by_letter_agrees_with_pythons(text: str, delimiter: str) -> None:
    rows, _ = csv_reference.read(text, delimiter)
    if not any(row.lone_return for row in rows):  # where Python ends a row and we do not
        python = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
        assert [row.fields for row in rows] == python


@given(texts, delimiters)
def test_a_lone_carriage_return_is_found_outside_quotes_alone(text: str, delimiter: str) -> None:
    rows, _ = csv_reference.read(text, delimiter)
    data = text.encode()
    inside = csvcut.quoted(data, delimiter)
    starts = csvcut.lines(data, inside, final=True).starts
    found = {int((starts <= at).sum()) - 1 for at in csvcut.lone_returns(data, inside).tolist()}
    assert found == {index for index, row in enumerate(rows) if row.lone_return}


@given(texts, delimiters, st.integers(1, 4))
def test_spans_are_the_fields_as_sent_and_empty_where_there_is_none(text: str, delimiter: str, expected: int) -> None:
    data = text.encode()
    fields = csvcut.split(data, csvcut.quoted(data, delimiter), delimiter, expected)
    for place in range(4):
        begins, ends = fields.spans(place)
        for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            line = data[int(fields.lines.starts[row]) : int(fields.lines.ends[row])]
            known = csvcut.fields(line, delimiter)
            assert data[begin:end] == (known[place] if place < len(known) else b"")


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_line_of_blanks_is_a_row_and_an_empty_one_is_none(end: str) -> None:
    sent, cells, _, _ = cut(f"a\n\n  \n\r\n{'' if end == '' else end}b{end}".encode(), ",", 1)
    assert cells == [["a"], ["  "], ["b"]]
    assert len(sent) == 3


def test_a_field_may_be_larger_than_pythons_reader_allows() -> None:
    row = b'"' + b'""' * 300_000 + b'",1'
    assert [len(csvcut.text(field)) for field in csvcut.fields(row, ",")] == [300_000, 1]
