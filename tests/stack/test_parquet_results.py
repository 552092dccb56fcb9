"""The result as Parquet: written once by a worker, the same values as the other formats, with types."""

import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from programs import ROOT, Stack, kill_group, until
from scored import CHUNKS, CSV, ROWS, submit, wait

from rowcast.client import Client
from rowcast.jobs.records.redis_keys import key

TITANIC = (ROOT / "training" / "data" / "titanic.csv").read_bytes()
PARQUET = {"Accept": "application/vnd.apache.parquet"}


def table_of(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


def both(client: httpx.Client, body: bytes, model: str = "titanic", **options: object) -> tuple[pa.Table, list[dict]]:
    """Returns the Parquet file, and the rows as NDJSON has them."""
    id = submit(client, model, body, **options)
    assert wait(client, id)["status"] == "succeeded"
    answer = client.get(f"/jobs/{id}/result", headers=PARQUET)
    assert answer.status_code == 200, answer.text
    lines = client.get(f"/jobs/{id}/result", params={"format": "ndjson"}).text.splitlines()
    return table_of(answer.content), [json.loads(line) for line in lines]


def test_values_are_those_of_ndjson_with_types(client: httpx.Client) -> None:
    table, rows = both(client, TITANIC, probabilities=True)
    assert table.to_pylist() == rows
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["age"], kinds["name"], kinds["prediction"], kinds["probability_1"]) == (
        "double",
        "string",
        "int64",
        "double",
    )


def test_a_feature_with_an_unreadable_cell_is_text_so_that_nothing_is_lost(client: httpx.Client) -> None:
    table, _ = both(client, b"id,age,pclass\n007,25.5,3\n008,old,1\n009,,2\n", on_error="column")
    assert table["age"].to_pylist() == ["25.5", "old", ""]
    assert table["id"].to_pylist() == ["007", "008", "009"]
    assert table["prediction"].to_pylist()[1] is None
    assert "not a number" in table["prediction_error"].to_pylist()[1]


def test_odd_names_rows_and_options_are_as_in_ndjson(client: httpx.Client) -> None:
    rows = b'x,age,pclass,x,"say ""hi"""\na,31,1,b,c,9\n40\n"0\n8",25,3,,\n'
    for body, options in (
        (rows, {"on_error": "column"}),
        (rows, {"output": "predictions", "key": "x"}),
        ("näme;age;pclass\nÉva;25,5;3\n;;1\n".encode("windows-1252"), {"decimal": ",", "encoding": "windows-1252"}),
    ):
        table, objects = both(client, body, **options)
        assert table.to_pylist() == objects


def test_length_tag_ranges_and_head_work(client: httpx.Client) -> None:
    id = submit(client, "titanic", TITANIC)
    wait(client, id)
    here = f"/jobs/{id}/result?format=parquet"
    head, whole = client.head(here), client.get(here)
    assert head.headers["ETag"] == whole.headers["ETag"]
    assert int(head.headers["Content-Length"]) == len(whole.content)
    assert whole.headers["Content-Disposition"].endswith("predictions.parquet")
    rest = client.get(here, headers={"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert client.get(here, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.get(here, headers={"Range": "bytes=-8"}).content == whole.content[-8:]


def test_two_requests_make_one_file_and_a_repair_makes_another(client: httpx.Client, stack: Stack) -> None:
    id = submit(client, "titanic", b"age,pclass\nold,3\n25,1\n")
    wait(client, id)
    here = f"/jobs/{id}/result?format=parquet"
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(client.get(here))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.content for answer in answers}) == 1
    assert len([file for file in stack.files() if f"{id}/parquet/" in str(file)]) == 1
    assert table_of(answers[0].content)["age"].to_pylist() == ["old", "25"]
    repaired = client.post(
        f"/jobs/{id}/repair", content=b"_row,age,pclass\n1,40,3\n", headers={"Content-Type": "text/csv"}
    )
    assert repaired.status_code == 202, repaired.text
    wait(client, id)
    again = client.get(here)
    assert again.headers["ETag"] != answers[0].headers["ETag"]
    assert table_of(again.content)["age"].to_pylist() == [40.0, 25.0]


def test_what_cannot_be_parquet_is_refused_with_the_way_out(client: httpx.Client) -> None:
    id = submit(client, "titanic", b"age,pclass\nold,3\n", on_error="fail")
    wait(client, id)
    partial = client.get(f"/jobs/{id}/result?format=parquet&partial=true")
    assert (partial.status_code, "CSV and NDJSON" in partial.json()["detail"]) == (406, True)
    followed = client.post(
        "/predict?follow=true&format=parquet", content=b"age,pclass\n25,3\n", headers={"Content-Type": "text/csv"}
    )
    assert (followed.status_code, "CSV" in followed.json()["detail"]) == (406, True)


def test_a_request_for_a_file_waits_until_a_worker_comes(kept_stack: Stack, http: httpx.Client) -> None:
    """Without a worker the response is 503; the next worker does the work. A row group per part."""
    kept_stack.start_worker()
    id = submit(http, "fixed")
    assert wait(http, id)["status"] == "succeeded"
    kept_stack.stop("worker")
    late = http.get(f"/jobs/{id}/result?format=parquet&wait=0")
    assert (late.status_code, late.json()["type"]) == (503, "urn:rowcast:problem:parquet-unfinished")
    assert int(late.headers["Retry-After"]) > 0
    kept_stack.start_worker()
    file = http.get(f"/jobs/{id}/result?format=parquet&wait=60")
    assert file.status_code == 200, file.text
    read = pq.ParquetFile(io.BytesIO(file.content))
    assert (read.num_row_groups, read.metadata.num_rows) == (CSV.count(b"\n") // 64, ROWS)


def test_a_worker_killed_while_it_writes_the_file_loses_it_to_another(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker("first", concurrency=1)
    id = submit(http, "fixed")
    assert wait(http, id)["status"] == "succeeded"
    part = kept_stack.store / f"jobs/{id}/parts/{CHUNKS - 1:07d}"
    kept = part.read_bytes()
    part.unlink()
    os.mkfifo(part)  # its reader waits, because nothing is ever written to it
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(http.get, f"/jobs/{id}/result?format=parquet&wait=60")
        member = f"{id}/{CHUNKS}"
        until(lambda: kept_stack.redis.hexists(key("leases"), member), "the worker writes the file")
        kill_group(kept_stack.processes.pop("first"))
        part.unlink()
        part.write_bytes(kept)
        kept_stack.start_worker("second", concurrency=1)
        answer = asked.result()
    assert answer.status_code == 200, answer.text
    assert table_of(answer.content).to_pylist() == [
        {"age": float(number % 60), "prediction": int(number % 60 > 30)} for number in range(ROWS)
    ]
    assert len(parquet_files(kept_stack, id)) == 1
    log = "\n".join(line["message"] for line in http.get(f"/jobs/{id}/log").json()["log"])
    assert "The Parquet file was lost: its worker process" in log
    assert "The Parquet file was taken over" in log


def test_no_file_outlives_a_job_that_is_deleted_or_expires(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker(concurrency=1)
    deleted, expired = submit(http, "fixed"), submit(http, "fixed")
    for id in (deleted, expired):
        assert wait(http, id)["status"] == "succeeded"
        http.get(f"/jobs/{id}/result?format=parquet&wait=60").raise_for_status()
        assert len(parquet_files(kept_stack, id)) == 1
    assert http.delete(f"/jobs/{deleted}").status_code == 204
    kept_stack.redis.zadd(key("expiring"), {expired: 0})
    until(lambda: not any(id in file for file in kept_stack.files() for id in (deleted, expired)), "all files go")
    for id in (deleted, expired):
        assert http.get(f"/jobs/{id}/result?format=parquet").status_code == 410


def parquet_files(stack: Stack, id: str) -> list[str]:
    return [file for file in map(str, stack.files()) if f"{id}/parquet/" in file]


def test_pandas_reads_the_same_table_from_each_format(stack: Stack, tmp_path: Path) -> None:
    with Client(stack.url) as service:
        job = service.predict_csv(io.BytesIO(TITANIC), tmp_path / "result.parquet", model="titanic", probabilities=True)
        job.download(tmp_path / "result.csv")
        job.download(tmp_path / "result.ndjson")
        job.download(tmp_path / "other", format="parquet")
    assert (tmp_path / "other").read_bytes() == (tmp_path / "result.parquet").read_bytes()
    table = pd.read_parquet(tmp_path / "result.parquet")
    assert len(table) == 1309
    # Columns that the model does not read are text, of which pandas would make numbers.
    texts = {name: str for name, kind in table.dtypes.items() if kind.kind == "O"}
    assert "sibsp" in texts
    of_csv = pd.read_csv(tmp_path / "result.csv", dtype=texts)
    of_ndjson = pd.read_json(tmp_path / "result.ndjson", lines=True, precise_float=True, dtype=texts)
    for other in (of_csv, of_ndjson):
        pd.testing.assert_frame_equal(table, other, check_dtype=False)
