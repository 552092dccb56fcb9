"""The calls of resumable uploads, on a gateway without workers."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable

import httpx
import pytest
from programs import Stack, http_client, until
from resumable import CSV, append, begin, create, offset_of, read_all, send

from rowcast import api_keys
from rowcast.api_keys import Role
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, UploadField


def type_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:rowcast:problem:")


def input_of(stack: Stack, id: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((stack.store / "jobs" / id / "input").iterdir())]


def stored_of(stack: Stack, path: str) -> int:
    """Returns how much is stored, without the effect of HEAD, which ends other requests."""
    return int(stack.redis.hget(key("upload", path.rsplit("/", 1)[1]), UploadField.OFFSET) or 0)


def assert_nothing_is_left(stack: Stack, path: str) -> None:
    id = path.rsplit("/", 1)[1]
    assert not [name for name in stack.files() if id in name]
    assert not stack.redis.exists(key("segments", id), key("job", id))


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ship.csv", data)
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped], ids=["plain", "gzip", "zip"])
def test_pieces_make_the_same_job_as_one_body(
    http: httpx.Client, gateway: Stack, pack: Callable[[bytes], bytes]
) -> None:
    data, options = pack(CSV), {"tags": "run:1", "output": "predictions", "key": "name"}
    cuts = [1, 2, 40, len(data) // 3, len(data) // 3 + 1, len(data) // 2, len(data) - 1, len(data)]
    sent = send(http, create(http, **options), data, cuts)
    assert (sent.status_code, sent.headers["Upload-Complete"]) == (202, "?1"), sent.text
    posted = http.post("/predict", params=options, content=data, headers={"Content-Type": "text/csv"}).json()
    job = sent.json()
    assert job["input"]["sha256"] == hashlib.sha256(CSV).hexdigest() == posted["input"]["sha256"]
    assert job["input"]["filename"] == "ship.csv"
    assert (job["options"], job["tags"], job["progress"]) == (posted["options"], posted["tags"], posted["progress"])
    assert input_of(gateway, job["id"]) == input_of(gateway, posted["id"])
    assert not [name for name in gateway.files() if f"{job['id']}/upload" in name], "the segments are gone"
    assert http.delete(f"/jobs/{job['id']}").status_code == 204


def test_chunks_are_there_before_the_file_is(http: httpx.Client, gateway: Stack) -> None:
    path = create(http)
    append(http, path, 0, CSV[:-1])
    id = path.rsplit("/", 1)[1]
    assert int(gateway.redis.hget(key("job", id), JobField.CHUNKS) or 0) == 2
    assert http.get(f"/jobs/{id}").status_code == 404
    gateway.audit()
    assert http.delete(path).status_code == 204
    assert_nothing_is_left(gateway, path)


def test_a_lost_answer_is_given_once_more(http: httpx.Client) -> None:
    path = create(http)
    first = append(http, path, 0, CSV, last=True)
    for offset, data in ((0, CSV), (len(CSV), b"")):
        again = append(http, path, offset, data, last=True)
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert again.headers["Location"] == f"/jobs/{first.json()['id']}"
    head = http.head(path).headers
    assert (head["Upload-Offset"], head["Upload-Complete"]) == (str(len(CSV)), "?1")
    assert type_of(append(http, path, len(CSV), b"more")) == (409, "upload-complete")
    assert type_of(http.delete(path)) == (409, "upload-complete")
    assert http.delete(f"/jobs/{first.json()['id']}").status_code == 204
    assert type_of(append(http, path, 0, CSV, last=True)) == (410, "job-deleted")


def test_a_wrong_offset_gets_the_right_one(http: httpx.Client) -> None:
    path = create(http)
    append(http, path, 0, CSV[:100])
    for offset in (0, 99, 101):
        response = append(http, path, offset, CSV[offset : offset + 1000])
        assert (type_of(response), response.headers["Upload-Offset"]) == ((409, "wrong-offset"), "100")
    assert offset_of(http, path) == 100
    http.delete(path)


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({}, "Upload-Offset: is missing"),
        ({"Upload-Offset": "-1"}, "Upload-Offset: must be"),
        ({"Upload-Offset": "0", "Upload-Complete": "1"}, "Upload-Complete: must be"),
        ({"Upload-Offset": "0", "Content-Encoding": "gzip"}, "Content-Encoding belongs to"),
    ],
)
def test_a_header_that_is_wrong_is_named_and_changes_nothing(
    http: httpx.Client, headers: dict[str, str], where: str
) -> None:
    path = create(http)
    response = http.patch(path, content=b"age,pclass\n", headers=headers)
    assert response.status_code in (415, 422)
    assert response.json()["detail"].startswith(where)
    assert offset_of(http, path) == 0
    http.delete(path)


@pytest.mark.parametrize(
    ("query", "headers", "content", "wanted"),
    [
        ("model=nothing", {}, b"", (404, "unknown-model")),
        ("outptu=joined", {}, b"", (422, "unknown-option")),
        ("dry_run=true", {}, b"", (422, "option-unsuitable")),
        ("follow=true", {}, b"", (422, "option-unsuitable")),
        ("wait=3", {}, b"", (422, "option-unsuitable")),
        ("", {}, b"age,pclass\n", (422, "option-unsuitable")),
        ("", {"Content-Type": "application/json"}, b"", (415, "unsupported-type")),
        ("", {"Content-Encoding": "br"}, b"", (415, "unsupported-type")),
        ("", {"Upload-Length": "much"}, b"", (422, "option-value")),
        ("", {"Upload-Length": "99999999999999"}, b"", (413, "too-large")),
    ],
)
def test_what_cannot_become_a_job_is_not_created(
    http: httpx.Client, query: str, headers: dict[str, str], content: bytes, wanted: tuple[int, str]
) -> None:
    response = http.post(f"/uploads?{query}", headers={"Content-Type": "text/csv", **headers}, content=content)
    assert type_of(response) == wanted, response.text


def test_a_wrong_header_line_is_refused_with_the_piece_that_has_it(http: httpx.Client, gateway: Stack) -> None:
    path = create(http)
    assert append(http, path, 0, b"Age,pcl").status_code == 204
    response = append(http, path, 7, b"ass\n25,3\n")
    assert type_of(response) == (422, "missing-columns")
    assert_nothing_is_left(gateway, path)
    later = append(http, path, 16, b"25,3\n")
    assert type_of(later) == (410, "upload-gone")
    assert "was refused: The header lacks" in later.json()["detail"]
    assert http.head(path).status_code == 410


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", (422, "empty-file")),
        (b"age,pclass\n", (422, "empty-file")),
        (b'age,pclass\n25,"3\n', (422, "csv-syntax")),
        (b"age,pclass\n\xff,3\n", (422, "not-utf8")),
        (gzip.compress(CSV, mtime=0)[:-10], (400, "broken-compression")),
    ],
    ids=["empty", "header-only", "open-quote", "not-utf8", "cut-gzip"],
)
def test_a_broken_file_is_refused_at_its_end(
    http: httpx.Client, gateway: Stack, data: bytes, wanted: tuple[int, str]
) -> None:
    path = create(http)
    assert type_of(append(http, path, 0, data, last=True)) == wanted
    assert_nothing_is_left(gateway, path)


def test_the_length_that_was_announced_holds(http: httpx.Client, gateway: Stack) -> None:
    path = create(http, {"Upload-Length": str(len(CSV))})
    assert http.head(path).headers["Upload-Length"] == str(len(CSV))
    assert type_of(append(http, path, 0, CSV[:-1], last=True)) == (400, "body-cut-short")
    assert append(http, path, len(CSV) - 1, CSV[-1:], last=True).status_code == 202
    path = create(http, {"Upload-Length": "10"})
    assert type_of(append(http, path, 0, CSV)) == (413, "too-large")
    assert_nothing_is_left(gateway, path)


def test_an_upload_that_never_was_is_unknown(http: httpx.Client) -> None:
    for path in ("/uploads/x", "/uploads/019a0000-0000-7000-8000-000000000000"):
        assert type_of(append(http, path, 0, b"")) == (404, "unknown-upload")
        assert type_of(http.delete(path)) == (404, "unknown-upload")
        assert http.head(path).status_code == 404


def test_the_same_idempotency_key_finds_the_job_of_an_earlier_request(http: httpx.Client, gateway: Stack) -> None:
    keyed = {"Idempotency-Key": "resumable-1"}
    first = send(http, create(http, keyed), CSV, [100]).json()
    path = create(http, keyed)
    again = append(http, path, 0, CSV, last=True)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert append(http, path, len(CSV), b"", last=True).json()["id"] == first["id"]
    assert_nothing_is_left(gateway, path)
    path = create(http, keyed)
    assert type_of(append(http, path, 0, CSV + b"1,2,x\r\n", last=True)) == (422, "idempotency-key-reused")
    assert_nothing_is_left(gateway, path)


def test_what_arrived_before_a_connection_broke_counts(http: httpx.Client, gateway: Stack) -> None:
    path, half = create(http), len(CSV) // 2
    with begin(gateway, path, 0, len(CSV), CSV[:half]):
        pass
    until(lambda: stored_of(gateway, path) == half, "the first half is stored")
    assert offset_of(http, path) == half
    assert append(http, path, half, CSV[half:], last=True).json()["input"]["bytes"] == len(CSV)


def test_a_newer_request_ends_the_one_that_is_silent(http: httpx.Client, gateway: Stack) -> None:
    path, half = create(http), len(CSV) // 2
    silent = begin(gateway, path, 0, len(CSV), CSV[:half])
    until(lambda: stored_of(gateway, path), "it has begun")
    stored = offset_of(http, path)
    assert 0 < stored <= half
    assert b" 409 " in read_all(silent).split(b"\r\n")[0]
    assert append(http, path, stored, CSV[stored:], last=True).json()["input"]["bytes"] == len(CSV)


def test_of_two_requests_at_a_time_one_goes_on(http: httpx.Client, gateway: Stack) -> None:
    path = create(http)
    both = [begin(gateway, path, 0, len(CSV), CSV) for _ in range(2)]
    answers = sorted(read_all(one).split(b" ")[1] for one in both)
    assert answers[0] in (b"202", b"409")
    stored = offset_of(http, path)
    assert append(http, path, stored, CSV[stored:], last=True).json()["input"]["bytes"] == len(CSV)


def test_a_full_queue_keeps_the_upload_for_later(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(ROWCAST_MAX_JOBS_PER_KEY="1")
    keys = stack.folder / "keys.txt"
    ann, bob = (api_keys.new(keys, name, Role.USER) for name in ("ann", "bob"))
    stack.environment["ROWCAST_API_KEYS_FILE"] = str(keys)
    stack.start_gateway()
    with (
        http_client(stack.url, headers={"X-API-Key": ann}) as http,
        http_client(stack.url, headers={"X-API-Key": bob}) as other,
    ):
        path = create(http)
        assert type_of(http.post("/uploads", headers={"Content-Type": "text/csv"})) == (503, "queue-full")
        create(other)
        assert type_of(append(other, path, 0, CSV)) == (404, "unknown-upload")
        assert type_of(other.delete(path)) == (404, "unknown-upload")
        assert other.head(path).status_code == 404
        job = http.post("/predict", json={"features": [25, 3]}).json()
        full = append(http, path, 0, CSV, last=True)
        assert (type_of(full), full.headers["Retry-After"]) == ((503, "queue-full"), "10")
        stack.audit()
        http.post(f"/jobs/{job['id']}/cancel")
        made = append(http, path, len(CSV), b"", last=True)
        assert (made.status_code, made.json()["input"]["sha256"]) == (202, hashlib.sha256(CSV).hexdigest())
    stack.audit()
    stack.stop_all()
