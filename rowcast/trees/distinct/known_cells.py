"""What a transformer made of the cells that it has seen, for each column."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

_KEY_BYTES = 120
"""Memory of a key without its text, in bytes: the object, and its place in the dictionary."""


class KnownColumn:
    """The output cells of one input column: for each key a block of `width` cells.

    Blocks of which at most one cell is not zero are kept as that cell and its place.
    """

    def __init__(self, width: int, *, one_hot: bool) -> None:
        self.width = width
        #: Place of each key's block.
        self._place_of: dict[Any, int] = {}
        #: Either all blocks, shape (keys, width), or of each block its only cell, shape (keys,), …
        self.cells: NDArray[Any] = np.empty(0)
        #: … and its place in the block, or -1 if all are zero.
        self.hot: NDArray[np.int64] | None = np.empty(0, np.int64) if one_hot else None

    def places(self, keys: Sequence[Any]) -> NDArray[np.int64]:
        """Returns the place of each key's block, or -1 if the key is not known."""
        return np.array(list(map(self._place_of.get, keys, repeat(-1))), np.int64)

    def add(self, keys: Sequence[Any], output: Any, rows: NDArray[np.int64], first: int) -> bool:
        """Adds the blocks of new keys. Returns False if they are not of the kind that is kept.

        `output` is a dense or sparse matrix; the block of the key `i` is in its row `rows[i]`, from the column `first`.
        A key may be given several times.
        """
        row_of = dict(zip(keys, rows.tolist(), strict=True))
        blocks = output[list(row_of.values()), first : first + self.width]
        if self.hot is None:
            if issparse(blocks):
                return False
        else:
            found = _sparse_cells(blocks) if issparse(blocks) else _dense_cells(blocks)
            if found is None:
                return False
            hot, blocks = found
            self.hot = np.concatenate([self.hot, hot])
        start = len(self._place_of)
        self.cells = np.concatenate([self.cells, blocks]) if start else blocks
        self._place_of.update(zip(row_of, range(start, start + len(row_of)), strict=True))
        return True

    @property
    def used_bytes(self) -> int:
        """Memory of the keys and blocks, roughly."""
        texts = sum(len(key) for key in self._place_of if type(key) is str)
        return self.cells.nbytes + texts + len(self._place_of) * _KEY_BYTES


def _sparse_cells(blocks: Any) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
    """Returns where the only cell of each row is (-1 if it has none), and the cells; None if a row has several."""
    counts = np.diff(blocks.indptr)
    if counts.max(initial=0) > 1:
        return None
    hot = np.full(len(counts), -1, np.int64)
    cells = np.zeros(len(counts), blocks.dtype)
    hot[counts == 1], cells[counts == 1] = blocks.indices, blocks.data
    return hot, cells


def _dense_cells(blocks: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
    """Returns the same of dense rows, in which a cell counts unless its bits are zero."""
    if blocks.dtype.kind not in "fiu":
        return None
    full = np.ascontiguousarray(blocks).view(f"u{blocks.dtype.itemsize}") != 0
    if (full.sum(axis=1) > 1).any():
        return None
    hot = np.where(full.any(axis=1), full.argmax(axis=1) if full.shape[1] else 0, -1)
    return hot, blocks[np.arange(len(blocks)), np.maximum(hot, 0)] if full.shape[1] else np.zeros(
        len(blocks), blocks.dtype
    )
