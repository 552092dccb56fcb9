"""Clients that mean harm, over bare sockets: none gets a 5xx, or holds the others up, or smuggles a request in."""

import json
import re
import socket
from contextlib import ExitStack

import httpx
import psutil
import pytest
from programs import Stack, http_client

BODY = b'{"features": [25, 3]}'
SOON_SECONDS = 5
"""No caller waits longer than this because another one is slow."""


def send(gateway: Stack, data: bytes) -> bytes:
    """Sends bytes as they are, and reads until the gateway closes or has sent everything."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while block := connection.recv(65536):
                answer += block
        except OSError:  # the gateway has closed already
            return b""
        return answer


def request(*lines: bytes, body: bytes = BODY, start: bytes = b"POST /predict HTTP/1.1") -> bytes:
    head = [start, b"Host: x", b"Content-Type: application/json", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def workers(gateway: Stack) -> list[int]:
    """Returns the ids of the serving processes. If one dies, gunicorn's first process starts another."""
    return [child.pid for child in psutil.Process(gateway.processes["gateway"].pid).children()]


def ids(http: httpx.Client) -> set[str]:
    return {job["id"] for job in http.get("/jobs", params={"limit": 200}).json()["jobs"]}


LENGTH = b"Content-Length: %d" % len(BODY)
AMBIGUOUS = {
    "no length": request(),
    "two lengths": request(LENGTH, b"Content-Length: 5"),
    "the same length twice": request(LENGTH, LENGTH),
    "negative length": request(b"Content-Length: -5"),
    "length with plus": request(b"Content-Length: +21"),
    "length in hex": request(b"Content-Length: 0x15"),
    "length and chunks": request(LENGTH, b"Transfer-Encoding: chunked"),
    "chunked twice": request(b"Transfer-Encoding: chunked, chunked"),
    "unknown coding": request(b"Transfer-Encoding: chunked, x"),
    "coding with a tab": request(b"Transfer-Encoding:\tchunked\x0b"),
    "blank before colon": request(b"Content-Length : 21"),
    "folded header": request(LENGTH, b"X-A: b", b" c"),
    "bare line feed in a header": request(LENGTH, b"X-A: b\nX-C: d"),
    "bare carriage return in a header": request(LENGTH, b"X-A: b\rX-C: d"),
    "nul in a header": request(LENGTH, b"X-A: \x00"),
    "header without name": request(LENGTH, b": x"),
    "no colon": request(LENGTH, b"nonsense"),
    "bad chunk size": request(b"Transfer-Encoding: chunked", body=b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "huge chunk size": request(b"Transfer-Encoding: chunked", body=b"f" * 40 + b"\r\n" + BODY),
    "negative chunk size": request(b"Transfer-Encoding: chunked", body=b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunks that break off": request(b"Transfer-Encoding: chunked", body=b"15\r\n" + BODY),
    "body shorter than its length": request(b"Content-Length: 100"),
    "long request line": request(LENGTH, start=b"POST /" + b"a" * 100_000 + b" HTTP/1.1"),
    "long header": request(LENGTH, b"X-A: " + b"b" * 100_000),
    "many headers": request(LENGTH, *(b"X-%d: a" % number for number in range(1000))),
    "no version": request(LENGTH, start=b"POST /predict"),
    "unknown version": request(LENGTH, start=b"POST /predict HTTP/9.9"),
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 50,
}

UNHEARD = {"long request line", "long header", "many headers", "no request at all"}
"""The gateway closes while more arrives, and the kernel may drop its answer; or not one line came to answer."""


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(gateway: Stack, http: httpx.Client, name: str) -> None:
    before, serving = ids(http), workers(gateway)
    answer = send(gateway, AMBIGUOUS[name])
    # A coding that a server does not know is 501: RFC 9112 section 6.1.
    assert statuses(answer) or name in UNHEARD, "it says why"
    assert all(400 <= status < 500 or (status, name) == (501, "unknown coding") for status in statuses(answer)), answer
    assert b"Traceback" not in answer
    if b"\r\n\r\n" in answer:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == statuses(answer)[0]
    assert ids(http) == before, "nothing was taken"
    assert workers(gateway) == serving, "no process of the gateway has died of it"


def test_a_refused_body_is_never_read_as_a_request(gateway: Stack) -> None:
    body = b"{nonsense DELETE /jobs/00000000-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\n\r\n"
    length = b"Content-Length: %d" % len(body)
    chunked = b"Transfer-Encoding: chunked"
    for start, line in (
        (b"/predict", length),
        (b"/predict?x=1", length),
        (b"/nowhere", length),
        (b"/predict", chunked),
    ):
        sent = request(line, body=body, start=b"POST %s HTTP/1.1" % start).replace(b"application/json", b"text/odd")
        as_json = request(line, body=body, start=b"POST %s HTTP/1.1" % start)
        for message in (sent, as_json):
            (status,) = statuses(send(gateway, message))
            assert 400 <= status < 500


@pytest.mark.parametrize(
    ("beyond", "then"), [(b"40,1\n50,2\n", 400), (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200)]
)
def test_what_comes_after_the_declared_length_is_no_row(
    gateway: Stack, http: httpx.Client, beyond: bytes, then: int
) -> None:
    body = b"age,pclass\n25,3\n"
    head = request(b"Content-Length: %d" % len(body), body=body).replace(b"application/json", b"text/csv")
    before = ids(http)
    answer = send(gateway, head + beyond)
    assert statuses(answer) == [202, then], answer
    (id,) = ids(http) - before
    job = http.get(f"/jobs/{id}").json()
    assert (job["progress"]["rows_total"], job["input"]["bytes"]) == (1, len(body))
    http.delete(f"/jobs/{id}")


def test_header_values_are_never_repeated_raw(gateway: Stack) -> None:
    odd = 'a\\"; x="../../é\u202e.csv'.encode()
    for name in (b"X-Request-ID", b"Idempotency-Key", b"Prefer", b"Accept", b"Content-Disposition"):
        answer = send(gateway, request(LENGTH, name + b": " + odd, b"Connection: close"))
        assert all(status < 500 for status in statuses(answer)), answer
        assert odd not in answer.partition(b"\r\n\r\n")[0]


IDS = [
    "../x",
    "..%2f..%2fetc",
    "%2e%2e",
    "%00",
    "a%0d%0aX-Evil:%201",
    "%5c..%5c",
    "a" * 3000,
    "%ff%fe",
    "*",
    "[a]",
    "{id}",
]


@pytest.mark.parametrize("odd", IDS)
def test_odd_names_in_paths_are_not_found(gateway: Stack, odd: str) -> None:
    for path in ("/jobs/%s", "/jobs/%s/result", "/models/%s", "/models/titanic/versions/%s", "/%s"):
        answer = send(gateway, f"GET {path % odd} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert statuses(answer) in ([404], [400], [405]), answer
        assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]
    for model in (odd, f"titanic@{odd}"):
        query = f"POST /predict?model={model} HTTP/1.1".encode()
        answer = send(gateway, request(LENGTH, b"Connection: close", start=query))
        assert statuses(answer) in ([404], [422], [400]), answer


@pytest.mark.parametrize(
    "filename", ["../../etc/passwd", "a\\..\\b.csv", "x" * 5000, "\u202egnp.csv", "a;b=c.csv", ".", ""]
)
def test_a_file_name_goes_nowhere_but_into_the_record(gateway: Stack, http: httpx.Client, filename: str) -> None:
    files = {"file": (filename, b"age,pclass\n25,3\n", "text/csv")}
    answer = http.post("/predict", files=files)
    assert answer.status_code in (202, 422), answer.text
    if answer.status_code == 202:
        id = answer.json()["id"]
        assert all(file.startswith(f"jobs/{id}/") for file in gateway.files() if id in file)
        assert not [file for file in gateway.files() if "passwd" in file]
        http.delete(f"/jobs/{id}")


def test_a_log_line_stays_one_line_and_holds_no_secret(gateway: Stack, http: httpx.Client) -> None:
    before = len(gateway.log("gateway").splitlines())
    http.get("/jobs/a%0aFAKE%20line%1b[31m", headers={"Authorization": "Bearer top-secret-key"})
    http.get("/models/a%0d%0aFAKE", headers={"X-API-Key": "top-secret-key"})
    http.post("/predict?model=x%0aFAKE", json={"features": [1]}, headers={"User-Agent": "a\\nFAKE"})
    lines = gateway.log("gateway").splitlines()[before:]
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert "top-secret-key" not in gateway.log("gateway")
    assert "\x1b" not in gateway.log("gateway")


def test_a_hundred_slow_clients_hold_nobody_up(gateway: Stack) -> None:
    csv = request(b"Content-Length: 500", body=b"age,pclass\n" + b"25,3\n" * 58)
    slow = [  # what each sends, and where it begins to send byte by byte: in the head, or in the body
        (request(LENGTH), 0),
        (request(b"Content-Length: 500", body=b"a" * 300), -300),
        (csv.replace(b"application/json", b"text/csv"), -290),
    ]
    with ExitStack() as stack:
        http = stack.enter_context(http_client(gateway.url, timeout=SOON_SECONDS))
        before = ids(http)
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=20)) for _ in range(100)
        ]
        for step in range(12):
            for number, client in enumerate(clients):
                message, start = slow[number % len(slow)]
                start %= len(message)
                client.sendall(message[:start] if step == 0 else message[start + step - 1 : start + step])
            assert http.get("/health").status_code == 200
            answer = http.post("/predict", json={"features": [25, 3]})
            assert answer.status_code == 202
            file = http.post("/predict", content=b"age,pclass\n25,3\n", headers={"Content-Type": "text/csv"})
            assert file.status_code == 202
            for made in (answer, file):
                http.delete(f"/jobs/{made.json()['id']}")
        assert ids(http) == before
    assert httpx.get(f"{gateway.url}/health").status_code == 200
