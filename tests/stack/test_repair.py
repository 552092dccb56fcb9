"""Bad rows are corrected as a user corrects them, and the result is that of a file that was right from the start."""

import io
import threading
from pathlib import Path

import httpx
import pandas as pd
import pytest
from programs import ROOT, Stack, until
from scored import CHUNKS, submit, wait

from rowcast import Client
from rowcast.cli.main import main
from rowcast.client import Conflict, Unprocessable

TITANIC = ROOT / "training" / "data" / "titanic.csv"
CSV = {"Content-Type": "text/csv"}

BAD = {3: "old", 70: "", 71: "x,y", 640: "?"}
"""Some rows of three chunks whose age is not a number. An empty one is refused by the model without missing values."""


def ages(bad: dict[int, str]) -> bytes:
    """Returns a file of ten chunks; `bad` has the age of some rows by their number."""
    cells = [bad.get(row, str(row % 60)) for row in range(1, 64 * CHUNKS + 1)]
    table = pd.DataFrame({"name": [f"passenger {row}, esq." for row in range(1, len(cells) + 1)], "age": cells})
    return table.to_csv(index=False).encode()


def bad_rows(http: httpx.Client, id: str) -> bytes:
    response = http.get(f"/jobs/{id}/errors", params={"as": "input"})
    assert response.status_code == 200, response.text
    return response.content


def repair(http: httpx.Client, id: str, body: bytes) -> httpx.Response:
    return http.post(f"/jobs/{id}/repair", files={"file": ("bad.csv", body)})


def corrected(body: bytes) -> bytes:
    """Returns the file of bad rows as a person corrects it: read, changed and written by pandas."""
    table = pd.read_csv(io.BytesIO(body), dtype={"age": str})
    table["age"] = [str(row % 60) for row in table["_row"]]
    return table.to_csv(index=False).encode()


def test_corrected_rows_take_their_places_and_stay_there(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id, right = submit(http, "fixed", ages(BAD)), submit(http, "fixed", ages({}))
    job, wanted = wait(http, id), wait(http, right)
    assert job["progress"]["rows_failed"] == len(BAD)
    assert bad_rows(http, id).decode().splitlines()[:3] == [
        "_row,_error,_job,name,age",
        f'3,age: not a number,{id},"passenger 3, esq.",old',
        f'70,"age: empty, and the model does not accept a missing value here",{id},"passenger 70, esq.",',
    ]
    assert repair(http, right, bad_rows(http, id)).status_code == 422, "it is the file of another job"
    before = http.get(f"/jobs/{id}/result")

    some = corrected(bad_rows(http, id)).splitlines(keepends=True)
    assert repair(http, id, b"".join([some[0], some[4], some[2]])).status_code == 202, "two of them, in another order"
    job = wait(http, id)
    assert (job["status"], job["repairs"], job["progress"]["rows_failed"]) == ("succeeded", 1, 2)
    assert [line[:2] for line in bad_rows(http, id).splitlines()[1:]] == [b"3,", b"71"]
    kept_stack.audit()

    assert repair(http, id, b"".join(some)).status_code == 202, "all of them: two are as they are to be"
    job = wait(http, id)
    assert (job["status"], job["repairs"], job["progress"]["rows_failed"]) == ("succeeded", 2, 0)
    assert job["result"] == wanted["result"], "the summary is that of the right file"
    result = http.get(f"/jobs/{id}/result")
    assert result.content == http.get(f"/jobs/{right}/result").content
    assert result.headers["ETag"] != before.headers["ETag"]
    assert bad_rows(http, id) == b"_row,_error,_job,name,age\n"

    files = kept_stack.files()
    assert repair(http, id, b"".join(some)).json()["repairs"] == 2, "the same repair again changes nothing"
    assert kept_stack.files() == files
    kept_stack.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").status_code == 200, "the job is made again from the store")
    assert wait(http, id)["repairs"] == 2
    assert http.get(f"/jobs/{id}/result").content == result.content


def test_of_two_repairs_at_once_one_counts(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id = submit(http, "fixed", ages(BAD))
    wait(http, id)
    row = b"_row,age\n3,%d\n"
    barrier, answers = threading.Barrier(2), []

    def send(age: int) -> None:
        barrier.wait()
        answers.append(httpx.post(f"{kept_stack.url}/jobs/{id}/repair", content=row % age, headers=CSV).status_code)

    threads = [threading.Thread(target=send, args=[age]) for age in (20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = wait(http, id)
    assert (sorted(answers), job["repairs"]) in (([202, 409], 1), ([202, 422], 1)), "422: the first was done already"
    assert http.get(f"/jobs/{id}/result").text.splitlines()[3].split(",")[-2:] in (["20", "0"], ["40", "1"])

    kept_stack.stop("worker")
    assert repair(http, id, row.replace(b"3,", b"70,") % 50).status_code == 202
    answer = repair(http, id, row.replace(b"3,", b"71,") % 50)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rowcast:problem:not-repairable")
    assert repair(http, id, row.replace(b"3,", b"70,") % 50).status_code == 202, "its answer may have been lost"
    kept_stack.start_worker()
    assert wait(http, id)["progress"]["rows_failed"] == 2


def test_cells_are_corrected_in_any_form_and_a_row_may_stay_bad(client: httpx.Client) -> None:
    body = b'id;age;pclass\r\n1;old;3\r\n2;31;1\r\n3;40\r\n"4";;x;y\r\n5;22;1\r\n'
    id = submit(client, "titanic", body)
    assert wait(client, id)["progress"]["rows_failed"] == 3
    assert bad_rows(client, id).decode().splitlines()[2:] == [
        f"3;has 2 fields, the header has 3;{id};3;40",
        f'4;has 4 fields, the header has 3;{id};"4";;x;y',
    ]
    answer = client.post(f"/jobs/{id}/repair", json={"rows": [{"_row": 1, "age": 25.5}]})
    assert answer.status_code == 202
    assert wait(client, id)["progress"]["rows_failed"] == 2
    assert repair(client, id, '_row,id,age,pclass\n4,"a;b",30,1\n3,c,é,2\n'.encode()).status_code == 202
    assert wait(client, id)["progress"]["rows_failed"] == 1
    lines = client.get(f"/jobs/{id}/result").text.split("\r\n")
    assert [line.rpartition(";")[0] for line in lines[1:5]] == ["1;25.5;3", "2;31;1", "c;é;2", '"a;b";30;1']
    assert [bool(line.rpartition(";")[2]) for line in lines[1:5]] == [True, True, False, True]
    assert bad_rows(client, id).decode().splitlines()[1].endswith(";c;é;2")


def test_a_spreadsheets_encoding_is_named(client: httpx.Client) -> None:
    id = submit(client, "titanic", "name,age,pclass\nZoë,x,3\n".encode())
    wait(client, id)
    body = "_row,name,age,pclass\n1,Zoë,30,3\n".encode("cp1252")
    answer = repair(client, id, body)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:rowcast:problem:not-utf8")
    assert "send encoding=windows-1252" in answer.text
    answer = client.post(f"/jobs/{id}/repair", params={"encoding": "windows-1252"}, content=body, headers=CSV)
    assert answer.status_code == 202, answer.text
    assert wait(client, id)["progress"]["rows_failed"] == 0
    assert client.get(f"/jobs/{id}/result").text.splitlines()[1].startswith("Zoë,30,3,")
    assert client.post(f"/jobs/{id}/repair", params={"model": "m"}, content=body, headers=CSV).status_code == 422


def test_a_file_of_only_bad_rows_is_repaired(client: httpx.Client) -> None:
    id = submit(client, "titanic", b"age,pclass\nx,3\ny,1\n")
    assert wait(client, id)["status"] == "failed"
    assert client.post(f"/jobs/{id}/repair", json={"rows": [{"_row": 2, "age": "60"}]}).status_code == 202
    job = wait(client, id)
    assert (job["status"], job["error"], job["progress"]["rows_failed"]) == ("succeeded", None, 1)
    assert sum(job["result"]["summary"]["classes"].values()) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"_row,age\n2,32\n", "row 2: has a prediction; only bad rows can be corrected"),
        (b"_row,agee\n1,31\n", "header.agee: is not a column of the job's input; the nearest is 'age'"),
        (b"row,age\n1,31\n", "header line: has no column '_row', which says the number of each row in the job"),
        (b"_row,age\n4,31\n", "column _row: '4' is not the number of a row: 1 to 3"),
        (b"_row,age\n1.0,31\n", "column _row: '1.0' is not the number of a row: 1 to 3"),
        (b"_row,age\n1,31\n1,32\n", "row 1: is there twice"),
        (b"_row,age\n1,31,5\n", "row 1: has 3 fields instead of 2"),
        (b"_row,age\n3,31\n", "row 3: has 1 field instead of 2, so send all of its columns"),
        (b'{"rows": [{"age": 31}]}', 'rows[0]: must be an object such as {"_row": 7, "age": 31}'),
        (b'{"rows": [{"_row": 1, "ages": 31}]}', "rows[0].ages: is not a column of the job's input; the nearest is"),
        (b'[1]', 'body: must be for example {"rows": [{"_row": 7, "age": 31}]}'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_changes_nothing(
    client: httpx.Client, stack: Stack, body: bytes, said: str
) -> None:
    id = submit(client, "titanic", b"age,pclass\nx,3\n31,1\n5\n")
    before, files = wait(client, id), stack.files()
    kind = "application/json" if body[:1] in b"[{" else "text/csv"
    answer = client.post(f"/jobs/{id}/repair", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422, answer.text
    assert any(said in f"{fault['where']}: {fault['message']}" for fault in answer.json()["errors"]), answer.text
    assert client.get(f"/jobs/{id}").json() == before
    assert stack.files() == files


def test_jobs_without_rows_to_correct_say_so(client: httpx.Client) -> None:
    single = client.post("/predict", json={"features": [25, 3]}).json()["id"]
    answer = client.post(f"/jobs/{single}/repair", json={"rows": []})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rowcast:problem:not-repairable")
    assert client.get(f"/jobs/{single}/errors", params={"as": "x"}).status_code == 422
    unknown = "019a0000-0000-7000-8000-000000000000"
    assert client.post(f"/jobs/{unknown}/repair", json={"rows": []}).status_code == 404


def test_the_client_and_the_command_line_repair(
    stack: Stack, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, bad = tmp_path / "in.csv", tmp_path / "bad.csv"
    file.write_bytes(TITANIC.read_bytes().replace(b",29.0,1,", b",29y,1,").replace(b",63.0,1,", b",63y,1,"))
    with Client(stack.url) as service:
        job = service.submit_csv(file).wait()
        failed = job.progress["rows_failed"]
        assert failed > 5
        row = job.errors()[0].row
        assert job.repair([{"_row": row, "age": 29}]).wait().progress["rows_failed"] == failed - 1
        with pytest.raises(Unprocessable, match="has a prediction"):
            job.repair([{"_row": row, "age": 30}])
    assert main(["errors", job.id, "--as-input", "-o", str(bad), "--url", stack.url]) == 0
    bad.write_bytes(bad.read_bytes().replace(b"y,1,", b".0,1,"))
    assert main(["repair", job.id, str(bad), "--url", stack.url]) == 0
    assert f"Predicted {failed - 1:,} of {failed - 1:,} bad rows of job {job.id}." in capfd.readouterr().err
    with Client(stack.url) as service:
        right = service.submit_csv(TITANIC).wait()
        assert service.job(job.id).to_pandas().equals(right.to_pandas())
        with pytest.raises(Conflict):
            service.job(service.predict([25, 3]).job).repair([])
