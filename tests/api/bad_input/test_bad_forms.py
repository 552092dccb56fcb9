"""Forms that are refused."""

import httpx
import pytest
from refusals import GOOD, refused


def form(http: httpx.Client, body: bytes, boundary: str = "b") -> httpx.Response:
    kind = f"multipart/form-data; boundary={boundary}" if boundary else "multipart/form-data"
    return http.post("/predict", content=body, headers={"Content-Type": kind})


def part(disposition: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


FILE = part('name="file"; filename="in.csv"', GOOD)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"nonsense", 400, "multipart"),
        (FILE, 400, "multipart"),
        (part('name="model"', b"titanic") + b"--b--\r\n", 422, "file"),
        (part('name="upload"; filename="in.csv"', GOOD) + b"--b--\r\n", 422, "called 'file'"),
        (FILE + part('name="output"', b"joined") + part('name="output"', b"joined") + b"--b--\r\n", 422, "once"),
        (FILE + part('name="model"', b"titanic") + part('name="model"', b"titanic") + b"--b--\r\n", 422, "twice"),
        (
            part('name="file"; filename="in.csv"', b"age,pclass\n" + b"25,3\n" * 2**21)
            + part('name="model"', b"titanic")
            + b"--b--\r\n",
            422,
            "options before the file",
        ),
        (FILE + FILE + b"--b--\r\n", 422, "file"),
        (part('name="model"', b"\xff") + FILE + b"--b--\r\n", 400, "UTF-8"),
        (part('name="model"', b"x" * 100_000) + FILE + b"--b--\r\n", 413, "form"),
        (part('name="nonsense"', b"1") + FILE + b"--b--\r\n", 422, "nonsense"),
        (part('name="file"; filename="in.csv.gz"', GOOD) + b"--b--\r\n", 400, "gzip"),
    ],
    ids=[
        "none",
        "cut",
        "no-file",
        "other-name",
        "option-twice",
        "model-twice",
        "option-late",
        "two-files",
        "not-utf8",
        "field-huge",
        "unknown",
        "gz-none",
    ],
)
def test_a_form_that_does_not_fit_is_refused(http: httpx.Client, body: bytes, status: int, word: str) -> None:
    refused(form(http, body), status, word)


def test_a_form_without_a_boundary_is_refused(http: httpx.Client) -> None:
    refused(form(http, FILE + b"--b--\r\n", boundary=""), 400, "boundary")
