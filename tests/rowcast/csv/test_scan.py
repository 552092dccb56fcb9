"""Rows and fields in bytes, against a reader that goes letter by letter and against Python's own."""

import csv
import io

import csv_reference
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv import scan

PIECES = [
    "a",
    "1.5",
    "é",
    "漢",
    " ",
    "\t",
    "\n ",
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
delimiters = st.sampled_from([",", ";", "\t"])


def cut(data: bytes, delimiter: str, expected: int = 3) -> tuple[list[bytes], list[list[str]], list[int], bool]:
    inside = scan.quoted(data, delimiter)
    fields = scan.split(data, inside, delimiter, expected)
    places = zip(fields.lines.starts.tolist(), fields.lines.ends.tolist(), fields.lines.stops.tolist(), strict=True)
    rows = list(places)
    cells = [[scan.text(field) for field in scan.fields(data[start:end], delimiter)] for start, end, _ in rows]
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
    rows, _ = csv_reference.read(text, delimiter, keeps_blanks=True)
    if not any(row.lone_return for row in rows):  # where Python ends a row and we do not
        python = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
        assert [row.fields for row in rows] == python


@given(texts, delimiters)
def test_a_lone_carriage_return_is_found_outside_quotes_alone(text: str, delimiter: str) -> None:
    rows, _ = csv_reference.read(text, delimiter)
    data = text.encode()
    inside = scan.quoted(data, delimiter)
    starts = scan.lines(data, inside, delimiter, final=True).starts
    found = {int((starts <= at).sum()) - 1 for at in scan.lone_returns(data, inside).tolist()}
    assert found == {index for index, row in enumerate(rows) if row.lone_return}


@given(texts, delimiters, st.integers(1, 4))
def test_spans_are_the_fields_as_sent_and_empty_where_there_is_none(text: str, delimiter: str, expected: int) -> None:
    data = text.encode()
    fields = scan.split(data, scan.quoted(data, delimiter), delimiter, expected)
    for place in range(4):
        begins, ends = fields.spans(place)
        for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            line = data[int(fields.lines.starts[row]) : int(fields.lines.ends[row])]
            known = scan.fields(line, delimiter)
            assert data[begin:end] == (known[place] if place < len(known) else b"")


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_that_are_empty_or_blank_are_no_rows(end: str) -> None:
    sent, cells, _, _ = cut(f"a\n\n  \n\r\n{end}b{end}\t {end}".encode(), ",", 1)
    assert cells == [["a"], ["b"]] if end else [["a"], ["b\t "]]
    assert sent[0] == b"a\n"


def test_a_last_line_of_blanks_without_an_end_leaves_no_trace() -> None:
    data = b"1,x\n2,y\n  "
    found = scan.lines(data, scan.quoted(data, ","), ",", final=True)
    assert (found.ends.tolist(), found.rest, found.are_plain) == ([3, 7], len(data), False)


def test_a_blank_line_over_the_limit_counts_as_a_row() -> None:
    data = b"1\n" + b" " * 9 + b"\n2\n"
    for limit, rows in ((9, 3), (10, 2), (None, 2)):
        assert len(scan.lines(data, scan.quoted(data, ","), ",", final=True, most_blank_bytes=limit)) == rows


def test_a_field_may_be_larger_than_pythons_reader_allows() -> None:
    row = b'"' + b'""' * 300_000 + b'",1'
    assert [len(scan.text(field)) for field in scan.fields(row, ",")] == [300_000, 1]


LINES = ["", " ", "   ", "\t", " \t ", '""', '" "', ' ""', "\u00a0", "\x0c", "7", "7,x", ",", " , ", ",,", "\t,"]


@given(st.lists(st.sampled_from(LINES), max_size=9), st.sampled_from(["\n", "\r\n"]), delimiters, st.booleans())
def test_the_same_lines_are_rows_as_for_pandas(chosen: list[str], end: str, delimiter: str, has_end: bool) -> None:
    written = end.join(line.replace(",", delimiter) for line in ["a,b,c", *chosen]) + end * has_end
    read = pd.read_csv(io.BytesIO(written.encode()), sep=delimiter, dtype="str", keep_default_na=False, index_col=False)
    _, cells, _, _ = cut(written.encode(), delimiter)
    assert [row[0] for row in cells[1:]] == read["a"].fillna("").tolist()
