"""A corrected chunk is what Python's `csv` makes of the same rows with the same changes."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.write import csv_row
from rowcast.errors import TooLarge
from rowcast.jobs.repair.bad_rows import bad_numbers, bad_rows, correction_columns, header_line
from rowcast.jobs.repair.corrected_chunk import corrected
from rowcast.jobs.repair.corrections import CorrectionReader
from rowcast.jobs.results.errors_csv import error_rows
from rowcast.settings import Settings

COLUMNS = ("_row", "a b", "é", "_error")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=5)
ROWS = st.lists(st.lists(CELLS, min_size=4, max_size=4), min_size=1, max_size=8)


def table(data: bytes, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


@given(ROWS, st.data(), st.sampled_from(",;\t|"), st.sampled_from(",;\t|"), st.booleans())
def test_corrected_rows_are_in_their_places(
    before: list[list[str]], data: st.DataObject, delimiter: str, others: str, is_written_again: bool
) -> None:
    chunk = b"".join(csv_row(row, delimiter) for row in before)
    bad = data.draw(st.sets(st.integers(0, len(before) - 1), min_size=1))
    errors = error_rows((10 + index, "a b", "x", "is wrong") for index in sorted(bad))
    assert bad_numbers(errors) == [10 + index for index in sorted(bad)]
    sent = header_line(COLUMNS, delimiter) + b"".join(bad_rows(chunk, 10, errors, delimiter))
    assert [row[2:] for row in table(sent, delimiter)[1:]] == [before[index] for index in sorted(bad)]

    changed = {index: data.draw(st.lists(CELLS, min_size=4, max_size=4)) for index in sorted(bad)}
    wanted = [changed.get(index, row) for index, row in enumerate(before)]
    used = others if is_written_again else delimiter
    body = csv_row(correction_columns(COLUMNS), used)
    body += b"".join(csv_row([10 + index, "is wrong", *row], used) for index, row in changed.items())
    reader = CorrectionReader(COLUMNS, delimiter, 100, Settings.read())
    corrections = reader.csv([body[:7], body[7:]])
    result = corrected(chunk, corrections, {10 + index for index in bad}, first_row=10, columns=4, delimiter=delimiter)
    assert table(result, delimiter) == wanted
    again = corrected(result, corrections, (), first_row=10, columns=4, delimiter=delimiter)
    assert again == result, "the same corrections change nothing more, although no row is bad now"


def test_columns_that_the_file_lacks_stay_as_they_were() -> None:
    reader = CorrectionReader(("name", "age", "note"), ",", 3, Settings.read())
    chunk = b'"Ann, B.",old,x\r\n"Bo",31,y\r\n'
    for corrections in (reader.csv([b"_row,age\n1,25\n"]), reader.objects([{"_row": 1, "age": 25}])):
        result = corrected(chunk, corrections, {1}, first_row=1, columns=3, delimiter=",")
        assert result == b'"Ann, B.",25,x\r\n"Bo",31,y\r\n'


def test_quotes_that_a_correction_does_not_need_mean_nothing() -> None:
    """In rows that a worker has converted they would mean a cell that is not text, or an empty text."""
    chunk = b'"12",old\n"a, b",31\n'
    for body in (b'_row,town,age\n1,"12","25"\n2,"a, b",31\n', b'_row;town;age\n1;"12";"25"\n2;"a, b";31\n'):
        reader = CorrectionReader(("town", "age"), ",", 2, Settings.read(), is_converted=True)
        result = corrected(chunk, reader.csv([body]), {1}, first_row=1, columns=2, delimiter=",")
        assert result == b'12,25\n"a, b",31\n'


def test_a_row_of_one_empty_cell_stays_a_row() -> None:
    reader = CorrectionReader(("age",), ",", 1, Settings.read())
    corrections = reader.objects([{"_row": 1, "age": None}])
    assert corrected(b"x\n", corrections, {1}, first_row=1, columns=1, delimiter=",") == b'""\n'


def test_more_rows_than_the_gateway_holds_are_refused() -> None:
    reader = CorrectionReader(("age",), ",", 200_000, Settings.read())
    with pytest.raises(TooLarge, match="send them in several calls"):
        reader.csv([b"_row,age\n", *(b"%d,1\n" % row for row in range(1, 100_002))])
    with pytest.raises(TooLarge, match="send them in several calls"):
        reader.csv([b"_row,age\n", b"1," + b"x" * 17_000_000])
