"""Rows that trickle in: each is answered before the next is sent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from programs import Stack, until

from rowcast.errors import EveryRowBad

HEAD = b"POST /predict?follow=true HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


class Sender:
    """A client that sends pieces of a body and reads the answer meanwhile."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.answer = b""

    def send(self, piece: bytes) -> None:
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def read_until(self, word: bytes) -> None:
        while word not in self.answer:
            block = self._connection.recv(65_536)
            assert block, self.answer
            self.answer += block

    def read_to_the_end(self) -> bytes:
        while block := self._connection.recv(65_536):
            self.answer += block
        return self.answer


@contextmanager
def sending(stack: Stack) -> Iterator[Sender]:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        connection.sendall(HEAD)
        yield Sender(connection)


def test_each_row_is_answered_before_the_next_is_sent(stack: Stack, client: httpx.Client) -> None:
    with sending(stack) as sender:
        sender.send(b"pclass;id;age\n")
        sender.read_until(b"pclass;id;age;prediction\n")
        for number in range(3):
            sender.send(b"3;%d;25\n3;" % number if not number else b"%d;25\n3;" % number)
            sender.read_until(b"3;%d;25;0\n" % number)
        sender.send(b"last;25\n;;\n")
        sender.send(b"")
        answer = sender.read_to_the_end()
    assert b"3;last;25;0\n" in answer
    assert answer.endswith(b";;;\n\r\n0\r\n\r\n")
    location = answer.split(b"Location: ")[1].split(b"\r\n")[0].decode()
    job = client.get(location, params={"wait": 30}).json()
    assert (job["status"], job["progress"]["rows_total"], job["input"]["delimiter"]) == ("succeeded", 4, ";")


@pytest.mark.parametrize("broken", [b"\xff;1;25\n", None], ids=["not-text", "hangs-up"])
def test_an_upload_that_ends_badly_leaves_nothing(stack: Stack, client: httpx.Client, broken: bytes | None) -> None:
    with sending(stack) as sender:
        sender.send(b"pclass;id;age\n3;1;25\n")
        sender.read_until(b"3;1;25;0\n")
        id = sender.answer.split(b"Location: /jobs/")[1].split(b"\r\n")[0].decode()
        if broken:
            sender.send(broken)
            assert not sender.read_to_the_end().endswith(b"0\r\n\r\n")
    until(lambda: not [name for name in stack.files() if id in name], "its files are gone")
    assert client.get(f"/jobs/{id}").status_code in (404, 410)


def test_an_upload_whose_every_row_is_bad_is_cut_short_as_its_job_fails(stack: Stack, client: httpx.Client) -> None:
    with sending(stack) as sender:
        sender.send(b"age,pclass\nx,3\n")
        sender.read_until(b"x,3,\n")
        sender.send(b"y,3\n")
        sender.send(b"")
        answer = sender.read_to_the_end()
    assert b"y,3,\n" in answer
    assert not answer.endswith(b"0\r\n\r\n"), "its end would say that all went well"
    id = answer.split(b"Location: /jobs/")[1].split(b"\r\n")[0].decode()
    job = client.get(f"/jobs/{id}").json()
    assert (job["status"], job["error"]["type"]) == ("failed", EveryRowBad.problem_type())
    assert client.get(f"/jobs/{id}/result").status_code == 409


def test_a_sender_that_never_pauses_is_refused_for_its_last_row_too(client: httpx.Client) -> None:
    rows = b"age,pclass\n" + b"25,3\n" * 100_000
    refused = client.post("/predict?follow=true", content=rows + b"\xff,3\n")
    assert refused.status_code == 422
    assert "row 100001" in refused.json()["detail"]
    taken = client.post("/predict?follow=true", content=rows)
    assert taken.content == b"age,pclass,prediction\n" + b"25,3,0\n" * 100_000
