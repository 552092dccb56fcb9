"""The bad rows of a job as a file to correct: whole rows, with their numbers and what is wrong with them in front."""

from collections.abc import Sequence

from rowcast.csv import scan
from rowcast.csv.header import column_names
from rowcast.csv.rows import rows
from rowcast.csv.write import csv_cell, csv_row

ROW_COLUMN = "_row"
"""The column with the row's number in the job, from 1."""

ERROR_COLUMN = "_error"
"""The column that says what is wrong with the row."""


def correction_columns(columns: Sequence[str]) -> list[str]:
    """Returns the columns of the file to correct, for a job with the input's `columns`. No two are the same."""
    return column_names([csv_cell(name) for name in (ROW_COLUMN, ERROR_COLUMN, *columns)])


def header_line(columns: Sequence[str], delimiter: str) -> bytes:
    """Returns the header line of the file to correct."""
    return csv_row(correction_columns(columns), delimiter)


def reasons(errors: bytes) -> dict[int, str]:
    """Returns what is wrong with each bad row of a chunk, by the row's number; `errors` is the chunk's list of them."""
    return {
        int(number): f"{column}: {message}" if column else message for number, column, _, message in rows(errors, ",")
    }


def bad_rows(data: bytes, first_row: int, errors: bytes, delimiter: str) -> bytes:
    """Returns the bad rows of a chunk, each behind its number and its reason.

    Args:
        data: the input of the chunk.
        first_row: number of its first row.
        errors: the chunk's list of bad rows.
        delimiter: what separates the fields of `data`.
    """
    lines = scan.lines(data, scan.quoted(data, delimiter), delimiter, final=True)
    pieces = []
    for number, reason in reasons(errors).items():
        row = data[lines.starts[number - first_row] : lines.ends[number - first_row]]
        pieces += [str(number).encode(), csv_cell(reason, delimiter), row]
    mark = delimiter.encode()
    return b"".join(mark.join(pieces[at : at + 3]) + b"\n" for at in range(0, len(pieces), 3))
