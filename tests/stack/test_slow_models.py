"""A model that takes long for a row: its files are cut into smaller chunks, which take less time than a chunk may."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace

import estimators
import numpy as np
import pandas as pd
import pytest
from parquet_files import PARQUET, parquet
from programs import SUPPORT, Stack, http_client
from registering import FEW_ALONE
from scored import submit, wait

from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import NO_OPTIONS

ROWS = 2_000
FRAME = pd.DataFrame({"age": [float(row % 60) for row in range(ROWS)]})


@pytest.fixture(scope="module")
def slow(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A service in which a chunk may take 1.2 s, and a model that takes 2 ms for each row."""
    stack = make_stack(ROWCAST_CHUNK_TIMEOUT_SECONDS="1.2", PYTHONPATH=str(SUPPORT))
    file, sample = stack.folder / "patient.pkl", stack.folder / "sample.csv"
    file.write_bytes(pickle.dumps(estimators.Patient().fit(np.zeros((2, 1)), [0, 1])))
    FRAME[:100].to_csv(sample, index=False)
    add(file, "patient", Registry(Storage(str(stack.models))), sample, replace(NO_OPTIONS, alone=FEW_ALONE))
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    yield stack
    stack.stop_all()
    stack.server.stop()


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_each_chunk_of_a_file_for_a_slow_model_is_scored_at_the_first_attempt(slow: Stack, format: str) -> None:
    with http_client(slow.url, timeout=90) as http:
        if format == "csv":
            id = submit(http, "patient", FRAME.to_csv(index=False).encode())
        else:
            made = http.post("/predict", content=parquet(FRAME), params={"model": "patient"}, headers=PARQUET)
            id = made.json()["id"]
        job = wait(http, id)
        assert job["status"] == "succeeded", job
        chunks = http.get(f"/jobs/{id}/chunks").json()["chunks"]
        assert {chunk["attempts"] for chunk in chunks} == {1}
        assert {chunk["rows"] for chunk in chunks[:-1]} == {64}
        with (slow.folder / "result.csv").open("wb") as file:
            file.write(http.get(f"/jobs/{id}/result").content)
    assert pd.read_csv(slow.folder / "result.csv")["prediction"].tolist() == (FRAME["age"] > 30).astype(int).tolist()
    slow.audit()
