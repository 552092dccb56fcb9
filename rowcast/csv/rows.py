"""Rows as lists of texts, for people and for other formats. Each row is read when it is asked for."""

from collections.abc import Iterable, Iterator

from rowcast.csv import scan

_PIECE_BYTES = 256 * 1024


def rows(data: bytes, delimiter: str) -> Iterator[list[str]]:
    """Yields the cells of each row.

    Blank lines are not rows. Not Python's `csv.reader`: that ends a row at a carriage return, and fails at a cell of
    more than 128 KiB.
    """
    inside = scan.quoted(data, delimiter)
    lines, delimiters = scan.lines(data, inside, delimiter, final=True), scan.delimiters(data, inside, delimiter)
    firsts, lasts = delimiters.searchsorted(lines.starts), delimiters.searchsorted(lines.ends)
    for start, end, first, last in zip(lines.starts, lines.ends, firsts, lasts, strict=True):
        edges = [int(start) - 1, *delimiters[first:last].tolist(), int(end)]
        yield [scan.text(data[edges[place] + 1 : edges[place + 1]]) for place in range(len(edges) - 1)]


def whole_rows(blocks: Iterable[bytes], delimiter: str) -> Iterator[bytes]:
    """Yields the same bytes in small pieces that end where a row ends."""
    rest = b""
    for block in blocks:
        for begin in range(0, len(block), _PIECE_BYTES):
            data = rest + block[begin : begin + _PIECE_BYTES]
            end = scan.lines(data, scan.quoted(data, delimiter), delimiter, final=False).rest
            if end:
                yield data[:end]
            rest = data[end:]
    if rest:
        yield rest
