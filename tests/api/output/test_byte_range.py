"""All forms of `Range` and of what goes with it: RFC 9110 §14, and the order of §13.2.2."""

import io
from collections.abc import Mapping

import pytest
from flask import Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.test import EnvironBuilder

from api.output.byte_range import partial_response

BODY = b"0123456789"
ETAG = '"the-job"'


def answer(headers: Mapping[str, str], method: str = "GET") -> Response:
    response = Response(io.BytesIO(BODY), direct_passthrough=True)
    response.content_length = len(BODY)
    response.set_etag("the-job")
    environ = EnvironBuilder(method=method, headers=dict(headers)).get_environ()
    return partial_response(response, environ, len(BODY))


def body_of(response: Response) -> bytes:
    response.direct_passthrough = False
    return response.get_data()


@pytest.mark.parametrize(
    ("range_value", "content", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-5", b"2345", "bytes 2-5/10"),
        ("bytes=2-9", b"23456789", "bytes 2-9/10"),
        ("bytes=2-10", b"23456789", "bytes 2-9/10"),
        ("bytes=2-" + "9" * 5000, b"23456789", "bytes 2-9/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=007-", b"789", "bytes 7-9/10"),
        ("bytes=0-", BODY, "bytes 0-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-10", BODY, "bytes 0-9/10"),
        ("bytes=-11", BODY, "bytes 0-9/10"),
        ("bytes=-" + "9" * 5000, BODY, "bytes 0-9/10"),
        ("Bytes=2-5", b"2345", "bytes 2-5/10"),
        ("bytes= 2-5 ", b"2345", "bytes 2-5/10"),
    ],
)
def test_one_range_is_answered_with_it(range_value: str, content: bytes, content_range: str) -> None:
    response = answer({"Range": range_value})
    assert response.status_code == 206
    assert response.headers["Content-Range"] == content_range
    assert response.headers["Content-Length"] == str(len(content))
    assert body_of(response) == content


@pytest.mark.parametrize(
    "range_value", ["bytes=10-", "bytes=10-20", "bytes=" + "9" * 5000 + "-", "bytes=-0", "bytes=-000"]
)
def test_a_range_that_begins_beyond_the_end_is_refused_with_the_length(range_value: str) -> None:
    with pytest.raises(RequestedRangeNotSatisfiable) as caught:
        answer({"Range": range_value})
    assert dict(caught.value.get_headers())["Content-Range"] == "bytes */10"


@pytest.mark.parametrize(
    "range_value",
    [
        "bytes=0-1,4-5", "bytes=0-1,-1", "bytes=0-1,", "rows=0-1", "bytes=abc", "bytes=-", "bytes=", "bytes", "0-1", "",
        "bytes=5-2", "bytes=+1-2", "bytes=--1", "bytes=1-2-3", "bytes=0x1-2", "bytes=1.5-2", "bytes=\u0661-\u0662",
        "bytes=1 - 2", "bytes 0-1",
    ],
)  # fmt: skip
def test_several_ranges_other_units_and_nonsense_are_ignored(range_value: str) -> None:
    response = answer({"Range": range_value.encode().decode("latin-1")})
    assert (response.status_code, body_of(response)) == (200, BODY)
    assert "Content-Range" not in response.headers


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (ETAG, 206),
        ('"another"', 200),
        (f"W/{ETAG}", 200),
        ("Wed, 25 Nov 2026 18:00:00 GMT", 200),
        ("nonsense", 200),
    ],
)
def test_if_range_gives_the_whole_unless_it_is_the_very_same_result(condition: str, status: int) -> None:
    response = answer({"Range": "bytes=2-5", "If-Range": condition})
    assert response.status_code == status
    assert body_of(response) == (b"2345" if status == 206 else BODY)


def test_if_range_without_a_range_says_nothing() -> None:
    assert answer({"If-Range": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": ETAG, "Range": "bytes=2-5"}, 304),
        ({"If-None-Match": '"another"', "Range": "bytes=2-5"}, 206),
        ({"If-Match": ETAG, "Range": "bytes=2-5"}, 206),
        ({"If-Match": '"another"', "Range": "bytes=2-5"}, 412),
        ({"If-None-Match": ETAG, "Range": "bytes=10-"}, 304),
    ],
)
def test_other_conditions_come_before_the_range(conditions: Mapping[str, str], status: int) -> None:
    assert answer(conditions).status_code == status


def test_the_head_of_the_whole_is_that_of_the_whole_whatever_range_is_named() -> None:
    response = answer({"Range": "bytes=2-5"}, method="HEAD")
    assert (response.status_code, response.headers["Content-Length"]) == (200, "10")


def test_ranges_are_announced() -> None:
    assert answer({}).headers["Accept-Ranges"] == answer({"Range": "bytes=0-1"}).headers["Accept-Ranges"] == "bytes"
