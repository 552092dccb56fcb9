"""How a worker may get a file: the cuts between its chunks."""

BLOCK_ROWS = 64
"""Chunks are cut at multiples of this many rows (rowcast/csv/pending_rows.py)."""

_FIRST_BLOCKS = 4


def chunk_cuts(rows: int) -> list[tuple[int, int]]:
    """Returns pieces of a file of `rows` rows, as (start, stop): its halves and its first four blocks of 64 rows.

    For example, 100 rows are cut into (0, 64) and (64, 100). A file of at most 64 rows is one piece.
    """
    half = -(-rows // (2 * BLOCK_ROWS)) * BLOCK_ROWS
    blocks = range(0, min(rows, _FIRST_BLOCKS * BLOCK_ROWS), BLOCK_ROWS)
    pieces = [(0, half), (half, rows), *((start, start + BLOCK_ROWS) for start in blocks)]
    return list(dict.fromkeys((start, min(stop, rows)) for start, stop in pieces if start < rows))
