"""CSV files that are refused: wrong headers, broken rows, broken compression, other content types."""

import gzip

import httpx
import pytest
from refusals import GOOD, csv, refused


@pytest.mark.parametrize(
    ("header", "where", "message"),
    [
        ("agee,pclass", "header.age", "'agee'"),
        ("AGE ,pclass", "header.age", "'AGE '"),
        ("pclass", "header.age", "missing"),
        ("agee;pclass", "header.age", "'agee'"),
    ],
)
def test_a_wrong_header_names_each_fault(http: httpx.Client, header: str, where: str, message: str) -> None:
    problem = refused(csv(http, f"{header}\n1,2\n".encode()), 422)
    assert [fault["where"] for fault in problem["errors"]] == [where]
    assert message in problem["errors"][0]["message"]


def test_every_missing_column_is_named(http: httpx.Client) -> None:
    problem = refused(csv(http, b"name,sex\n1,2\n"), 422)
    assert {fault["where"] for fault in problem["errors"]} == {"header.age", "header.pclass"}


def test_a_column_of_the_predictions_name_is_refused(http: httpx.Client) -> None:
    refused(csv(http, b"age,pclass,prediction\n1,2,3\n"), 422, "prediction")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 422, "empty"),
        (b"\xef\xbb\xbf", 422, "empty"),
        (b"\n\n\n", 422, "empty"),
        (b"age,pclass\n", 422, "no rows"),
        (b"age,pclass", 422, "no rows"),
        (b'age,pclass\n25,"3\n26,2\n', 422, "quote"),
        (b"age,pclass\n25,3\n\xff\xfe,3\n", 422, "16"),
        (b"age,pclass\n25,\x003\n", 422, "NUL"),
        (b"age,pclass\n" + b"1" * 70_000 + b",3\n", 413, "ROWCAST_MAX_ROW_BYTES"),
        (b"x" * 70_000, 413, "ROWCAST_MAX_ROW_BYTES"),
        (b"a," * 10_000 + b"age,pclass\n", 413, "ROWCAST_MAX_COLUMNS"),
        ("\ufeffage,pclass\n1,2\n".encode("utf-32"), 422, "UTF-32"),
    ],
    ids=[
        "empty",
        "bom-only",
        "blank-lines",
        "header-only",
        "header-without-end",
        "open-quote",
        "not-utf8",
        "nul",
        "giant-row",
        "giant-header",
        "many-columns",
        "utf32",
    ],
)
def test_a_file_that_is_no_csv_is_refused(http: httpx.Client, body: bytes, status: int, word: str) -> None:
    refused(csv(http, body), status, word)


def test_what_is_wrong_late_in_a_file_is_refused_with_all_that_was_stored_gone(http: httpx.Client) -> None:
    refused(csv(http, b"age,pclass\n" + b"25,3\n" * 5_000 + b'26,"3\n'), 422, "quote", "5001")
    refused(csv(http, b"age,pclass\n" + b"25,3\n" * 5_000 + b"26,\xff\n"), 422, str(11 + 5 * 5_000 + 3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"this is no gzip", ["not gzip"]),
        (gzip.compress(GOOD, mtime=0)[:-9], ["too early"]),
        (gzip.compress(GOOD, mtime=0) + b"trailing", ["not gzip"]),
        (b"", ["too early"]),
    ],
    ids=["garbage", "truncated", "trailing", "empty"],
)
def test_gzip_that_is_none_is_refused(http: httpx.Client, body: bytes, words: list[str]) -> None:
    response = http.post("/predict", content=body, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    refused(response, 400, *words)


def test_a_gzip_bomb_is_refused_before_it_has_gone_off(http: httpx.Client) -> None:
    bomb = gzip.compress(b"age,pclass\n" + b"25,3\n" * 20_000_000)
    assert len(bomb) < 1_000_000
    response = http.post("/predict", content=bomb, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    refused(response, 400, "grows more than")


def test_another_content_encoding_is_refused(http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": "br"}
    refused(http.post("/predict", content=GOOD, headers=headers), 415, "br")


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png"])
def test_another_content_type_is_refused_with_those_that_are_taken(http: httpx.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    refused(http.post("/predict", content=GOOD, headers=headers), 415, "text/csv", "application/json")
