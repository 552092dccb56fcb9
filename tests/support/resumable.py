"""What tests of resumable uploads share: the calls, and a file that is hard to cut."""

import socket
from contextlib import closing

import httpx
from programs import Stack

LINES = [
    b'%d,%d,"Zo\xc3\xab ""the"" %d,\r\nof M\xc3\xbcnchen \xf0\x9f\x9a\xa2"\r\n' % (number % 80, number % 3 + 1, number)
    for number in range(3_000)
]
CSV = b"age,pclass,name\r\n" + b"".join(LINES)
"""Quoted line ends, quotes in quotes, characters of two and four bytes."""

NAMED = {"Content-Type": "text/csv", "Content-Disposition": 'attachment; filename="ship.csv"'}


def create(http: httpx.Client, headers: dict[str, str] | None = None, **options: str) -> str:
    """Returns the path of a new upload."""
    response = http.post("/uploads", params=options, headers={**NAMED, **(headers or {})})
    assert response.status_code == 201, response.text
    assert response.headers["Upload-Offset"] == "0"
    return response.headers["Location"]


def append(http: httpx.Client, path: str, offset: int, data: bytes, *, last: bool = False) -> httpx.Response:
    headers = {"Upload-Offset": str(offset), "Upload-Complete": "?1" if last else "?0"}
    return http.patch(path, content=data, headers=headers)


def send(http: httpx.Client, path: str, data: bytes, cuts: list[int]) -> httpx.Response:
    """Sends a file in pieces that end at `cuts`, and returns the answer to the last."""
    start = 0
    for stop in cuts:
        response = append(http, path, start, data[start:stop])
        assert (response.status_code, response.headers["Upload-Offset"]) == (204, str(stop)), response.text
        start = stop
    return append(http, path, start, data[start:], last=True)


def offset_of(http: httpx.Client, path: str) -> int:
    response = http.head(path)
    assert response.status_code == 204, response.status_code
    return int(response.headers["Upload-Offset"])


def begin(stack: Stack, path: str, offset: int, length: int, data: bytes) -> socket.socket:
    """Begins a PATCH of `length` bytes on a connection, sends only `data`, and leaves the connection open."""
    connection = socket.create_connection(("127.0.0.1", stack.port), timeout=60)
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        f"Upload-Offset: {offset}\r\nUpload-Complete: ?1\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


def read_all(connection: socket.socket) -> bytes:
    with closing(connection):
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    return answer
