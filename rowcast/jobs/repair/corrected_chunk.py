"""One chunk with its corrections."""

from collections.abc import Container, Mapping

from rowcast.csv import scan
from rowcast.errors import CorrectionFault
from rowcast.jobs.repair.corrections import Correction


def corrected(
    data: bytes,
    corrections: Mapping[int, Correction],
    bad: Container[int],
    *,
    first_row: int,
    columns: int,
    delimiter: str,
) -> bytes:
    """Returns the input of a chunk with its corrections; the same bytes if they change nothing.

    Args:
        data: whole rows.
        corrections: by the row's number; each row is in `data`.
        bad: numbers of the bad rows.
        first_row: number of the first row of `data`.
        columns: number of the input's columns.
        delimiter: what separates its fields.

    Raises:
        CorrectionFault: a row is not bad, and its correction would change it.
    """
    lines = scan.lines(data, scan.quoted(data, delimiter), delimiter, final=True)
    pieces, done = [], 0
    for number in sorted(corrections):
        start, end = int(lines.starts[number - first_row]), int(lines.ends[number - first_row])
        row = data[start:end]
        changed = corrections[number].applied_to(row, number, columns, delimiter)
        if changed == row:
            continue
        if number not in bad:
            raise CorrectionFault.at(f"row {number}", "has a prediction; only bad rows can be corrected")
        pieces += [data[done:start], changed]
        done = end
    return b"".join([*pieces, data[done:]])
