"""S3 and Azure as the store and the registry: what the other tests do in a folder works there, too."""

import asyncio
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
import resumable
import url_stages
import xxhash
from buckets import AZURITE, Bucket, serving_azure, serving_s3
from parquet_files import PARQUET, parquet
from programs import SUPPORT, Stack, http_client, kill_group, until
from registering import register
from scored import CSV, ROWS, WANTED, assert_whole, submit, wait

from rowcast import AsyncClient, Client
from rowcast.jobs.records.redis_keys import key
from rowcast.storage import Storage

KEY = "rowcast_of-tests"

SERVERS = {"s3": serving_s3, "azure": serving_azure}


@pytest.fixture(scope="module", params=["s3", "azure"])
def bucket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """An empty bucket, which this process reaches, too."""
    if request.param == "azure" and shutil.which(AZURITE) is None:
        if os.environ.get("CI") == "true" and "TESTS_WITHOUT_AZURE" not in os.environ:
            pytest.fail("there is no Azurite, and CI must try Azure")
        pytest.skip("there is no Azurite here (npm install --global azurite@3.35.0): Azure is not tried")
    with SERVERS[request.param](tmp_path_factory.mktemp("bucket")) as served, pytest.MonkeyPatch.context() as patch:
        for name, value in served.variables.items():
            patch.setenv(name, value)
        yield served


@pytest.fixture(scope="module")
def home(bucket: Bucket, make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A service whose store and registry are in the bucket, with the model `fixed`."""
    registry = f"{bucket.location}/models"
    stack = make_stack(
        ROWCAST_STORE=f"{bucket.location}/a/store",
        ROWCAST_MODELS=registry,
        ROWCAST_CHUNK_ROWS="64",
        ROWCAST_CHUNK_BYTES="2048",
        ROWCAST_PRESIGNED_SECONDS="300",
        ROWCAST_INPUT_PREFIXES=f"{bucket.location}/in/",
        ROWCAST_OUTPUT_PREFIXES=f"{bucket.location}/out/",
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


def test_files_of_a_bucket_are_scored_by_url_and_written_back(home: Stack, http: httpx.Client, bucket: Bucket) -> None:
    inside, line_end = Storage(f"{bucket.location}/in"), CSV.index(b"\n") + 1
    half = CSV.index(b"\n", len(CSV) // 2) + 1
    inside.put("day/1.csv", CSV[:half])
    inside.put("day/2.csv", CSV[:line_end] + CSV[half:])
    request = {"input_url": f"{bucket.location}/in/day/*.csv", "output_url": f"{bucket.location}/out/day/"}
    answer = http.post("/predict", json={**request, "model": "fixed"})
    assert answer.status_code == 202, answer.text
    id = answer.json()["id"]
    assert wait(http, id)["status"] == "succeeded", http.get(f"/jobs/{id}").json()["error"]
    assert http.get(f"/jobs/{id}/result").content == WANTED
    outside = Storage(f"{bucket.location}/out/day")
    parts = [part["name"] for part in json.loads(outside.get("manifest.json"))["files"]]
    lines = [line for part in parts for line in outside.get(part).splitlines(keepends=True)[1:]]
    assert b"".join(lines) == WANTED[WANTED.index(b"\n") + 1 :]
    pages = [path for method, path, _ in bucket.requests if method == "GET" and f"{id}/spans/" in path]
    assert len(pages) < len(parts), "a page of spans is read once, and not for each chunk"
    again = http.post("/predict", json={**request, "model": "fixed"}).json()["id"]
    assert wait(http, again)["error"]["type"].endswith(":output-exists")
    missing = http.post("/predict", json={"input_url": f"{bucket.location}/in/none.csv", "model": "fixed"}).json()["id"]
    assert wait(http, missing)["error"]["type"].endswith(":no-files-found")


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


def test_the_parts_of_a_result_can_be_read_by_presigned_urls(home: Stack, http: httpx.Client) -> None:
    id = submit(http, "fixed")
    assert wait(http, id)["status"] == "succeeded"
    listed = http.get(f"/jobs/{id}/result", params={"format": "urls"})
    assert listed.headers["Cache-Control"] == "no-store"
    pieces = listed.json()["pieces"]
    with httpx.Client(verify=False) as anyone:
        read = [anyone.get(piece["url"]).content for piece in pieces]
        assert anyone.get(pieces[1]["url"].partition("?")[0]).status_code in (403, 404), "the object itself is private"
    assert b"".join(read) == http.get(f"/jobs/{id}/result").content
    assert [len(content) for content in read] == [piece["length"] for piece in pieces]
    assert [xxhash.xxh3_128_hexdigest(content) for content in read[1:]] == [one["xxh3_128"] for one in pieces[1:]]
    assert sum(piece["rows"] for piece in pieces) == ROWS
    rest = http.get(f"/jobs/{id}/result", params={"format": "urls", "first_part": 9}).json()["pieces"]
    assert [piece["xxh3_128"] for piece in rest] == [pieces[-1]["xxh3_128"]]
    assert http.get(f"/jobs/{id}/result", params={"format": "urls", "first_part": 10}).status_code == 422


def test_the_client_fetches_parquet_from_the_bucket_and_keeps_its_key_to_itself(
    home: Stack, http: httpx.Client, bucket: Bucket, tmp_path: Path, anyio_backend: str
) -> None:
    bucket.requests.clear()
    with Client(home.url, api_key=KEY) as client:
        job = client.submit_csv(CSV, model="fixed").wait(60)
        with bucket.broken(path=bucket.signed, cut_bytes=500, times=1):
            job.download(tmp_path / "one.parquet")
        with bucket.broken(path=bucket.signed, status=403, code="AccessDenied", times=1):
            job.download(tmp_path / "two.parquet")

    async def again() -> None:
        async with AsyncClient(home.url, api_key=KEY) as other:
            await (await other.job(job.id)).download(tmp_path / "three.parquet")

    asyncio.run(again())
    for name in ("one", "two", "three"):
        assert pd.read_parquet(tmp_path / f"{name}.parquet").astype(int).to_csv(index=False).encode() == WANTED
    signed = [headers for method, path, headers in bucket.requests if bucket.signed in path]
    assert [name.get("range") for name in signed] == [None, "bytes=500-", None, None, None]
    assert KEY not in str(bucket.requests)
    answer = http.get(f"/jobs/{job.id}/result", params={"format": "parquet"})
    assert answer.status_code == 200, "callers that do not ask for it are not redirected"


def test_of_programs_that_write_an_object_of_a_bucket_at_once_no_change_is_lost(home: Stack, bucket: Bucket) -> None:
    storage = Storage(f"{bucket.location}/swaps")
    assert storage.swap("count", None, b"0")
    assert [storage.swap(name, b"1", b"2") for name in ("count", "none")] == [False, False]

    def count(_: int) -> None:
        while not storage.swap("count", (seen := storage.get("count")), b"%d" % (int(seen) + 1)):
            pass

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(20)))
    assert storage.get("count") == b"20"


only_s3 = pytest.mark.parametrize("bucket", ["s3"], indirect=True)


@only_s3
def test_whatever_dies_at_any_stage_of_a_job_by_url_its_output_is_that_of_a_script(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    frames = url_stages.lay_files(bucket, rows=500)
    bucket.requests.clear()
    stages = [*url_stages.STAGES]
    fault = url_stages.hold(bucket, stages[0])
    id = http.post("/predict", json=url_stages.request(bucket, "fixed")).json()["id"]
    for stage, following in itertools.zip_longest(stages, stages[1:]):
        url_stages.wait_until_held(fault)
        url_stages.kill_holder(home, id, stage)
        url_stages.wait_until_held(fault, 2)
        kill_group(home.processes.pop("upkeep"))
        home.server.kill()
        home.server.start()
        home.start_upkeep()
        fault = url_stages.hold(bucket, following) if following else url_stages.let_go(bucket)
    job = wait(http, id)
    assert job["status"] == "succeeded", job
    wanted = [label for frame in frames for label in estimators.Fixed().predict(frame[["age"]]).tolist()]
    parts, manifest = url_stages.output_of(bucket)
    assert pd.concat(parts)["prediction"].tolist() == wanted
    assert job["progress"]["rows_done"] == manifest["rows"] == len(wanted)
    result = pd.read_csv(io.StringIO(http.get(f"/jobs/{id}/result").text))
    assert result["prediction"].tolist() == wanted
    assert result["note"].equals(pd.concat(frames, ignore_index=True)["note"])
    written = [path.partition("?")[0] for method, path, _ in bucket.requests if method == "PUT" and "/out/" in path]
    manifests = [path.endswith("/manifest.json") for path in written]
    assert manifests == sorted(manifests), "a part was written after the manifest"


UPLOADS = 12
"""More than the ten threads that compress, and that read what is in a folder."""


@only_s3
def test_a_job_waits_for_a_bucket_that_is_away_and_loses_no_row(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    with bucket.broken(method="PUT", path="parts") as fault:
        id = submit(http, "fixed")
        until(lambda: fault.met, "a part is being stored")
        with bucket.out():
            until(lambda: '"work_postponed"' in home.log("worker"), "the part cannot be stored")
            answer = http.post("/predict?model=fixed", content=CSV, headers={"Content-Type": "text/csv"})
            assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), answer.text
            ready = http.get("/ready")
            assert (ready.status_code, ready.json()["checks"]["store"]["ok"]) == (503, False)
            assert http.get(f"/jobs/{id}").json()["status"] == "running"
            assert http.get("/health").status_code == 200
            with closing(home.redis) as redis:
                strikes = [value.split()[1] for value in redis.hvals(key("in_flight", id))]
            assert set(strikes) == {b"0"}
    assert_whole(home, http, id)


def test_a_bucket_that_throttles_only_delays(home: Stack, http: httpx.Client, bucket: Bucket) -> None:
    postponed = home.log("worker").count("work_postponed")
    with bucket.broken(status=503, code="ServerBusy" if bucket.is_azure else "SlowDown", every=3) as fault:
        assert_whole(home, http, submit(http, "fixed"))
    assert fault.met >= 10
    assert home.log("worker").count("work_postponed") == postponed


def test_credentials_that_have_expired_are_named_with_what_helps(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    status, code, message = 400, "ExpiredToken", "The provided token has expired."
    if bucket.is_azure:
        status, code, message = 403, "AuthenticationFailed", "Signature not valid in the specified time frame"
    with bucket.broken(status=status, code=code, message=message):
        answer = http.post("/predict?model=fixed", content=CSV, headers={"Content-Type": "text/csv"})
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:rowcast:problem:store-refuses")
        assert answer.json()["detail"] == f"The credentials for the store have expired ({code})."
        assert http.get("/ready").json()["checks"]["store"]["detail"] == answer.json()["detail"]
    assert "Set new credentials" in home.log("gateway")
    assert_whole(home, http, submit(http, "fixed"))


def test_a_place_that_may_not_be_read_fails_a_job_by_url_and_expired_credentials_delay_it(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    Storage(f"{bucket.location}/in").put("denied/a.csv", CSV)
    request = {"model": "fixed", "input_url": f"{bucket.location}/in/denied/a.csv"}
    with bucket.broken(path="/in/denied/", status=403, code="AccessDenied"):
        error = http.post("/predict?wait=60", json=request).json()["error"]
    assert (error["type"], "may not read" in error["detail"]) == ("urn:rowcast:problem:file-unreadable", True)
    pattern = {**request, "input_url": f"{bucket.location}/in/denied/*.csv"}
    with bucket.broken(method="GET", path="prefix=in%2Fdenied", status=403, code="AccessDenied"):
        error = http.post("/predict?wait=60", json=pattern).json()["error"]
    assert (error["type"], "may not read" in error["detail"]) == ("urn:rowcast:problem:file-unreadable", True)
    code = "AuthenticationFailed" if bucket.is_azure else "ExpiredToken"
    with bucket.broken(
        path="/in/denied/", status=403, code=code, times=2
    ) as fault:  # HEAD, whose answer has no body, too
        assert_whole(home, http, http.post("/predict", json=request).json()["id"])
    assert fault.met == 2


@only_s3
def test_while_a_bucket_hangs_the_gateway_serves_what_does_not_need_it(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    with ThreadPoolExecutor(UPLOADS) as threads:
        with bucket.broken(method="PUT", path="/input/") as fault:
            uploads = [threads.submit(submit, http, "fixed") for _ in range(UPLOADS)]
            until(lambda: fault.met >= UPLOADS, "all uploads wait for the bucket")
            assert http.get("/health").status_code == 200
            assert http.get("/jobs").status_code == 200
            row = http.post("/predict?wait=60", json={"features": [40], "model": "fixed"})
            assert row.json()["prediction"] == 1, row.text
            packed = http.get("/docs/storage", headers={"Accept-Encoding": "gzip"})
            assert packed.headers["Content-Encoding"] == "gzip"
            assert not any(upload.done() for upload in uploads)
        ended = [wait(http, upload.result())["status"] for upload in uploads]
        assert ended == ["succeeded"] * UPLOADS


@only_s3
def test_while_the_bucket_of_the_models_hangs_rows_of_known_models_are_scored(
    home: Stack, http: httpx.Client, bucket: Bucket
) -> None:
    row = {"features": [40], "model": "fixed@latest"}
    assert http.post("/predict?wait=60", json=row).json()["prediction"] == 1
    with ThreadPoolExecutor(1) as threads:
        with bucket.broken(method="GET", path="/models/fixed/") as fault:
            unknown = threads.submit(http.get, "/models/fixed/versions/7")
            until(lambda: fault.met, "a request waits for the bucket")
            assert http.get("/health").status_code == 200
            for _ in range(3):
                assert http.post("/predict?wait=60", json=row).json()["prediction"] == 1
            until(lambda: "registry_not_read" in home.log("gateway"), "what was read before is used")
            assert not unknown.done()
        assert unknown.result().status_code == 404
    with bucket.broken(status=403, code="InvalidAccessKeyId", method="GET", path="/models/fixed/") as fault:
        assert http.post("/predict?wait=60", json=row).json()["prediction"] == 1
    moved = http.put("/models/fixed/aliases/latest", json={"version": "1", "expected": "1"})
    assert moved.status_code == 200, "an alias is compared with what the bucket has"
