"""A corrected chunk is what Python's `csv` makes of the same rows with the same changes."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.write import csv_row
from rowcast.errors import CorrectionFault, TooLarge
from rowcast.jobs.repair.bad_rows import bad_numbers, bad_rows, correction_columns, header_line
from rowcast.jobs.repair.corrected_chunk import corrected
from rowcast.jobs.repair.corrections import CorrectionReader
from rowcast.jobs.results.errors_csv import error_rows
from rowcast.settings import Settings

JOB = "01a2054e"
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
    sent = header_line(COLUMNS, delimiter) + b"".join(bad_rows(chunk, 10, errors, delimiter, JOB))
    assert [row[3:] for row in table(sent, delimiter)[1:]] == [before[index] for index in sorted(bad)]

    changed = {index: data.draw(st.lists(CELLS, min_size=4, max_size=4)) for index in sorted(bad)}
    wanted = [changed.get(index, row) for index, row in enumerate(before)]
    used = others if is_written_again else delimiter
    body = csv_row(correction_columns(COLUMNS), used)
    body += b"".join(csv_row([10 + index, "is wrong", JOB, *row], used) for index, row in changed.items())
    reader = CorrectionReader(COLUMNS, delimiter, 100, Settings.read(), job_id=JOB)
    corrections = reader.csv([body[:7], body[7:]])
    result = corrected(chunk, corrections, {10 + index for index in bad}, first_row=10, columns=4, delimiter=delimiter)
    assert table(result, delimiter) == wanted
    again = corrected(result, corrections, (), first_row=10, columns=4, delimiter=delimiter)
    assert again == result, "the same corrections change nothing more, although no row is bad now"


@pytest.mark.parametrize("own", ["_row,_error,_job", "_row,_error", "_row,_job"])
def test_rows_of_the_job_are_taken_whatever_stands_in_front_of_them(own: str) -> None:
    cells = {"_row": "1", "_error": "is wrong", "_job": JOB}
    front = ",".join(cells[name] for name in own.split(","))
    reader = CorrectionReader(("name", "age"), ",", 3, Settings.read(), job_id=JOB)
    corrections = reader.csv([f"{own},name,age\n{front},Ann,25\n".encode()])
    assert corrected(b"Ann,old\n", corrections, {1}, first_row=1, columns=2, delimiter=",") == b"Ann,25\n"
    if own.startswith("_row,_error"):
        ragged = reader.csv([f"{own},name,age\n{front},Ann,25,x\n".encode()])
        assert corrected(b"Ann\n", ragged, {1}, first_row=1, columns=2, delimiter=",") == b"Ann,25,x\n"


def test_a_row_of_another_job_is_refused_although_its_number_is_bad_here_too() -> None:
    reader = CorrectionReader(("name", "age"), ",", 3, Settings.read(), job_id=JOB)
    with pytest.raises(CorrectionFault, match="row 1: is a row of the job 01a30000, and this is 01a2054e"):
        reader.csv([b"_row,_error,_job,name,age\n1,is wrong,01a30000,Bo,31\n"])
    with pytest.raises(CorrectionFault, match=r"rows\[0\]: is a row of the job 01a30000"):
        reader.objects([{"_row": 1, "_job": "01a30000", "age": 31}])


def test_columns_that_the_file_lacks_stay_as_they_were() -> None:
    reader = CorrectionReader(("name", "age", "note"), ",", 3, Settings.read(), job_id=JOB)
    chunk = b'"Ann, B.",old,x\r\n"Bo",31,y\r\n'
    for corrections in (reader.csv([b"_row,age\n1,25\n"]), reader.objects([{"_row": 1, "age": 25}])):
        result = corrected(chunk, corrections, {1}, first_row=1, columns=3, delimiter=",")
        assert result == b'"Ann, B.",25,x\r\n"Bo",31,y\r\n'


def test_quotes_that_a_correction_does_not_need_mean_nothing() -> None:
    """In rows that a worker has converted they would mean a cell that is not text, or an empty text."""
    chunk = b'"12",old\n"a, b",31\n'
    for body in (b'_row,town,age\n1,"12","25"\n2,"a, b",31\n', b'_row;town;age\n1;"12";"25"\n2;"a, b";31\n'):
        reader = CorrectionReader(("town", "age"), ",", 2, Settings.read(), job_id=JOB, is_converted=True)
        result = corrected(chunk, reader.csv([body]), {1}, first_row=1, columns=2, delimiter=",")
        assert result == b'12,25\n"a, b",31\n'


def test_a_row_of_one_empty_cell_stays_a_row() -> None:
    reader = CorrectionReader(("age",), ",", 1, Settings.read(), job_id=JOB)
    corrections = reader.objects([{"_row": 1, "age": None}])
    assert corrected(b"x\n", corrections, {1}, first_row=1, columns=1, delimiter=",") == b'""\n'


def test_more_rows_than_the_gateway_holds_are_refused() -> None:
    reader = CorrectionReader(("age",), ",", 200_000, Settings.read(), job_id=JOB)
    with pytest.raises(TooLarge, match="send them in several calls"):
        reader.csv([b"_row,age\n", *(b"%d,1\n" % row for row in range(1, 100_002))])
    with pytest.raises(TooLarge, match="send them in several calls"):
        reader.csv([b"_row,age\n", b"1," + b"x" * 17_000_000])
