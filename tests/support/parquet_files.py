"""Passengers as Parquet files: one that is larger than one chunk, and a small one."""

import io
from typing import Any

import numpy as np
import pandas as pd

PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


def parquet(frame: pd.DataFrame, **options: Any) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, **options)
    return file.getvalue()


def passengers(rows: int) -> pd.DataFrame:
    numbers = np.random.default_rng(rows)
    return pd.DataFrame(
        {
            "name": [f'Passenger "{row}", Mr' if row % 3 else None for row in range(rows)],
            "age": np.where(numbers.random(rows) < 0.1, np.nan, numbers.uniform(1, 80, rows)),
            "pclass": numbers.integers(1, 4, rows),
        }
    )


FRAME = passengers(60_001)
FILE = parquet(FRAME, row_group_size=17_000)

FEW = passengers(600)
SMALL = parquet(FEW, row_group_size=150)
"""One chunk, in several row groups."""
