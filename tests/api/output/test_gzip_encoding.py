"""Results are sent as gzip if the caller asks for it, whole or while they are made."""

import socket
import zlib
from collections.abc import Iterator

import httpx
import pytest
from programs import ROOT, Stack, http_client
from scored import submit, wait

TITANIC = (ROOT / "training" / "data" / "titanic.csv").read_bytes()
GZIP, IDENTITY = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


@pytest.fixture
def result(client: httpx.Client) -> str:
    """The path of the result of a job that has succeeded."""
    id = submit(client, "titanic", TITANIC)
    assert wait(client, id)["status"] == "succeeded"
    return f"/jobs/{id}/result"


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_gzipped_result_has_the_same_bytes(client: httpx.Client, result: str, form: str) -> None:
    plain = client.get(result, params={"format": form}, headers=IDENTITY)
    packed = client.get(result, params={"format": form}, headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert packed.content == plain.content  # httpx unpacks it
    assert packed.num_bytes_downloaded < len(plain.content) / 2
    for answer in (plain, packed):
        assert {name.strip() for name in answer.headers["Vary"].split(",")} >= {"Accept", "Accept-Encoding"}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("br, gzip;q=0.8", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("br", None),
        ("", None),
    ],
)
def test_gzip_is_sent_only_if_preferred(client: httpx.Client, result: str, accepted: str, encoding: str | None) -> None:
    answer = client.get(result, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert ("Content-Length" in answer.headers) is (encoding is None)


def test_the_two_forms_have_different_tags(client: httpx.Client, result: str) -> None:
    plain, packed = client.get(result, headers=IDENTITY), client.get(result, headers=GZIP)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    same = client.get(result, headers=GZIP | {"If-None-Match": packed.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    other = client.get(result, headers=GZIP | {"If-None-Match": plain.headers["ETag"]})
    assert (other.status_code, other.content) == (200, plain.content)


def test_a_range_is_one_of_the_plain_bytes(client: httpx.Client, result: str) -> None:
    plain, packed = client.get(result, headers=IDENTITY), client.get(result, headers=GZIP)
    assert packed.headers["Accept-Ranges"] == "none"
    some = client.get(result, headers=GZIP | {"Range": "bytes=5-9"})
    assert (some.status_code, some.content) == (206, plain.content[5:10])
    assert "Content-Encoding" not in some.headers
    mixed = client.get(result, headers=GZIP | {"Range": "bytes=5-9", "If-Range": packed.headers["ETag"]})
    assert (mixed.status_code, mixed.content) == (200, plain.content)


def test_head_has_the_headers_of_a_gzipped_result(client: httpx.Client, result: str) -> None:
    head, whole = client.head(result, headers=GZIP), client.get(result, headers=GZIP)
    for name in ("ETag", "Content-Encoding", "Content-Type", "Content-Disposition"):
        assert head.headers[name] == whole.headers[name]
    assert head.content == b""


def test_rows_of_a_followed_gzip_can_be_unpacked_at_once(stack: Stack) -> None:
    """The request's body is not complete when the first prediction has to be readable."""
    host, port = stack.url.removeprefix("http://").split(":")
    rows = b"age,pclass\n25,3\n"
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /predict?follow=true&model=titanic HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\n"
            b"Accept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(rows), rows)
        )
        received, seen = b"", b""
        while seen.count(b"\n") < 2:
            received += (block := connection.recv(65536))
            assert block, received
            seen = unpacked(received)
        assert seen.startswith(b"age,pclass,prediction\n25,3,")
        connection.sendall(b"5\r\n40,1\n\r\n0\r\n\r\n")
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += (block := connection.recv(65536))
            assert block, received
    assert unpacked(received).count(b"\n") == 3


def unpacked(received: bytes) -> bytes:
    """Returns what can be unpacked of a response of which some has arrived."""
    head, _, rest = received.partition(b"\r\n\r\n")
    if b"\r\n\r\n" not in received:
        return b""
    assert b"content-encoding: gzip" in head.lower(), head
    body = b""
    while b"\r\n" in rest:
        length, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(length, 16)], rest[int(length, 16) + 2 :]
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body)
