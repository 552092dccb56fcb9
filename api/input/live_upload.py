"""A live upload: rows that trickle in are scored as they come, and their result is sent while the body is open.

One greenlet reads the socket, one cuts and stores, and the request's own sends the result. So none waits for another: a
client that sends all of its body before it reads is answered as well as one that does both at a time.
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

PAUSE_SECONDS = 0.3
"""A sender that is silent for so long pauses: the rows that have ended are scored."""

OLDEST_SECONDS = 0.6
"""After so long rows are scored though the sender never pauses, if it is slow."""

_SLOW_BYTES = 64 * 1024
"""Fewer bytes than these in `OLDEST_SECONDS` are slow."""

_REMIND_SECONDS = 15.0
"""How often a pause is said again, so that a silent upload is not taken for one that broke off."""

_QUEUED_BLOCKS = 4

MAX_LIVE_UPLOADS = 1000
"""Open at a time in one gateway. Each may be silent for an hour and keeps a connection, of which others need some."""


class Pauses:
    """Reads a body in a greenlet, and notices when its sender pauses."""

    def __init__(self) -> None:
        self._reader: gevent.Greenlet | None = None

    def marked(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks, and an empty one whenever the rows so far should not wait for more."""
        arriving: Queue = Queue(_QUEUED_BLOCKS)
        self._reader = gevent.spawn(_read_all, blocks, arriving)
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
        """Reads no more."""
        if self._reader is not None:
            self._reader.kill()


def _read_all(blocks: Iterator[bytes], arriving: Queue) -> None:
    try:
        for block in blocks:
            arriving.put(block)
    except Exception as error:  # raised again where the blocks are taken
        arriving.put(error)
    else:
        arriving.put(None)


@dataclass
class LiveUpload:
    """An upload that is received in a greenlet of its own."""

    paused_or_ended: Event = field(default_factory=Event)
    """Set when the sender has paused for the first time, or the upload has ended."""
    pauses: Pauses = field(default_factory=Pauses)
    """Marks the pauses of its body."""
    head: bytes | None = None
    """What stands before the result's first row; None if that is not known yet."""
    chunks: int = 0
    """Number of chunks of which workers know."""

    def start(self, receive: Callable[[OnProgress], Submitted], at_end: Callable[[], None]) -> None:
        """Starts receiving; `receive` is given what to call as it goes on, and `at_end` is called at its end."""
        self._greenlet = gevent.spawn(self._outcome_of, receive)
        self._greenlet.link(lambda _: at_end())
        self._greenlet.link(lambda _: self.paused_or_ended.set())

    @property
    def has_ended(self) -> bool:
        """Whether all has been received, or it was given up."""
        return bool(self._greenlet.ready())

    def result(self) -> Submitted:
        """What became of it; waits for the end.

        Raises:
            Refused, Unavailable: as `Jobs.submit_file`.
        """
        outcome = self._greenlet.get()
        if isinstance(outcome, RowcastError):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Gives it up, if it has not ended: nothing is left behind."""
        self._greenlet.kill()

    def _outcome_of(self, receive: Callable[[OnProgress], Submitted]) -> Submitted | RowcastError:
        try:
            return receive(self._progress)
        except RowcastError as error:
            return error
        finally:
            self.pauses.stop()

    def _progress(self, head: bytes, chunks: int, paused: bool) -> None:
        self.head, self.chunks = head, chunks
        if paused:
            self.paused_or_ended.set()


class LiveUploads:
    """The live uploads that are open in this gateway."""

    def __init__(self, limit: int = MAX_LIVE_UPLOADS) -> None:
        self._limit = limit
        self._count = 0

    def start(self, upload: LiveUpload, receive: Callable[[OnProgress], Submitted]) -> None:
        """Starts receiving an upload; it counts until all of it has been received, or it was given up.

        Raises:
            LiveUploadsFull: as many as may be are open.
        """
        if self._count >= self._limit:
            raise LiveUploadsFull(self._limit)
        self._count += 1
        upload.start(receive, self._end)

    def _end(self) -> None:
        self._count -= 1
