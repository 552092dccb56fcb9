"""The chunks of a resumable upload, which are cut in a greenlet while the bytes arrive, over many requests."""

from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event

from rowcast.csv.decompression import BLOCK_BYTES, yield_to_other_requests
from rowcast.errors import RowcastError, UploadTaken
from rowcast.jobs.new_job import NewJob
from rowcast.logs import with_present_fields

_LOOK_SECONDS = 0.2
"""How often a request that waits looks whether a newer one has come."""


class Turn:
    """The turn of one request at one upload, until a newer request comes."""

    def __init__(self, stop_reading: Callable[[], None]) -> None:
        """`stop_reading` makes the body of the request end early."""
        self._is_newest = True
        self._stop_reading = stop_reading

    def end(self) -> None:
        """Ends the turn, because a newer request has come."""
        self._is_newest = False
        self._stop_reading()

    def require_newest(self) -> None:
        """Returns if no newer request has come.

        Raises:
            UploadTaken: one has.
        """
        if not self._is_newest:
            raise UploadTaken("A newer request goes on with this upload.")


class ChunkCutter:
    """Cuts one upload into chunks. It takes each stored byte once, in order.

    It is handed what has just been stored. If it is behind, for example because it has just begun with a long file, it
    reads the store instead, and requests do not wait for it.
    """

    def __init__(
        self, receive: Callable[[Iterator[bytes]], NewJob], read_from: Callable[[int], Iterator[bytes]], offset: int
    ) -> None:
        """Starts cutting.

        Args:
            receive: takes the bytes of the whole file, and returns the job to make of it.
            read_from: returns the segments that are stored, from the one at an offset on.
            offset: number of bytes that are stored.
        """
        self.offset = offset
        """Number of bytes that are stored."""
        self._read_from = read_from
        self._taken = 0
        """Number of bytes that have been taken."""
        self._handed: tuple[int, bytes] | None = None
        """A segment and its offset, which need not be read from the store."""
        self._is_behind = offset > 0
        self._is_whole = False
        self._news, self._has_taken_all, self._has_room = Event(), Event(), Event()
        self._has_room.set()
        self._greenlet = gevent.spawn(with_present_fields(self._outcome_of), receive)

    @property
    def has_ended(self) -> bool:
        """Whether it does not take bytes any more."""
        return bool(self._greenlet.ready())

    @property
    def has_failed(self) -> bool:
        """Whether it has ended without a job."""
        return self.has_ended and not isinstance(self._greenlet.value, NewJob)

    def check(self) -> None:
        """Raises what `receive` has raised so far."""
        if self.has_ended and isinstance(outcome := self._greenlet.get(), RowcastError):
            raise outcome

    def give(self, segment: bytes, turn: Turn) -> None:
        """Hands over the next segment, which is stored. Waits while the cutter is busy, unless it is behind.

        Raises:
            UploadTaken: a newer request came meanwhile. Others: as `check`.
        """
        try:
            if not self._is_behind:
                self._wait_for(self._has_room, turn)
                self._handed = (self.offset, segment)
                self._has_room.clear()
        finally:  # even if it is not handed over, it is in the store
            self.offset += len(segment)
            self._has_taken_all.clear()
            self._news.set()
        self.check()

    def wait(self, turn: Turn) -> None:
        """Waits until all bytes are cut, or found wrong, unless the cutter is behind. Raises as `give`."""
        if not self._is_behind:
            self._wait_for(self._has_taken_all, turn)
        self.check()

    def finish(self, turn: Turn) -> NewJob:
        """Ends the file, and returns the job to make of it. It may be called again. Raises as `give`."""
        self._is_whole = True
        self._news.set()
        while not self.has_ended:
            self._greenlet.join(_LOOK_SECONDS)
            turn.require_newest()
        self.check()
        return self._greenlet.get()  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Stops cutting."""
        self._greenlet.kill()

    def _wait_for(self, event: Event, turn: Turn) -> None:
        while not self.has_ended and not event.wait(_LOOK_SECONDS):
            turn.require_newest()

    def _outcome_of(self, receive: Callable[[Iterator[bytes]], NewJob]) -> NewJob | RowcastError:
        try:
            return receive(self._blocks())
        except RowcastError as error:
            return error
        finally:  # a request may be waiting
            self._has_room.set()
            self._has_taken_all.set()

    def _blocks(self) -> Iterator[bytes]:
        while True:
            if self._handed is not None and self._handed[0] <= self._taken:
                (start, segment), self._handed = self._handed, None
                self._has_room.set()
                if start == self._taken:
                    yield from self._take(segment)
            elif self._taken < self.offset:
                self._is_behind = True
                for segment in self._read_from(self._taken):
                    yield from self._take(segment)
                self._is_behind = False
            elif self._is_whole:
                return
            else:
                self._has_taken_all.set()
                self._news.wait()
                self._news.clear()

    def _take(self, segment: bytes) -> Iterator[bytes]:
        for at in range(0, len(segment), BLOCK_BYTES):
            block = segment[at : at + BLOCK_BYTES]
            self._taken += len(block)
            yield block
            yield_to_other_requests()
