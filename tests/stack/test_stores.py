"""S3 and Azure as the store and the registry: what the other tests do in a folder works there, too."""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
import resumable
from buckets import AZURITE, serving_azure, serving_s3
from parquet_files import PARQUET, parquet
from programs import SUPPORT, Stack, http_client, until
from registering import register
from scored import CSV, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.redis_keys import key
from rowcast.storage import Storage

SERVERS = {"s3": serving_s3, "azure": serving_azure}


@pytest.fixture(scope="module", params=["s3", "azure"])
def home(
    request: pytest.FixtureRequest, make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A service whose store and registry are in one bucket, with the model `fixed`."""
    if request.param == "azure" and shutil.which(AZURITE) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Azurite, and CI must try Azure")
        pytest.skip("there is no Azurite here (npm install --global azurite@3.35.0): Azure is not tried")
    with SERVERS[request.param](tmp_path_factory.mktemp("bucket")) as bucket, pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.variables.items():
            patch.setenv(name, value)
        registry = f"{bucket.location}/models"
        stack = make_stack(
            ROWCAST_STORE=f"{bucket.location}/a/store",
            ROWCAST_MODELS=registry,
            ROWCAST_CHUNK_ROWS="64",
            PYTHONPATH=str(SUPPORT),
        )
        register(stack.models, "fixed", estimators.Fixed(str(stack.folder)).fit(np.zeros((2, 1)), [0, 1]), ["age"])
        copy_models(stack, registry)
        stack.start_gateway()
        stack.start_upkeep()
        stack.start_worker()
        yield stack
        stack.stop_all()
        stack.server.stop()


def copy_models(stack: Stack, location: str) -> None:
    registry = Storage(location)
    for file in stack.models.rglob("*"):
        if file.is_file():
            registry.put(str(file.relative_to(stack.models)), file.read_bytes())


@pytest.fixture
def http(home: Stack) -> Iterator[httpx.Client]:
    with http_client(home.url, timeout=90) as client:
        yield client
        home.audit()


BAD = CSV.replace(b"\n17\n", b"\nold\n", 1)


def test_a_file_is_scored_followed_read_in_ranges_repaired_and_deleted(home: Stack, http: httpx.Client) -> None:
    id = submit(http, "fixed", BAD)
    followed = http.get(f"/jobs/{id}/result", params={"follow": "true"})
    assert wait(http, id)["progress"]["rows_failed"] == 1
    result = http.get(f"/jobs/{id}/result").content
    assert followed.content == result
    assert http.get(f"/jobs/{id}/result", headers={"Range": "bytes=1000-2999"}).content == result[1000:3000]
    assert http.get(f"/jobs/{id}/errors").content.count(b"\n") == 2
    bad = http.get(f"/jobs/{id}/errors", params={"as": "input"}).content
    answer = http.post(f"/jobs/{id}/repair", files={"file": ("bad.csv", bad.replace(b"old", b"17"))})
    assert answer.status_code == 202, answer.text
    assert wait(http, id)["progress"]["rows_failed"] == 0
    assert_whole(home, http, id)
    table = pd.read_parquet(io.BytesIO(http.get(f"/jobs/{id}/result", params={"format": "parquet"}).content))
    assert table.astype(int).to_csv(index=False).encode() == WANTED
    assert http.delete(f"/jobs/{id}").status_code == 204
    until(lambda: not any(id in file for file in home.files()), "its files go")


def test_a_file_that_workers_convert_comes_back_from_the_store_alone(home: Stack, http: httpx.Client) -> None:
    body = parquet(pd.read_csv(io.BytesIO(CSV)))
    id = http.post("/predict", params={"model": "fixed"}, content=body, headers=PARQUET).json()["id"]
    assert_whole(home, http, id)
    home.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").status_code == 200, "the job is made again from the store")
    assert_whole(home, http, id)


def test_a_resumable_upload_is_scored_and_its_files_go_when_its_time_is_over(home: Stack, http: httpx.Client) -> None:
    answer = resumable.send(http, resumable.create(http, model="fixed"), CSV, [500, 1500])
    id = answer.json()["id"]
    assert_whole(home, http, id)
    assert not any("/upload/" in file for file in home.files() if id in file)
    with closing(home.redis) as redis:
        assert redis.zadd(key("expiring"), {id: 0}, xx=True, ch=True) == 1, "its time is over"
    until(lambda: http.get(f"/jobs/{id}").json()["status"] == "expired", "upkeep has seen it")
    until(lambda: not any(id in file for file in home.files()), "its files go")
    assert http.get(f"/jobs/{id}/result").status_code == 410
