"""Files that are read by URL: planned by workers in ranges, and predicted as by a script that reads each file."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from programs import Stack, http_client, until
from registering import register
from sklearn.linear_model import LogisticRegression

from rowcast.cli.main import main
from rowcast.client import Client, NoResult, Unprocessable

RANDOM = np.random.default_rng(7)
MODEL = LogisticRegression().fit(RANDOM.normal(size=(200, 2)), RANDOM.integers(0, 2, 200))
COLUMNS = ["a", "b"]


@pytest.fixture(scope="module")
def urls(make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may read and write below `places`. Its chunks are small, and its ranges 16 times as large."""
    places = tmp_path_factory.mktemp("places")
    (places / "in").mkdir()
    stack = make_stack(
        ROWCAST_CHUNK_BYTES="4096",
        ROWCAST_MAX_ROW_BYTES="65536",
        ROWCAST_STORE_SYNC="false",
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


def test_many_files_are_predicted_in_order_and_written_as_parts(urls: Stack, http: httpx.Client, places: Path) -> None:
    frames = [written(places / "in" / "many", f"{number}.csv", 40 * number + 3, number) for number in range(1, 9)]
    (places / "in" / "many" / "notes.txt").write_text("not a CSV")
    body = {"input_url": f"file://{places}/in/many/*.csv", "output_url": f"file://{places}/out/many/"}
    job = ended(http, body)
    assert job["status"] == "succeeded", job
    assert job["input"]["files"] == 8
    names = sorted(file.name for file in (places / "in" / "many").glob("*.csv"))
    frames = [pd.read_csv(places / "in" / "many" / name) for name in names]
    wanted = [label for frame in frames for label in MODEL.predict(frame[COLUMNS].to_numpy()).tolist()]
    manifest = json.loads((places / "out" / "many" / "manifest.json").read_text())
    parts = [places / "out" / "many" / file["name"] for file in manifest["files"]]
    assert pd.concat(map(pd.read_csv, parts))["prediction"].tolist() == wanted
    for part, file in zip(parts, manifest["files"], strict=True):
        content = part.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    assert (manifest["rows"], sum(file["rows"] for file in manifest["files"])) == (len(wanted), len(wanted))
    receipt = http.get(f"/jobs/{job['id']}/receipt")
    assert (receipt.status_code, "Send a file in the request" in receipt.json()["detail"]) == (409, True), receipt.text
    (places / "result.csv").write_text(http.get(job["links"]["result"]).text)
    assert pd.read_csv(places / "result.csv")["prediction"].tolist() == wanted

    with Client(urls.url) as client, pytest.raises(NoResult) as failed:
        client.submit_url(body["input_url"], body["output_url"], model="linear").wait()
    error = failed.value.job.raw["error"]
    assert error["type"].endswith(":output-exists")
    (places / "out" / "many" / "part-9999999.csv").write_text("of an earlier job")
    command = ["predict", body["input_url"], "-o", body["output_url"], "--force", "-m", "linear", "--url", urls.url]
    assert main(command) == 0
    assert not (places / "out" / "many" / "part-9999999.csv").exists()


def test_files_that_are_gzip_are_predicted_as_by_a_script(urls: Stack, http: httpx.Client, places: Path) -> None:
    folder = places / "in" / "packed"
    frames = [written(folder, f"{number}.csv", rows, number) for number, rows in ((1, 3_000), (2, 3), (3, 500))]
    for file in [*folder.glob("*.csv")]:
        half = len(content := file.read_bytes()) // 2
        file.with_suffix(".csv.gz").write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))
        file.unlink()
    (folder / "4.csv.gz").write_bytes(gzip.compress(b"a,note,b\n"))
    job = ended(http, {"input_url": f"file://{folder}/*.gz"})
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", sum(map(len, frames))), job
    result = pd.read_csv(io.StringIO(http.get(job["links"]["result"]).text))
    frame = pd.concat(frames, ignore_index=True)
    assert result["prediction"].tolist() == MODEL.predict(frame[COLUMNS].to_numpy()).tolist()
    assert result["note"].equals(frame["note"])
    assert any("/unpacked/" in name for name in urls.files() if job["id"] in name)


def refused(http: httpx.Client, places: Path, name: str, **further: object) -> dict[str, str]:
    """Returns the problem of a request or a job."""
    url = name if "://" in name else f"file://{places}/in/{name}"
    answer = http.post("/predict?wait=60", json={"model": "linear", "input_url": url, **further}).json()
    return answer.get("error") or answer


@pytest.mark.parametrize(
    ("name", "type", "words"),
    [
        ("nothing.csv", "no-files-found", "there is no such file"),
        ("nothing/*.csv", "no-files-found", "no file fits this pattern"),
        ("file:///etc/passwd", "url-refused", "ROWCAST_INPUT_PREFIXES"),
        ("../out/a.csv", "url-refused", "`..`"),
        ("s3://user:secret@bucket/a.csv", "url-refused", "user name"),
        ("bad/link.csv", "url-refused", "leads out of the allowed places"),
        ("bad/third/*.csv", "header-differs", "c.csv: has other columns than the first file: it lacks 'b'"),
        ("bad/empty/*.csv", "empty-file", "b.csv"),
        ("bad/lacks.csv", "missing-columns", "'b'"),
        ("bad/open.csv", "csv-syntax", "row 4001: a quote opens here and is never closed"),
        ("bad/bytes.csv", "not-utf8", "byte 0xFF at offset 40000"),
        ("bad/long.csv", "too-large", "Row 4001 (bytes"),
        ("bad/cut.csv.gz", "file-unreadable", "ends too early"),
        ("bad/packed/*.csv*", "file-unreadable", "b.csv.gz: is gzip, and the first file is not"),
        ("bad/a.parquet", "file-unreadable", "is Parquet; by URL, only CSV and gzip are read: send it as the body"),
        ("bad/a.xlsx", "file-unreadable", "by URL, only CSV and gzip are read: send it as the body"),
    ],
)
def test_what_is_wrong_with_the_files_is_said(
    http: httpx.Client, places: Path, name: str, type: str, words: str
) -> None:
    if not (places / "in" / "bad").exists():
        write_bad_files(places / "in" / "bad")
    problem = refused(http, places, name)
    assert problem["type"].endswith(f":{type}")
    assert words in problem["detail"]
    assert "secret" not in json.dumps(problem)


def write_bad_files(folder: Path) -> None:
    rows = b"1,22,333\n" * 4000
    files = {
        "third/a.csv": b"a,b\n1,2\n",
        "third/b.csv": b"a,b\n",
        "third/c.csv": b"a,c\n1,2\n",
        "empty/a.csv": b"a,b\n1,2\n",
        "empty/b.csv": b"",
        "lacks.csv": b"a,c\n1,2\n",
        "open.csv": b"a,b,c\n" + rows + b'1,2,"3\n' + rows,
        "bytes.csv": (b"a,b,c\n" + rows + rows)[:40_000] + b"\xff" + rows,
        "long.csv": b"a,b,c\n" + rows + b'1,2,"' + b"3\n" * 40_000 + b'"\n' + rows,
        "cut.csv.gz": gzip.compress(b"a,b,c\n" + rows)[:-9],
        "packed/a.csv": b"a,b\n1,2\n",
        "packed/b.csv.gz": gzip.compress(b"a,b\n1,2\n"),
        "a.parquet": b"PAR1" + bytes(100),
        "a.xlsx": b"PK\x03\x04" + bytes(100),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "link.csv").symlink_to("/etc/passwd")


def test_a_check_reads_the_beginning_of_the_first_file(
    urls: Stack, http: httpx.Client, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = places / "in" / "checked"
    frames = [written(folder, f"{number}.csv", 400) for number in (1, 2)]
    size = sum(file.stat().st_size for file in folder.iterdir())

    def checked(name: str, **further: object) -> dict[str, Any]:
        body = {"model": "linear", "input_url": f"file://{folder}/{name}", "dry_run": True, **further}
        answer = http.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    found = checked("*.csv", output_url=f"file://{places}/out/checked/")
    assert found["ok"], found
    assert [row["prediction"] for row in found["sample"]] == MODEL.predict(frames[0][COLUMNS].to_numpy())[:10].tolist()
    assert main(["check", f"file://{folder}/*.csv", "--model", "linear", "--url", urls.url]) == 0
    assert f"file://{folder}/*.csv fits linear@1." in capsys.readouterr().out
    with Client(urls.url) as client:
        assert client.check_url(f"file://{folder}/*.csv", model="linear").raw == found
        with pytest.raises(Unprocessable, match="ROWCAST_INPUT_PREFIXES"):
            client.check_url("s3://elsewhere/a.csv", model="linear")
    assert found["expected"]["rows"] == pytest.approx(size * 400 / (size / 2), rel=0.01)
    assert not (places / "out" / "checked").exists()
    (folder / "1.gz").write_bytes(gzip.compress((folder / "1.csv").read_bytes()))
    assert (checked("1.gz")["sample"], checked("1.csv")["expected"]["rows"]) == (found["sample"], 400)
    (folder / "wide").write_bytes("a,note,b\n1,é,2\n".encode("utf-16"))
    (folder / "lacks").write_bytes(b"a,c\n1,2\n")
    (folder / "zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "none").write_bytes(b"")
    problems = {name: checked(name)["problem"]["type"] for name in ("wide", "lacks", "zip", "none", "missing")}
    slugs = [type.rpartition(":")[2] for type in problems.values()]
    assert slugs == ["file-unreadable", "missing-columns", "file-unreadable", "empty-file", "no-files-found"]
    until(lambda: not any("/planning/beginning" in name for name in urls.files()), "nothing of the checks remains")


def test_places_of_the_output_have_to_be_allowed(http: httpx.Client, places: Path) -> None:
    problem = refused(http, places, "one/a.csv", output_url=f"file://{places}/in/out/")
    assert "ROWCAST_OUTPUT_PREFIXES" in problem["detail"]
    problem = refused(http, places, "one/a.csv", overwrite=True)
    assert problem["type"].endswith(":option-unsuitable")


def test_a_file_that_changes_meanwhile_fails_its_job(urls: Stack, http: httpx.Client, places: Path) -> None:
    frame = written(places / "in" / "changing", "a.csv", 3_000)
    frame["a"] = "not a number"
    frame.to_csv(places / "in" / "changing" / "b.csv", index=False)
    url = f"file://{places}/in/changing/b.csv"
    answer = http.post("/predict?wait=60", json={"model": "linear", "input_url": url, "max_errors": 10}).json()
    assert answer["error"]["type"].endswith(":too-many-bad-rows"), answer
    frame.to_csv(places / "in" / "changing" / "b.csv", index=False)
    assert http.post(answer["links"]["self"] + "/retry").status_code == 202
    error = http.get(answer["links"]["self"] + "?wait=60").json()["error"]
    assert error["type"].endswith(":input-changed")
    assert f"{url} was changed after the job had been planned" in error["detail"]


def test_bad_rows_can_be_listed_and_corrected(http: httpx.Client, places: Path) -> None:
    frame = written(places / "in" / "repaired", "a.csv", 1_000)
    lines = (places / "in" / "repaired" / "a.csv").read_text()
    (places / "in" / "repaired" / "a.csv").write_text(lines + "what,none,1\n")
    body = {"input_url": f"file://{places}/in/repaired/a.csv", "output_url": f"file://{places}/out/repaired/"}
    job = ended(http, body)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1)
    bad = http.get(job["links"]["errors"] + "?as=input").text
    assert bad.splitlines()[1].endswith(",what,none,1")
    assert http.post(job["links"]["repair"], content=bad.replace("what", "0.5")).status_code == 202
    assert http.get(job["links"]["self"] + "?wait=60").json()["progress"]["rows_failed"] == 0
    manifest = json.loads((places / "out" / "repaired" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["rows_failed"]) == (len(frame) + 1, 0)
    last = (places / "out" / "repaired" / manifest["files"][-1]["name"]).read_bytes()
    assert hashlib.sha256(last).hexdigest() == manifest["files"][-1]["sha256"]


def test_a_job_that_redis_lost_is_planned_and_scored_again(urls: Stack, http: httpx.Client, places: Path) -> None:
    frame = written(places / "in" / "lost", "a.csv", 3_000)
    body = {"input_url": f"file://{places}/in/lost/a.csv", "output_url": f"file://{places}/out/lost/"}
    http.post("/queue/pause")
    waiting = http.post("/predict", json={"model": "linear", **body}).json()["id"]
    with closing(urls.redis) as redis:
        redis.flushall()
    job = {}
    for _ in range(2):  # first it has to be planned, and then only to be scored
        until(lambda: http.get(f"/jobs/{waiting}").json().get("status") == "succeeded", "it is made again", 60)
        job = http.get(f"/jobs/{waiting}").json()
        with closing(urls.redis) as redis:
            redis.flushall()
    until(lambda: http.get(f"/jobs/{waiting}").json().get("status") == "succeeded", "it is made once more", 60)
    assert job["progress"]["rows_done"] == len(frame)
    manifest = json.loads((places / "out" / "lost" / "manifest.json").read_text())
    assert (manifest["job"], manifest["rows"]) == (waiting, len(frame))
