"""The compiled function that counts numbers above the ends of bins."""

import numpy as np
from numba import float64, int64

from rowcast.compiling import compiled, table

_BLOCK_ROWS = 1024
"""So many numbers stay in the processor's nearest cache while they are compared with every end."""


@compiled(int64[:](table(float64, 1), table(float64, 1)))
def count_above(values, ends):  # type: ignore[no-untyped-def]
    """Returns how many numbers are above each end, and last how many are NaN. Shape (ends + 1,)."""
    counts = np.zeros(len(ends) + 1, np.int64)
    for start in range(0, len(values), _BLOCK_ROWS):
        block = values[start : start + _BLOCK_ROWS]
        # Loops over indexes of the block that add integers: LLVM compares several numbers at a time only in this form.
        for place in range(len(ends)):
            end, count = ends[place], np.int64(0)
            for row in range(len(block)):
                count += np.int64(block[row] > end)
            counts[place] += count
    if counts[0] < len(values):
        for row in range(len(values)):
            counts[-1] += np.int64(values[row] != values[row])
    return counts
