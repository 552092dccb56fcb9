"""Files that are read by URL: planned by workers in ranges, and predicted as by a script that reads each file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from programs import Stack, http_client
from registering import register
from sklearn.linear_model import LogisticRegression

RANDOM = np.random.default_rng(7)
MODEL = LogisticRegression().fit(RANDOM.normal(size=(200, 2)), RANDOM.integers(0, 2, 200))
COLUMNS = ["a", "b"]


@pytest.fixture(scope="module")
def urls(make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may read and write below `places`. Its chunks are small, and its ranges 16 times as large."""
    places = tmp_path_factory.mktemp("places")
    (places / "in").mkdir()
    stack = make_stack(
        ROWCAST_CHUNK_BYTES="2048",
        ROWCAST_MAX_ROW_BYTES="65536",
        ROWCAST_INPUT_PREFIXES=f"file://{places}/in/",
        ROWCAST_OUTPUT_PREFIXES=f"file://{places}/out/",
    )
    register(stack.models, "linear", MODEL, COLUMNS, probabilities=True)
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    yield stack
    stack.stop_all()


@pytest.fixture
def places(urls: Stack) -> Path:
    return Path(urls.environment["ROWCAST_INPUT_PREFIXES"].removeprefix("file://")).parent


@pytest.fixture
def http(urls: Stack) -> Iterator[httpx.Client]:
    with http_client(urls.url, timeout=90) as client:
        yield client
        urls.audit()


def written(folder: Path, name: str, rows: int, seed: int = 1) -> pd.DataFrame:
    """Writes a file whose notes have line ends, quotes and delimiters, and returns what a script reads of it."""
    random = np.random.default_rng(seed)
    notes = random.choice(["plain", "two\nlines", 'a "quote", a comma', "\n\n\n", ""], rows)
    frame = pd.DataFrame({"a": random.normal(size=rows), "note": notes, "b": random.normal(size=rows)})
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / name, index=False)
    return pd.read_csv(folder / name)


def ended(http: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post("/predict?wait=60", json={"model": "linear", **body})
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def test_one_file_is_predicted_as_by_a_script(http: httpx.Client, places: Path) -> None:
    frame = written(places / "in" / "one", "a.csv", 5_000)
    job = ended(http, {"input_url": f"file://{places}/in/one/a.csv", "probabilities": True})
    assert job["status"] == "succeeded", job
    assert job["progress"]["rows_done"] == len(frame)
    assert job["cost"]["chunks"] > 20
    result = http.get(job["links"]["result"]).text
    (places / "result.csv").write_text(result)
    scored = pd.read_csv(places / "result.csv")
    assert scored["prediction"].tolist() == MODEL.predict(frame[COLUMNS].to_numpy()).tolist()
    probabilities = scored[["probability_0", "probability_1"]].to_numpy()
    assert probabilities.tolist() == MODEL.predict_proba(frame[COLUMNS].to_numpy()).tolist()
    assert scored["note"].equals(frame["note"])
