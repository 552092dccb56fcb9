"""Steps: what a call of the client needs from outside, one thing at a time.

A call is written once, as a generator that yields steps and is sent their results; `httpx.Auth.auth_flow` works in the
same way. `Transport` carries the steps out and blocks, `AsyncTransport` awaits them. Errors are raised in the generator
at its `yield`. So requests, answers and retries are decided in one place, and neither transport decides anything.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx

from rowcast.client.upload import Upload

Value = TypeVar("Value")


@dataclass(frozen=True)
class Send:
    """Sends one request and reads the whole response, which is the result of the step."""

    method: str
    url: str
    #: Query parameters; None leaves a query in `url` as it is.
    params: Mapping[str, str] | None
    #: The body.
    content: bytes | None
    headers: Mapping[str, str]
    timeout: httpx.Timeout


@dataclass(frozen=True)
class SendUpload:
    """Sends an upload as a stream and reads the whole response, which is the result of the step."""

    method: str
    url: str
    upload: Upload
    #: Number of bytes of the upload that are left out at its beginning.
    start: int
    params: Mapping[str, str]
    headers: Mapping[str, str]
    timeout: httpx.Timeout


@dataclass(frozen=True)
class Receive:
    """Makes a GET request and passes the body on in blocks, as they arrive. Its result is None."""

    url: str
    headers: Mapping[str, str]
    timeout: httpx.Timeout
    #: Called once with the response, before its body is read; that of an error has been read. May block.
    begin: Callable[[httpx.Response], None]
    #: Called with each block. May block.
    write: Callable[[bytes], None]
    #: Called after each block, never in another thread.
    wrote: Callable[[], None]
    #: Whether the URL is that of another server, to which the service has redirected. It never gets the API key.
    is_elsewhere: bool = False


@dataclass(frozen=True)
class Pause:
    """Waits. Its result is None."""

    seconds: float


@dataclass(frozen=True)
class Run:
    """Calls a function that may block, for example on a file. What the function returns is the result of the step."""

    function: Callable[[], Any]


Step = Send | SendUpload | Receive | Pause | Run
Steps = Generator[Step, Any, Value]


def run(function: Callable[..., Value], *arguments: Any) -> Steps[Value]:
    """Calls a function that may block. `AsyncTransport` calls it in a thread."""
    returned: Value = yield Run(partial(function, *arguments))
    return returned
