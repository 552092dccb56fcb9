"""A client of a fake service."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import BinaryIO

import pytest
from fake_service import FakeService

from rowcast.client import Client
from rowcast.client.http.retries import Patience


@pytest.fixture
def service() -> Iterator[FakeService]:
    server = FakeService()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(service: FakeService) -> Iterator[Client]:
    with Client(service.url, patience=Patience(seconds=5, first_contact_seconds=5)) as client:
        yield client


@pytest.fixture
def pipe_of() -> Iterator[Callable[[bytes], BinaryIO]]:
    """Makes pipes from which bytes can be read once."""
    with ExitStack() as at_end:

        def make(data: bytes) -> BinaryIO:
            reader, writer = os.pipe()

            def write() -> None:
                with os.fdopen(writer, "wb") as end, suppress(BrokenPipeError):
                    end.write(data)

            thread = threading.Thread(target=write)
            thread.start()
            at_end.callback(thread.join)
            return at_end.enter_context(os.fdopen(reader, "rb"))

        yield make
