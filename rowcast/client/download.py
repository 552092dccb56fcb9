"""A download: a body written to a file or a stream, taken up again where the connection broke."""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import httpx
from tenacity import RetryCallState

from rowcast.client.errors import BrokenTransfer, Unreachable, WrongUse
from rowcast.client.retries import retried
from rowcast.client.transport import Transport

Target = str | os.PathLike[str] | BinaryIO


class Sink:
    """Where the bytes go. `rewind` is False for a pipe: what was written there cannot be taken back."""

    def __init__(self, file: BinaryIO, rewind: bool) -> None:
        self.file, self.rewind = file, rewind
        self.bytes = 0

    def write(self, block: bytes) -> None:
        """Appends."""
        self.file.write(block)
        self.bytes += len(block)

    def restart(self) -> None:
        """Forgets what was written.

        Raises:
            BrokenTransfer: that is not possible here.
        """
        if self.bytes and not self.rewind:
            raise BrokenTransfer("The download broke off and the service cannot go on where it stopped.")
        if self.bytes:
            self.file.seek(0)
            self.file.truncate()
            self.bytes = 0


@contextmanager
def opened(target: Target) -> Iterator[Sink]:
    """A sink for a path, `-` (standard output) or a binary file.

    A path's file appears whole or not at all: it is written under a temporary name beside it, and renamed at the end.

    Raises:
        WrongUse: there is no writing there; said at once, before anything is asked of the service.
    """
    if not isinstance(target, str | os.PathLike):
        yield Sink(target, rewind=False)
        return
    if target == "-":
        yield Sink(sys.stdout.buffer, rewind=False)
        sys.stdout.buffer.flush()
        return
    path = Path(os.path.realpath(target))
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise WrongUse(f"{target} is a folder")
            with path.open("wb") as device:  # /dev/null, a named pipe: there is nothing to rename
                yield Sink(device, rewind=False)
            return
        temporary = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex[:8]}.part")
        file = temporary.open("xb")
    except OSError as error:
        raise WrongUse(f"{target} cannot be written: {error.strerror}") from error
    try:
        with file:
            yield Sink(file, rewind=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def download(
    transport: Transport, path: str, sink: Sink, on_progress: Callable[[int, int | None], None] | None = None
) -> None:
    """Fetches `path` into `sink`. Each byte that arrives renews the patience for the next break."""
    Transfer(transport, path, sink, on_progress or (lambda done, total: None)).finish()


class Transfer:
    """One download over as many connections as it takes."""

    def __init__(
        self, transport: Transport, path: str, sink: Sink, on_progress: Callable[[int, int | None], None]
    ) -> None:
        self._transport, self._path, self._sink, self._on_progress = transport, path, sink, on_progress
        self._etag: str | None = None
        self._total: int | None = None
        self._is_whole = False
        self._last_byte_at = monotonic()

    def finish(self) -> None:
        """Fetches what is missing of a result that is complete, over as many connections as it takes."""
        if not self._is_whole:
            retried(lambda: self._go_on(self._path), self._patience_seconds)

    def follow(self) -> None:
        """Fetches what comes of a result that may still be in the making: one try, which may not get to its end."""
        self._go_on(f"{self._path}?follow=true")

    def _patience_seconds(self, _: RetryCallState) -> float:
        return self._transport.patience_seconds() - (monotonic() - self._last_byte_at)

    def _go_on(self, path: str) -> None:
        """Asks for what is missing; the whole, where the service cannot continue or the file is another by now."""
        if self._total is not None and self._sink.bytes == self._total:
            return
        headers = {"Accept-Encoding": "identity"}  # offsets count the file's bytes, not a compressed form's
        resumes = bool(self._sink.bytes and self._etag)
        if resumes:
            headers |= {"Range": f"bytes={self._sink.bytes}-", "If-Range": self._etag or ""}
        with self._transport.stream(path, headers) as answer:
            if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                self._begin(answer)
            elif not answer.headers.get("Content-Range", "").startswith(f"bytes {self._sink.bytes}-"):
                raise BrokenTransfer("The service did not send the range that it was asked for.")
            for block in answer.iter_bytes():  # as they come: what a larger block still gathers is lost in a break
                self._sink.write(block)
                self._last_byte_at = monotonic()
                self._on_progress(self._sink.bytes, self._total)
        if self._total is not None and self._sink.bytes != self._total:
            raise Unreachable(f"The download ended after {self._sink.bytes} of {self._total} bytes.")
        self._is_whole = True

    def _begin(self, answer: httpx.Response) -> None:
        self._sink.restart()
        encoded = "Content-Encoding" in answer.headers  # asked not to; then neither offset nor length holds
        etag, length = answer.headers.get("ETag"), answer.headers.get("Content-Length")
        # A weak tag does not promise the same bytes (RFC 9110 §13.1.5 forbids it in If-Range).
        self._etag = etag if etag and not etag.startswith("W/") and not encoded else None
        self._total = int(length) if length and not encoded else None
        self._last_byte_at = monotonic()
