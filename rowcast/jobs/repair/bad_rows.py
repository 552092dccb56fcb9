"""The bad rows of a job as a file to correct: whole rows, with their numbers and what is wrong with them in front."""

from collections.abc import Iterator, Sequence
from itertools import islice

from rowcast.csv import scan
from rowcast.csv.header import column_names
from rowcast.csv.rows import rows
from rowcast.csv.write import csv_cell, csv_row

ROW_COLUMN = "_row"
"""The column with the row's number in the job, from 1."""

ERROR_COLUMN = "_error"
"""The column that says what is wrong with the row."""

JOB_COLUMN = "_job"
"""The column with the job's id: the same row of another job may be bad, too."""

OWN_COLUMNS = (ROW_COLUMN, ERROR_COLUMN, JOB_COLUMN)
"""The columns in front of those of the input, in their order."""


_ROWS_AT_A_TIME = 500


def correction_columns(columns: Sequence[str]) -> list[str]:
    """Returns the columns of the file to correct, for a job with the input's `columns`. No two are the same."""
    return column_names([csv_cell(name) for name in (*OWN_COLUMNS, *columns)])


def header_line(columns: Sequence[str], delimiter: str) -> bytes:
    """Returns the header line of the file to correct."""
    return csv_row(correction_columns(columns), delimiter)


def bad_numbers(errors: bytes) -> list[int]:
    """Returns the numbers of the bad rows of a chunk; `errors` is the chunk's list of them."""
    starts = scan.lines(errors, scan.quoted(errors, ","), ",", final=True).starts.tolist()
    return [int(errors[start : errors.index(b",", start)]) for start in starts]


def bad_rows(data: bytes, first_row: int, errors: bytes, delimiter: str, job_id: str) -> Iterator[bytes]:
    """Yields the bad rows of a chunk, each behind its number, its reason and its job, some hundred at a time.

    Args:
        data: the input of the chunk.
        first_row: number of its first row.
        errors: the chunk's list of bad rows.
        delimiter: what separates the fields of `data`.
        job_id: the job of the chunk.
    """
    lines = scan.lines(data, scan.quoted(data, delimiter), delimiter, final=True)
    mark, found = delimiter.encode(), rows(errors, ",")
    while some := list(islice(found, _ROWS_AT_A_TIME)):
        pieces = []
        for number, column, _, message in some:
            place = int(number) - first_row
            reason = csv_cell(f"{column}: {message}" if column else message, delimiter)
            row = data[lines.starts[place] : lines.ends[place]]
            pieces.append(mark.join([number.encode(), reason, job_id.encode(), row]) + b"\n")
        yield b"".join(pieces)
