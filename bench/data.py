"""The files that are scored: generated numbers, and the flights if their file is available."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

ROWS, COLUMNS, BLOCK_ROWS = 500_000, 20, 50_000
FLIGHTS = Path(__file__).parents[2] / "shared" / "data" / "flights.csv.gz"
TARGET = "late"


def names() -> list[str]:
    """Returns the columns of the numbers."""
    return [f"x{number}" for number in range(COLUMNS)]


def numbers(folder: Path, rows: int = ROWS) -> Path:
    """Makes a file of normal numbers with six decimals, 188 bytes a row; rows after the first 500,000 repeat them."""
    file = folder / f"numbers-{rows}.csv"
    if not file.exists():
        draw = np.random.default_rng(0)
        whole = min(rows, ROWS)
        with file.with_suffix(".part").open("wb") as sink:
            sink.write(",".join(names()).encode() + b"\n")
            for start in range(0, whole, BLOCK_ROWS):
                block = pd.DataFrame(draw.normal(size=(min(BLOCK_ROWS, whole - start), COLUMNS)))
                sink.write(block.to_csv(header=False, index=False, float_format="%.6f").encode())
            for _ in range(rows // ROWS - 1):
                with numbers(folder).open("rb") as again:
                    next(again)
                    shutil.copyfileobj(again, sink, 1 << 20)
        file.with_suffix(".part").rename(file)
    return file


def flights(folder: Path) -> Path | None:
    """Returns the real flights of 2013 from New York, 327,346 rows; None if the file is not available."""
    file = folder / "flights.csv"
    if not file.exists() and FLIGHTS.exists():
        with gzip.open(FLIGHTS) as source, file.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    return file if file.exists() else None
