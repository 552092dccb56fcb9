"""Fetching what a job made: under which name, whole, in ranges, or not at all."""

import gzip
import io
import socket
from contextlib import ExitStack

import httpx
import pytest
from programs import ROOT, Stack, http_client, until
from scored import CSV as AGES
from scored import WANTED, submit, wait
from typing_extensions import Buffer
from werkzeug.http import parse_options_header

from api.output.responses import attachment
from rowcast import Client
from rowcast.jobs.records.redis_keys import key
from rowcast.settings import Settings

CSV = {"Content-Type": "text/csv"}
ROW = b"age,pclass\n25,3\n"


def scored(client: httpx.Client, **request: object) -> dict:
    """Returns the job of a request, at its end."""
    made = client.post("/predict", params={"wait": 60}, **request)  # type: ignore[arg-type]
    assert made.status_code == 200, made.text
    assert made.json()["status"] == "succeeded"
    return made.json()


def name_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return parse_options_header(response.headers["Content-Disposition"])[1]["filename"]


def test_a_forms_file_name_names_the_result(client: httpx.Client) -> None:
    job = scored(client, files={"file": ("my trip.csv", ROW)})
    assert job["input"]["filename"] == "my trip.csv"
    assert name_of(client.get(f"/jobs/{job['id']}/result")) == "my trip-predictions.csv"
    job = scored(client, files={"file": ("MY TRIP.CSV.GZ", gzip.compress(ROW))})
    assert name_of(client.get(f"/jobs/{job['id']}/result")) == "MY TRIP-predictions.csv"


@pytest.mark.parametrize(
    ("sent", "stem"),
    [
        ("UTF-8''%E4%B9%98%E5%AE%A2%20%E2%82%AC.csv", "乘客 €"),
        ("UTF-8''f%C3%BCr%20alle.CSV.GZ", "für alle"),
        ("UTF-8''a%0D%0AX-Forged%3A%20b%00.csv", "aX-Forged: b"),
        ("UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("UTF-8''" + 300 * "x", 200 * "x"),
        ("UTF-8''..", None),
        ("UTF-8''%0A", None),
    ],
)
def test_whatever_a_file_is_called_its_result_can_be_fetched(client: httpx.Client, sent: str, stem: str | None) -> None:
    job = scored(client, content=ROW, headers=CSV | {"Content-Disposition": f"attachment; filename*={sent}"})
    for kind, name in (("result", "predictions"), ("errors", "errors")):
        assert name_of(client.get(f"/jobs/{job['id']}/{kind}")) == f"{stem or job['id']}-{name}.csv"


def test_a_percent_sign_in_a_name_is_no_escape() -> None:
    assert attachment("100%25.csv").endswith("filename*=UTF-8''100%2525.csv")
    assert attachment("trip.csv") == "attachment; filename=trip.csv"


def test_a_broken_download_goes_on_where_it_stopped(client: httpx.Client) -> None:
    data = (ROOT / "training" / "data" / "titanic.csv").read_bytes()
    job = scored(client, content=data, headers=CSV)
    here = f"/jobs/{job['id']}/result"
    first = client.get(here)
    whole = first.content
    assert first.headers["Accept-Ranges"] == "bytes"
    assert int(first.headers["Content-Length"]) == len(whole) == job["result"]["bytes"]
    for start in (0, 10, 40, 1_000, len(whole) - 1):
        rest = client.get(here, headers={"Range": f"bytes={start}-", "If-Range": first.headers["ETag"]})
        assert (rest.status_code, rest.content) == (206, whole[start:])
    assert client.get(here, headers={"Range": "bytes=5-9"}).content == whole[5:10]
    assert client.get(here, headers={"Range": "bytes=-7"}).content == whole[-7:]
    assert client.get(here, headers={"Range": "bytes=5-", "If-Range": '"another"'}).status_code == 200
    assert client.get(here, headers={"Range": f"bytes=-{len(whole) + 7}"}).content == whole
    beyond = client.get(here, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert beyond.json()["type"] == "urn:rowcast:problem:range-beyond-end"
    assert client.get(here, headers={"Range": "bytes=0-1,4-5"}).content == whole
    assert client.get(here, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert client.head(here).headers["Content-Length"] == str(len(whole))
    assert client.get(here, headers={"Accept": "application/json"}).status_code == 406


def test_readers_who_take_a_byte_at_a_time_hold_nobody_up(client: httpx.Client, stack: Stack) -> None:
    """Of a result that is more than the sockets between would take in."""
    id = scored(client, content=b"age,pclass,note\n" + 8_000 * (b"25,3," + 1_000 * b"x" + b"\n"), headers=CSV)["id"]
    with ExitStack() as at_end:
        http = at_end.enter_context(http_client(stack.url, timeout=5))
        readers = [at_end.enter_context(socket.socket()) for _ in range(30)]
        for reader in readers:
            reader.settimeout(30)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", stack.port))
            reader.sendall(b"GET /jobs/%s/result HTTP/1.1\r\nHost: x\r\n\r\n" % id.encode())
        for letter in b"HTTP/1.1 200":
            assert {reader.recv(1)[0] for reader in readers} == {letter}
            assert http.post("/predict", json={"features": [25, 3]}, params={"wait": 5}).status_code == 200
        assert len(http.get(f"/jobs/{id}/result").content) > 8_000_000


@pytest.mark.parametrize("guard", ["false", "true"])
def test_formulas_in_the_input_come_back_as_they_were_sent(client: httpx.Client, guard: str) -> None:
    rows = [b'25,3,"=1+1"', b"+25,3,=cmd|' /C calc'!A0", b"38,1,+1", b"4,2,-1", b"61,3,@SUM(A1)", b'7,1,"\t=1"']
    made = client.post(
        "/predict", params={"wait": 60, "guard_formulas": guard}, content=_csv(b"age,pclass,=note", rows), headers=CSV
    )
    lines = client.get(f"/jobs/{made.json()['id']}/result").content.splitlines()
    assert [line.rpartition(b",")[0] for line in lines] == [b"age,pclass,=note", *rows]
    assert {line.rpartition(b",")[2] for line in lines[1:]} <= {b"0", b"1"}


def _csv(header: bytes, rows: list[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in (header, *rows))


CALLS = [("GET", "/result"), ("GET", "/errors"), ("POST", "/retry"), ("POST", "/cancel")]


def asked(client: httpx.Client, id: str) -> dict[str, int]:
    """The status of each call that one may make of a job, but to delete it."""
    return {"GET ": client.get(f"/jobs/{id}").status_code} | {
        f"{method} {path}": client.request(method, f"/jobs/{id}{path}").status_code for method, path in CALLS
    }


def test_what_has_expired_or_was_deleted_says_so_for_as_long_as_it_was_kept(client: httpx.Client, stack: Stack) -> None:
    redis, kept = stack.redis, int(Settings.read().retention)
    row = client.post("/predict", json={"features": [25, 3]}, params={"wait": 60}).json()["job"]
    for id in (row, scored(client, content=ROW, headers=CSV)["id"]):
        assert redis.zadd(key("expiring"), {id: 0}, xx=True, ch=True) == 1, "its time is over"
        until(lambda id=id: client.get(f"/jobs/{id}").json()["status"] == "expired", "upkeep has seen it")
        gone = dict.fromkeys((f"{method} {path}" for method, path in CALLS), 410)
        assert asked(client, id) == gone | {"GET ": 200, "POST /cancel": 409}
        assert kept - 60 < redis.ttl(key("job", id)) <= kept
        until(lambda id=id: not any(id in file for file in stack.files()), "its files go")
        assert client.delete(f"/jobs/{id}").status_code == 204
        assert asked(client, id) == gone | {"GET ": 410, "POST /cancel": 410}
        assert 2 * kept - 60 < redis.ttl(key("job", id)) <= 2 * kept
        redis.delete(key("job", id))  # and that time is over, too
        assert asked(client, id) == dict.fromkeys(gone | {"GET ": 404}, 404)


def test_a_download_goes_on_when_its_gateway_was_killed_and_is_there_again(own_stack: Stack) -> None:
    """Returns thirty megabytes, which is more than the sockets in between buffer before anything is read."""
    rows = [b"%d,%s\n" % (number % 60, b"x" * 1_500) for number in range(20_000)]
    own_stack.environment["ROWCAST_CHUNK_ROWS"] = "2000"
    own_stack.keep_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker()

    class Fatal(io.BytesIO):
        """Kills the gateway when the first bytes have arrived."""

        def write(self, data: Buffer) -> int:
            if not self.tell():
                own_stack.supervised["gateway"].kill()
            return super().write(data)

    with Client(own_stack.url) as client:
        job = client.submit_csv(b"age,note\n" + b"".join(rows), model="fixed").wait(60)
        result = Fatal()
        job.download(result)
    lines = result.getvalue().splitlines(keepends=True)
    assert lines[1:] == [row[:-1] + b",%d\n" % (number % 60 > 30) for number, row in enumerate(rows)]
    assert '"status": 206' in own_stack.log("gateway"), "the rest was asked for"
    own_stack.audit()


def test_a_job_that_was_cancelled_gives_the_rows_that_are_done(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker(concurrency=1)
    sent, wanted = (b"".join(file.splitlines(keepends=True)[: 1 + 4 * 64]) for file in (AGES, WANTED))
    id = submit(http, "slow", sent)  # four chunks, and each takes a second
    until(lambda: http.get(f"/jobs/{id}").json()["progress"]["rows_done"], "a chunk is done")
    http.post(f"/jobs/{id}/cancel").raise_for_status()
    done = http.get(f"/jobs/{id}").json()["progress"]["rows_done"]
    assert http.get(f"/jobs/{id}/result").status_code == 409
    partial = http.get(f"/jobs/{id}/result", params={"partial": "true"})
    assert partial.status_code == 200
    assert partial.content == b"".join(WANTED.splitlines(keepends=True)[: done + 1])
    assert int(partial.headers["Content-Length"]) == len(partial.content)
    http.post(f"/jobs/{id}/retry").raise_for_status()
    assert wait(http, id)["status"] == "succeeded"
    assert http.get(f"/jobs/{id}/result").content == wanted
    whole = http.get(f"/jobs/{id}/result", params={"partial": "true"})
    assert whole.content == wanted
    assert whole.headers["ETag"] != partial.headers["ETag"]
