"""Drift is that of the whole batch: the counts of chunks, added up in Redis, give what pandas gives for the file."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from psi import psi
from record_jobs import lease_of
from registering import FEW_ALONE
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.drift.batch_drift import BatchDrift
from rowcast.jobs.drift.drift_figures import DriftCounts
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.models.registry import Registry
from rowcast.scoring.drift import bin_counter
from rowcast.scoring.score_chunk import ChunkSpec, score_each
from rowcast.settings import Settings
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions
from worker.model_cache import ModelCache

ROWS = 1_500
NUMBERS, TEXTS = ["size", "count", "constant"], ["zip", "flag", "color"]


def rows(seed: int, count: int, shift: float = 0.0) -> pd.DataFrame:
    """Returns rows with each kind of column, some of them with gaps, and one with more values than there are bins."""
    random = np.random.default_rng(seed)
    size = random.normal(shift, 1, count).round(3)
    size[random.random(count) < 0.1 + shift / 10] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "count": random.poisson(2 + shift, count),
            "constant": np.where(random.random(count) < shift / 10, 2.5, 1.5),
            "zip": [f"z{number:03d}" for number in random.zipf(1.3 + shift / 10, count).clip(max=300)],
            "flag": random.random(count) < 0.3 + shift / 10,
            "color": random.choice(["red", "green", "blue", "mauve" if shift else "red"], count),
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 90 + int(30 * shift), count), "D")),
        }
    )


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return rows(1, 500)


@pytest.fixture(scope="module")
def batch() -> pd.DataFrame:
    return rows(2, ROWS, shift=1.0)


@pytest.fixture(scope="module")
def models(sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a model of all these columns. From here on, numbers are counted by compiled code."""
    bin_counter.load()
    folder = tmp_path_factory.mktemp("drift")
    steps = make_column_transformer(
        (SimpleImputer(), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore"), TEXTS),
        (FunctionTransformer(np.isnat), ["day"]),
    )
    target = (sample["size"].fillna(0) + sample["count"] > 2).map({True: "high", False: "low"})
    model = make_pipeline(steps, LogisticRegression(max_iter=500)).fit(sample, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    sample.to_csv(folder / "sample.csv", index=False)
    registry = Registry(Storage(str(folder / "models")))
    add(
        folder / "model.pkl", "all", registry, folder / "sample.csv",
        AddOptions(alone=FEW_ALONE, parse_dates=["day"]),
    )  # fmt: skip
    return folder / "models"


def predictions(models: Path, frame: pd.DataFrame) -> "pd.Series[Any]":
    estimator = pickle.loads((models.parent / "model.pkl").read_bytes())
    return pd.Series(estimator.predict(pd.read_csv(io.BytesIO(csv(frame)), parse_dates=["day"])))


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def scored(models: Path, settings: Settings, redis: RedisClient, batch: pd.DataFrame, chunk_rows: int) -> BatchDrift:
    """Scores a file as workers do, and returns its drift. Some commits are repeated, and some come too late."""
    scripts, cache = Scripts(redis, settings), ModelCache(Registry(Storage(str(models))), "strict")
    model, counter = cache.get("all", "1"), cache.bin_counter("all", "1")
    assert counter is not None
    starts = range(0, len(batch), chunk_rows)
    plan = [PlanEntry(1 + start, min(chunk_rows, len(batch) - start), 100) for start in starts]
    input = InputInfo(bytes=1, sha256="ab", filename=None, columns=tuple(batch))
    spec = Spec(kind="batch", model=ModelRef(name="all", version="1"), options=Options(delimiter=","), input=input)
    job = NewJob(new_id(), "", spec, len(batch), len(plan), plan=pack_plan(plan))
    Records(scripts, settings).make(job)
    chunk = ChunkSpec(tuple(batch), b"\n", spec.options)
    first, second = Leases(scripts, "one:1/1"), Leases(scripts, "two:1/1")
    for number, planned in enumerate(plan):
        data = csv(batch[planned.first_row - 1 :][: planned.rows]).partition(b"\n")[2]
        part = score_each(data, planned.first_row, [model], chunk, counter=counter)
        entry = PartEntry(b"d" * 16, part.rows, part.rows_failed, 50, 0)
        counts = DriftCounts(part.drift, counter.profile.for_redis)
        late = lease_of(first, job.id, number) if number == 0 else None
        if late is not None:
            first.release([late], {}, strikes=0)
        lease = lease_of(second, job.id, number)
        if late is not None:
            assert first.commit(late, entry, part.summary.to_json(), drift=counts) == "stale"
        assert second.commit(lease, entry, part.summary.to_json(), drift=counts) in ("counted", "ended")
        assert second.commit(lease, entry, part.summary.to_json(), drift=counts) == "stale"
    drift = Records(scripts, settings).get(job.id).drift
    assert drift is not None
    return drift


CHUNK_ROWS = (320, 1_000, ROWS)


@pytest.mark.parametrize("chunk_rows", CHUNK_ROWS)
def test_psi_is_that_of_the_whole_file_whatever_the_chunks(
    models: Path, settings: Settings, sample: pd.DataFrame, batch: pd.DataFrame, redis: RedisClient, chunk_rows: int
) -> None:
    """The first chunk is committed twice, and before that by a process that had lost its lease."""
    document = scored(models, settings, redis, batch, chunk_rows)
    found = {column.name: column for column in document.columns}
    assert found.keys() == {*batch, "prediction"}
    assert (document.rows, document.sample_rows, document.compared) == (ROWS, 500, 8)
    predicted = predictions(models, sample), predictions(models, batch)
    for name in batch:
        assert found[name].psi == pytest.approx(psi(sample[name], batch[name]), rel=1e-9), name
    assert found["prediction"].psi == pytest.approx(psi(*predicted), rel=1e-9)
    assert [column.psi for column in document.columns] == sorted((one.psi for one in found.values()), reverse=True)
    assert found["size"].counts[-1] == batch["size"].isna().sum()
    outside = (batch["size"] < sample["size"].min()) | (batch["size"] > sample["size"].max())
    assert found["size"].unseen == outside.sum() > 0
    assert found["color"].unseen == (batch["color"] == "mauve").sum() > 0
    assert found["zip"].unseen is None, "the sample has more values than bins"
    assert found["constant"].psi > 0, "a value that never changed has a separate bin"
    assert not redis.exists(key("drift_counts", document.job)), "the counts are gone when the batch is compared"
