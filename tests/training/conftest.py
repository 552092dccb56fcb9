import csv
import gzip
import os
from pathlib import Path

import pytest

from rowcast.models.registry import Registry
from rowcast.storage import Storage

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def registry(tmp_path):
    return Registry(Storage(str(tmp_path / "models")))


@pytest.fixture(scope="session")
def titanic():
    return CHECKOUT / "training" / "data" / "titanic.csv"


@pytest.fixture
def write(tmp_path):
    """Writes rows as a CSV file and returns its path."""

    def write_rows(*rows, name="data.csv"):
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        return path

    return write_rows


@pytest.fixture(scope="session")
def flights(tmp_path_factory):
    """Writes the first 1,000 rows of the flights as a gzipped CSV file."""
    whole = Path(os.environ.get("ROWCAST_TEST_DATA", CHECKOUT.parent / "shared" / "data")) / "flights.csv.gz"
    if not whole.exists():
        pytest.skip(f"the flights are not at {whole}; ROWCAST_TEST_DATA names the folder that has them")
    cut = tmp_path_factory.mktemp("flights") / "flights-1000.csv.gz"
    with gzip.open(whole, "rb") as source, gzip.open(cut, "wb", compresslevel=1) as target:
        for _ in range(1_001):
            target.write(source.readline())
    return cut
