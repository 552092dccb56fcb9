"""Live uploads: rows that arrive slowly are scored at once, and their result is sent while the body is still open.

One greenlet reads the socket, one cuts and stores chunks, and the greenlet of the request sends the result. None waits
for another. So a client may send its whole body before it reads, or do both at the same time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event
from gevent.queue import Empty, Queue

from rowcast.errors import LiveUploadsFull, RowcastError
from rowcast.jobs.actions.receive_upload import OnProgress
from rowcast.jobs.actions.submit import Submitted
from rowcast.logs import with_present_fields

PAUSE_SECONDS = 0.3
"""Silence after which the sender is said to pause. Its complete rows are then scored."""

OLDEST_SECONDS = 0.6
"""Age at which the rows of a slow sender are scored even if it never pauses."""

_SLOW_BYTES = 64 * 1024
"""A sender of fewer bytes than this in `OLDEST_SECONDS` is slow."""

_REMIND_SECONDS = 15.0
"""How often a pause is reported again, so that upkeep does not take a silent upload for dead."""

_QUEUED_BLOCKS = 4

MAX_LIVE_UPLOADS = 1000
"""Largest number open in one gateway. Each may be silent for an hour, and other requests need connections too."""


class Pauses:
    """Reads a body in a greenlet, and detects when its sender pauses."""

    def __init__(self) -> None:
        self._reader: gevent.Greenlet | None = None

    def marked(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yields the same blocks, and an empty one whenever the rows so far should be scored."""
        arriving: Queue = Queue(_QUEUED_BLOCKS)
        self._reader = gevent.spawn(with_present_fields(_read_all), blocks, arriving)
        waiting_bytes, since, patience = 0, 0.0, PAUSE_SECONDS
        while True:
            try:
                block = arriving.get(timeout=patience)
            except Empty:
                yield b""
                waiting_bytes, patience = 0, _REMIND_SECONDS
                continue
            if isinstance(block, Exception):
                raise block
            if block is None:
                return
            since = since if waiting_bytes else time.monotonic()
            waiting_bytes, patience = waiting_bytes + len(block), PAUSE_SECONDS
            yield block
            if time.monotonic() - since > OLDEST_SECONDS:
                if waiting_bytes < _SLOW_BYTES:
                    yield b""
                waiting_bytes = 0

    def stop(self) -> None:
        """Stops reading."""
        if self._reader is not None:
            self._reader.kill()


def _read_all(blocks: Iterator[bytes], arriving: Queue) -> None:
    try:
        for block in blocks:
            arriving.put(block)
    except Exception as error:  # raised again in the greenlet that takes the blocks
        arriving.put(error)
    else:
        arriving.put(None)


@dataclass
class LiveUpload:
    """An upload that is received in a separate greenlet."""

    paused_or_ended: Event = field(default_factory=Event)
    """Set when the sender has paused for the first time, or when the upload has ended."""
    pauses: Pauses = field(default_factory=Pauses)
    """Marks the pauses of the body."""
    header: bytes | None = None
    """Header line of the result, or None if it is not known yet."""
    chunks: int = 0
    """Number of chunks that workers can already score."""

    def start(self, receive: Callable[[OnProgress], Submitted], at_end: Callable[[], None]) -> None:
        """Starts receiving. `receive` gets a function to report its progress. `at_end` is called at its end."""
        self._greenlet = gevent.spawn(with_present_fields(self._outcome_of), receive)
        self._greenlet.link(lambda _: at_end())
        self._greenlet.link(lambda _: self.paused_or_ended.set())

    @property
    def has_ended(self) -> bool:
        """Whether the upload was received or stopped."""
        return bool(self._greenlet.ready())

    def result(self) -> Submitted:
        """Waits for the end of the upload, and returns its outcome.

        Raises:
            Refused, Unavailable: as `Jobs.submit_file`.
        """
        outcome = self._greenlet.get()
        if isinstance(outcome, RowcastError):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Stops the upload if it has not ended, and removes what was stored of it."""
        self._greenlet.kill()

    def _outcome_of(self, receive: Callable[[OnProgress], Submitted]) -> Submitted | RowcastError:
        try:
            return receive(self._progress)
        except RowcastError as error:
            return error
        finally:
            self.pauses.stop()

    def _progress(self, header: bytes, chunks: int, paused: bool) -> None:
        self.header, self.chunks = header, chunks
        if paused:
            self.paused_or_ended.set()


class LiveUploads:
    """The live uploads that are open in this gateway."""

    def __init__(self, limit: int = MAX_LIVE_UPLOADS) -> None:
        self._limit = limit
        self._count = 0

    def start(self, upload: LiveUpload, receive: Callable[[OnProgress], Submitted]) -> None:
        """Starts receiving an upload, which counts until it was received or stopped.

        Raises:
            LiveUploadsFull: the limit of open uploads is reached.
        """
        if self._count >= self._limit:
            raise LiveUploadsFull(self._limit)
        self._count += 1
        upload.start(receive, self._end)

    def _end(self) -> None:
        self._count -= 1
