"""Rows as lists of texts, for people and for other formats. It reads one part or one sample, never a whole file."""

from collections.abc import Iterator

from rowcast.csv import scan

_BLOCK = 500


def rows(data: bytes, delimiter: str, expected: int) -> Iterator[list[str]]:
    """Yields the cells of each row. It is fastest for rows with the `expected` number of cells.

    Blank lines are not rows. Not Python's `csv.reader`: that ends a row at a carriage return, and fails at a cell of
    more than 128 KiB.
    """
    fields = scan.split(data, scan.quoted(data, delimiter), delimiter, expected)
    spans = [fields.spans(place) for place in range(expected)]
    for begin in range(0, len(fields.lines), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        places = [zip(starts[block].tolist(), ends[block].tolist(), strict=True) for starts, ends in spans]
        columns = [[scan.text(data[start:end]) for start, end in column] for column in places]
        counts = fields.counts[block].tolist()
        for index, cells in enumerate(zip(*columns, strict=True)):
            if counts[index] == expected:
                yield list(cells)
            else:
                line = data[int(fields.lines.starts[begin + index]) : int(fields.lines.ends[begin + index])]
                yield [scan.text(field) for field in scan.fields(line, delimiter)]
