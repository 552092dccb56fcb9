"""A download: a response body written to a file or a stream, resumed if the connection breaks."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import httpx

from rowcast.client.errors import BrokenTransfer, Unreachable, WrongUse
from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.retries import with_retries
from rowcast.client.http.steps import Receive, Steps
from rowcast.client.part_file import part_file
from rowcast.client.upload import OnBytes
from rowcast.wording.quantity import counted

Target = str | os.PathLike[str] | BinaryIO


class Sink:
    """The output of a download. `can_rewind` is False for a pipe, because written bytes cannot be withdrawn."""

    def __init__(self, file: BinaryIO, can_rewind: bool) -> None:
        self.file, self.can_rewind = file, can_rewind
        self.written_bytes = 0

    def write(self, block: bytes) -> None:
        """Appends the block."""
        self.file.write(block)
        self.written_bytes += len(block)

    def restart(self) -> None:
        """Discards what was written.

        Raises:
            BrokenTransfer: the output cannot be rewound.
        """
        if self.written_bytes and not self.can_rewind:
            raise BrokenTransfer("The download broke off, and the service cannot resume it where it stopped.")
        if self.written_bytes:
            self.file.seek(0)
            self.file.truncate()
            self.written_bytes = 0


@contextmanager
def open_sink(target: Target, *, replace: bool = True) -> Iterator[Sink]:
    """Yields a sink for a path, `-` (standard output) or a binary file.

    The file at a path is complete or does not appear: it is written under a temporary name in the same folder and
    renamed at the end. It has the permissions of the file that it replaces. Without `replace`, no file is overwritten
    that was made meanwhile.

    Raises:
        WrongUse: the target cannot be written. This is raised before any request is sent. Or, at the end, a file was
            made there meanwhile.
    """
    if not isinstance(target, str | os.PathLike):
        yield Sink(target, can_rewind=False)
        return
    if target == "-":
        yield Sink(sys.stdout.buffer, can_rewind=False)
        sys.stdout.buffer.flush()
        return
    path = Path(os.path.realpath(target))
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise WrongUse(f"{target} is a folder; give the name of a file.")
            with path.open("wb") as device:  # for example /dev/null or a named pipe, which cannot be renamed
                yield Sink(device, can_rewind=False)
            return
        opened = ExitStack()
        temporary, file = opened.enter_context(part_file(path))
        if path.exists():  # it may be private
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise WrongUse(f"{target} cannot be written: {error.strerror}") from error
    try:
        with opened:
            yield Sink(file, can_rewind=True)
            file.close()
            _publish(temporary, path, replace=replace)
    except OSError as error:  # for example a full disk, which is raised without the name
        error.filename = error.filename or str(target)
        raise


def _publish(temporary: Path, path: Path, *, replace: bool) -> None:
    if not replace:
        try:
            os.link(temporary, path)  # unlike a renaming, it overwrites nothing; the caller removes the other name
        except FileExistsError:
            raise WrongUse(f"{path} was made by another program meanwhile, and is kept. Choose another name.") from None
        except OSError:  # a file system without hard links
            if path.exists():
                raise
        else:
            return
    temporary.replace(path)


class Transfer:
    """One download, over several connections if they break. Each byte that arrives restarts the limit of retries.

    `wait_seconds` is how long the service may hold the response; it is added to the time limit of each request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        sink: Sink,
        on_progress: OnBytes | None = None,
        wait_seconds: float = 0,
    ) -> None:
        self._endpoint, self._path, self._sink, self._wait_seconds = endpoint, path, sink, wait_seconds
        self._on_progress = on_progress or (lambda done, total: None)
        self._retries = endpoint.retries()
        self._etag: str | None = None
        self._total: int | None = None
        self._is_whole = False
        self._redirect: str | None = None
        self._object: httpx.URL | None = None

    def finish(self) -> Steps[None]:
        """Downloads the rest of a complete result, over several connections if they break."""
        if not self._is_whole:
            self._retries.restart()
            yield from with_retries(partial(self._go_on, self._path), self._retries)

    def follow(self) -> Steps[None]:
        """Downloads a result while it is made: one attempt, which may stop before the end."""
        yield from self._go_on(f"{self._path}?follow=true")

    def _go_on(self, path: str) -> Steps[None]:
        """Requests the missing bytes, or the whole file if the service cannot resume or the file has changed."""
        if self._total is not None and self._sink.written_bytes == self._total:
            return
        headers = {"Accept-Encoding": "identity"}  # offsets count the bytes of the uncompressed file
        if self._sink.written_bytes and self._etag:
            headers |= {"Range": f"bytes={self._sink.written_bytes}-", "If-Range": self._etag}
        url, timeout = self._endpoint.url + path, self._endpoint.timeout(wait_seconds=self._wait_seconds)
        self._redirect = None
        yield Receive(url, headers, timeout, self._begin, self._write, self._wrote)
        if self._redirect is not None:
            yield from self._from_bucket(self._redirect)
        if self._total is not None and self._sink.written_bytes != self._total:
            raise Unreachable(
                f"The download ended after {self._sink.written_bytes:,} of {counted(self._total, 'byte')}."
            )
        self._is_whole = True

    def _from_bucket(self, location: str) -> Steps[None]:
        """Requests the missing bytes from the bucket to which the service has redirected.

        Raises:
            BrokenTransfer: the service redirects to something else, or from HTTPS to HTTP.
        """
        url = httpx.URL(location)
        if not url.host or url.scheme not in ("https", httpx.URL(self._endpoint.url).scheme):
            raise BrokenTransfer("The service redirects to an address that is not safe to use.")
        headers = {"Accept-Encoding": "identity"}
        is_same = url.copy_with(query=None) == self._object  # only the signature is new, and objects never change
        if is_same and self._sink.written_bytes:
            headers["Range"] = f"bytes={self._sink.written_bytes}-"
        self._object = url.copy_with(query=None)
        yield Receive(
            location, headers, self._endpoint.timeout(), self._begin_bucket, self._write, self._wrote, is_elsewhere=True
        )

    def _begin(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.TEMPORARY_REDIRECT and "Location" in answer.headers:
            self._redirect = answer.headers["Location"]
            return
        self._endpoint.checked(answer)
        self._begin_body(answer)

    def _begin_bucket(self, answer: httpx.Response) -> None:
        if not answer.is_success:  # for example because the URL has expired: the next attempt gets a new one
            raise Unreachable(f"The bucket at {answer.url.host} answered with status {answer.status_code}.")
        self._begin_body(answer)

    def _begin_body(self, answer: httpx.Response) -> None:
        if answer.status_code == httpx.codes.PARTIAL_CONTENT:
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {self._sink.written_bytes}-"):
                raise BrokenTransfer("The service sent another range than the requested one.")
            return
        self._sink.restart()
        encoded = "Content-Encoding" in answer.headers  # although not requested; offset and length do not apply then
        etag, length = answer.headers.get("ETag"), answer.headers.get("Content-Length")
        # A weak ETag does not promise the same bytes (RFC 9110 §13.1.5 forbids it in If-Range).
        self._etag = etag if etag and not etag.startswith("W/") and not encoded else None
        self._total = int(length) if length and not encoded else None
        self._retries.restart()

    def _write(self, block: bytes) -> None:
        self._sink.write(block)
        self._retries.restart()

    def _wrote(self) -> None:
        self._on_progress(self._sink.written_bytes, self._total)
