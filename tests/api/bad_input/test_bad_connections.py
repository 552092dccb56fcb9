"""Requests that break off, or are not valid HTTP."""

import json
import socket

import pytest


def talk(gateway, request: bytes, *, then_close: bool = True) -> bytes:
    """Sends raw bytes, closes the sending side, and reads what comes back."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(request)
        if then_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    return answer


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000000\r\n\r\n%s", b"Transfer-Encoding: chunked\r\n\r\n9\r\n%s\r\n"]
)
def test_a_wrong_header_is_refused_though_the_client_sends_no_more(gateway, framing: bytes) -> None:
    answer = talk(gateway, HEAD + framing % b"a,pclass\n", then_close=False)
    assert b" 422 " in answer.split(b"\r\n", 1)[0]
    assert b"'age' is missing" in answer


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing(gateway) -> None:
    rows = b"age,pclass\n" + b"25,3\n" * 10_000
    answer = talk(gateway, HEAD + b"Content-Length: 1000000\r\n\r\n" + rows)
    assert b" 400 " in answer.split(b"\r\n", 1)[0]
    assert b"broke off" in answer
    answer = talk(gateway, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(rows), rows))
    assert b" 400 " in answer.split(b"\r\n", 1)[0]


def test_a_chunked_body_with_a_broken_chunk_is_refused(gateway) -> None:
    answer = talk(gateway, HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nage,p\r\nZZ\r\n")
    assert b" 400 " in answer.split(b"\r\n", 1)[0]


def test_nonsense_instead_of_http_is_answered_with_a_problem_not_a_page(gateway) -> None:
    answer = talk(gateway, b"NONSENSE\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 400


def test_a_wrong_header_is_refused_while_its_gigabytes_are_still_to_come(gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\nagee,pclass\n" + b"25,3\n" * 1_000)
        answer = connection.recv(65_536)
    assert b" 422 " in answer.split(b"\r\n", 1)[0]
    assert b"Connection: close" in answer


def test_a_body_over_the_limit_is_refused_before_it_is_sent(gateway) -> None:
    answer = talk(gateway, HEAD + b"Content-Length: 99999999999999\r\n\r\n", then_close=False)
    assert b" 413 " in answer.split(b"\r\n", 1)[0]
