"""The errors CSV: the rows that could not be predicted, one line for each, with the reason.

For example `2,age,old,"not a number; ..."`: data row 2, column `age`, the cell `old`, and the message.
"""

from collections.abc import Iterable

from rowcast.csv.write import csv_row

CONTENT_TYPE = "text/csv; charset=utf-8"

ERRORS_HEADER = b"row,column,value,message\n"


def error_rows(faults: Iterable[tuple[int, str, str, str]]) -> bytes:
    """Returns the lines of faults, each given as row (from 1), column, value and message."""
    return b"".join(csv_row(list(fault)) for fault in faults)
