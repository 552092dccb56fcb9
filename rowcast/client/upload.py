"""An upload: a file, bytes or a stream as blocks to send, and the watch for an answer that comes early.

A gateway refuses a wrong file as soon as it has read its header line, and closes. A sender that looks only at its own
writes would report a broken pipe, or go on sending gigabytes to nobody.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpcore

from rowcast.client.errors import WrongUse

BLOCK_BYTES = 256 * 1024

Source = str | os.PathLike[str] | bytes | BinaryIO
OnBytes = Callable[[int, int | None], None]
"""Told how many bytes have gone by, and how many there are in all where that is known."""


class EarlyResponse:
    """Looks whether the service has answered although the body is still being sent.

    On a plain connection an answer makes the socket readable. Under TLS it need not mean that (session tickets come
    at any time), so there the sender finds out by its next write, which httpcore forgives and then reads the answer.
    """

    def __init__(self) -> None:
        self._stream: Any = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Httpcore's trace hook: takes note of the new connection."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event == "connection.start_tls.started":
            self._stream = None

    def answered(self) -> bool:
        """Whether something has come back."""
        return self._stream is not None and bool(self._stream.get_extra_info("is_readable"))


class Upload:
    """What is to be sent. `length_bytes` is None for a stream of unknown length, which is sent in HTTP chunks."""

    def __init__(self, source: Source, on_progress: OnBytes | None = None) -> None:
        self._on_progress = on_progress or (lambda done, total: None)
        self._start = 0
        self.name: str | None = None
        self.length_bytes: int | None = None
        if isinstance(source, str) and source == "-":
            source = sys.stdin.buffer
        self._source = source
        if isinstance(source, bytes):
            self.length_bytes, self.repeatable = len(source), True
        elif isinstance(source, str | os.PathLike):
            self._measure_path(Path(source))
        else:
            self._measure_stream(source)

    @property
    def headers(self) -> dict[str, str]:
        """Those that describe the body. A name that ends in `.gz` says that the bytes are gzip."""
        headers = {"Content-Type": "text/csv"}
        if self.length_bytes is not None:
            headers["Content-Length"] = str(self.length_bytes)
        if self.name:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(self.name)}"
            if self.name.lower().endswith(".gz"):
                headers["Content-Encoding"] = "gzip"
        return headers

    def watch(self) -> EarlyResponse:
        """A watch for one try."""
        return EarlyResponse()

    def blocks(self, watch: EarlyResponse) -> Iterator[bytes]:
        """The body from its start.

        Raises:
            httpcore.WriteError: the service has answered already; httpcore then stops sending and reads the answer.
        """
        done = 0
        for block in self._blocks():
            if watch.answered():
                raise httpcore.WriteError("The service answered before the body had ended.")
            yield block
            done += len(block)
            self._on_progress(done, self.length_bytes)

    def _measure_path(self, path: Path) -> None:
        self.name = path.name
        try:
            regular = path.is_file()
            with path.open("rb") as file:  # a file that cannot be read is told before anything is sent
                self.length_bytes = os.fstat(file.fileno()).st_size if regular else None
        except OSError as error:
            raise WrongUse(f"{path} cannot be read: {error.strerror}") from error
        self.repeatable = regular

    def _measure_stream(self, stream: BinaryIO) -> None:
        if not isinstance(stream.read(0), bytes):
            raise WrongUse("The file was opened as text; open it in binary mode ('rb').")
        name = getattr(stream, "name", None)
        self.name = Path(name).name if isinstance(name, str) and not name.startswith("<") else None
        try:
            self._start = stream.tell()
            self.length_bytes = stream.seek(0, os.SEEK_END) - self._start
            stream.seek(self._start)
            self.repeatable = True
        except (OSError, AttributeError):  # a pipe
            self.length_bytes, self.repeatable = None, False

    def _blocks(self) -> Iterator[bytes]:
        if isinstance(self._source, bytes):
            for start in range(0, len(self._source), BLOCK_BYTES):
                yield self._source[start : start + BLOCK_BYTES]
        elif isinstance(self._source, str | os.PathLike):
            with Path(self._source).open("rb") as file:
                yield from self._read(file)
        else:
            if self.repeatable:
                self._source.seek(self._start)
            yield from self._read(self._source)

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        """No byte beyond the length that was promised, so that a file that still grows is sent as it was."""
        left = self.length_bytes if self.length_bytes is not None else sys.maxsize
        while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
        if self.length_bytes is not None and left:
            raise WrongUse(f"The file became {left} bytes shorter while it was sent.")
