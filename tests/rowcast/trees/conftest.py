"""Data on which the tests of the fast trees fit their models."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class Data:
    #: Rows without missing cells, shape (900, 6). The last column has whole numbers.
    cells: NDArray[np.float64]
    #: The same with missing cells.
    gaps: NDArray[np.float64]
    #: Positive numbers to predict.
    target: NDArray[np.float64]
    #: Four classes, as texts.
    classes: NDArray[Any]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows with names, and a column of texts."""
        frame = pd.DataFrame(self.gaps, columns=list("abcdef"))
        return frame.assign(kind=pd.Categorical.from_codes(self.cells[:, 5].astype(int) % 5, list("vwxyz")))


@pytest.fixture(scope="session")
def data() -> Data:
    random = np.random.default_rng(7)
    cells = random.standard_normal((900, 6))
    cells[:, 5] = random.integers(0, 12, 900)
    gaps = cells.copy()
    gaps[random.random(gaps.shape) < 0.1] = np.nan
    target = np.exp(cells[:, 0] * cells[:, 1] / 2 + 0.3 * (cells[:, 5] % 3) + 0.2 * random.standard_normal(900))
    return Data(cells, gaps, target, np.array(list("pqrs"))[np.digitize(target, [0.7, 1.2, 2])])
