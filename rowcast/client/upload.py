"""An upload: a file, bytes or a stream as blocks to send, and the detection of an early response.

The gateway refuses a wrong file as soon as it has read the header line, and closes the connection. A sender that only
writes would then report a broken pipe, or send gigabytes that are never read.
"""

import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpcore

from rowcast.client.errors import WrongUse
from rowcast.wording.quantity import counted

BLOCK_BYTES = 256 * 1024

_MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Content type of files that are not CSV, by the ending of their names."""

_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_NAME_AT = 30
"""Where the name of the first file begins in a zip."""

_WORKBOOK = (b"[Content_Types].xml", b"xl/", b"docProps/", b"_rels/")
"""How the name of the first file in a workbook begins."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
OnBytes = Callable[[int, int | None], None]
"""Called with the bytes transferred so far and the bytes in all; None if the total is unknown."""


class EarlyResponse:
    """Detects a response that arrives while the body is still being sent.

    On a plain connection a response makes the socket readable. Under TLS other data does that too, for example session
    tickets. There the next write fails; httpcore then reads the response.
    """

    def __init__(self) -> None:
        self._stream: Any = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Records the new connection; httpcore calls this as its trace hook."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event == "connection.start_tls.started":
            self._stream = None

    def refuse_if_answered(self) -> None:
        """Ends the body if the socket is readable.

        Raises:
            httpcore.WriteError: the service has already answered. httpcore stops sending and reads the response.
        """
        if self._stream is not None and self._stream.get_extra_info("is_readable"):
            raise httpcore.WriteError("The service answered before the body had ended.")


class Upload:
    """The body of an upload. `length_bytes` is None for a stream of unknown length, which is sent in HTTP chunks."""

    def __init__(self, source: Source, on_progress: OnBytes | None = None) -> None:
        self.on_progress = on_progress or (lambda done, total: None)
        self._start, self._own_pipe = 0, False
        self.name: str | None = None
        self.length_bytes: int | None = None
        if isinstance(source, str) and source == "-":
            source = sys.stdin.buffer
        if isinstance(source, bytearray | memoryview):
            source = bytes(source)
        self._source: str | os.PathLike[str] | bytes | BinaryIO = source
        if isinstance(source, bytes):
            self.length_bytes, self.repeatable = len(source), True
        elif isinstance(source, str | os.PathLike):
            self._measure_path(Path(source))
        elif hasattr(source, "read"):
            self._measure_stream(source)
        else:
            raise WrongUse(_not_a_source(source))

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request whose body is the whole file."""
        length = {} if self.length_bytes is None else {"Content-Length": str(self.length_bytes)}
        return {**self.file_headers, **length}

    @property
    def file_headers(self) -> dict[str, str]:
        """The headers that describe the file. Its name says whether it is gzip (`.gz`), Parquet or Excel (`.xlsx`)."""
        headers = {"Content-Type": _MEDIA_TYPES.get(self._ending, "text/csv")}
        if self.name:
            # A name that is not UTF-8 on disk is a text that cannot be encoded.
            name = self.name.encode(errors="surrogateescape").decode(errors="replace")
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
            if self.name.lower().endswith(".gz"):
                headers["Content-Encoding"] = "gzip"
        return headers

    def beginning(self, size: int, whole_size: int) -> tuple[bytes, dict[str, str]]:
        """Returns the first `size` bytes of the body, and the headers with which they are sent as such.

        `Content-Range` says that the body is the beginning of a longer file (RFC 9110 section 14.5). Of a Parquet file
        or a workbook, which nothing can read without its end, the whole is returned.

        Raises:
            WrongUse: such a file has more than `whole_size` bytes.
        """
        data, is_whole = bytearray(), False
        for block in self.read_blocks():
            is_whole = is_whole or (not data and self._has_no_beginning(block))
            data += block
            if len(data) > (whole_size if is_whole else size):
                break
        if is_whole:
            if len(data) > whole_size:
                raise WrongUse(
                    f"A check takes a Parquet file or a workbook of at most {whole_size:,} bytes, and this one is "
                    "larger. Send it without the check: a worker then reads its columns first, and the job fails with "
                    "the reason if they do not fit."
                )
            return bytes(data), {**self.headers, "Content-Length": str(len(data))}
        headers = {**self.headers, "Content-Length": str(min(len(data), size))}
        if len(data) > size:
            headers["Content-Range"] = f"bytes 0-{size - 1}/{'*' if self.length_bytes is None else self.length_bytes}"
        return bytes(data[:size]), headers

    @property
    def _ending(self) -> str:
        return Path((self.name or "").lower().removesuffix(".gz")).suffix

    def _has_no_beginning(self, first: bytes) -> bool:
        """Returns whether a file with this first block is a Parquet file or a workbook."""
        is_workbook = first.startswith(_ZIP) and first[_NAME_AT:].startswith(_WORKBOOK)
        return self._ending in _MEDIA_TYPES or first.startswith(_PARQUET) or is_workbook

    def watch(self) -> EarlyResponse:
        """Returns the detector of an early response for one attempt."""
        return EarlyResponse()

    def blocks(self, watch: EarlyResponse, start: int = 0) -> Iterator[bytes]:
        """Yields the body from the offset `start` on.

        Raises:
            httpcore.WriteError: the service has already answered. httpcore stops sending and reads the response.
            WrongUse: as `read_blocks`.
        """
        done = start
        for block in self.read_blocks(start):
            watch.refuse_if_answered()
            yield block
            done += len(block)
            self.on_progress(done, self.length_bytes)

    def _measure_path(self, path: Path) -> None:
        self.name = path.name
        try:
            regular = path.is_file()
            file = path.open("rb")  # fails before anything is sent if the file cannot be read
            if regular:
                with file:
                    stat = os.fstat(file.fileno())
                    self.length_bytes = stat.st_size
                    self._identity, self._changed_ns = (stat.st_dev, stat.st_ino), stat.st_mtime_ns
            else:  # a named pipe; its writer would not wait until it is opened again
                self._source, self._own_pipe = file, True
        except OSError as error:
            given = str(self._source)
            hint = "; pass the text of a file as bytes, text.encode()" if "\n" in given else ""
            raise WrongUse(f"{given or 'An empty path'} cannot be read: {error.strerror}{hint}") from error
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

    def read_blocks(self, begin: int = 0) -> Generator[bytes]:
        """Yields the body from the offset `begin` on, without a word to `on_progress`. Reading may block.

        Only a repeatable body has other offsets than 0.

        Raises:
            WrongUse: the file was replaced or changed or became shorter since the upload began.
        """
        if isinstance(self._source, bytes):
            for start in range(begin, len(self._source), BLOCK_BYTES):
                yield self._source[start : start + BLOCK_BYTES]
        elif isinstance(self._source, str | os.PathLike):
            with Path(self._source).open("rb") as file:
                if self.repeatable:
                    self._require_same_file(file)
                    file.seek(begin)
                yield from self._read(file, begin)
        else:
            if self.repeatable:
                self._source.seek(self._start + begin)
            try:
                yield from self._read(self._source, begin)
            finally:
                if self._own_pipe:
                    self._source.close()

    def _require_same_file(self, file: BinaryIO) -> None:
        """Refuses a file that was replaced: its end would be sent behind the beginning of another one."""
        stat = os.fstat(file.fileno())
        if (stat.st_dev, stat.st_ino) != self._identity:
            raise WrongUse(f"{file.name} was replaced while it was sent. Send it again.")

    def _read(self, file: BinaryIO, begin: int) -> Iterator[bytes]:
        """Yields blocks up to the announced length, so that a growing file is sent as it was at the start."""
        left = self.length_bytes - begin if self.length_bytes is not None else sys.maxsize
        while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            if not left:
                self._require_unchanged(file)
            yield block
        if self.length_bytes is not None and left:
            raise WrongUse(f"The file became {counted(left, 'byte')} shorter while it was sent.")

    def _require_unchanged(self, file: BinaryIO) -> None:
        """Refuses a file at a path that was overwritten, before its last block makes a job of a mixture of both.

        A file that became longer is taken as one to which rows were appended.
        """
        if not isinstance(self._source, str | os.PathLike):
            return
        stat = os.fstat(file.fileno())
        if stat.st_size == self.length_bytes and stat.st_mtime_ns != self._changed_ns:
            raise WrongUse(f"{file.name} was changed while it was sent. Send it again.")


def _not_a_source(value: object) -> str:
    """Returns why the value cannot be uploaded, and what to do."""
    kind = type(value).__name__
    hint = "; for a DataFrame use predict_frame" if hasattr(value, "columns") else ""
    return f"A file is given as its path, as bytes or as an open binary file, not as {kind}{hint}."
