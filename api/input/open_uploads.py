"""The resumable uploads that this gateway has at hand: their chunks are cut while the bytes arrive.

One request at a time may append to an upload. A newer request ends an older one, whose connection is usually dead.
Bytes are stored and counted before they are cut into chunks. So what workers score is always safe, and what is lost
with this process can be cut again from the store.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.lock import Semaphore

from api.input.chunk_cutter import ChunkCutter, Turn
from api.input.content_sniffing import Unpacked
from rowcast.csv.decompression import gunzip
from rowcast.errors import BodyCutShort, InputLost, Refused, UploadGone, UploadTaken
from rowcast.jobs.actions.resume_upload import ResumableJobs
from rowcast.jobs.actions.submit import Submitted
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.resumable_uploads import Hold
from rowcast.jobs.states import UploadState
from rowcast.logs import with_present_fields
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings

SEGMENT_BYTES = 2 * 1024 * 1024
"""Largest size of a segment. A few are in memory at a time.

The first ones are smaller, so that a wrong header line is found at once.
"""

SEGMENT_SECONDS = 5.0
"""Age at which bytes are stored even if they do not fill a segment."""

MAX_IDLE = 16
"""Uploads without a request whose cutter is kept. Each may hold a chunk in memory."""

_ENDING = (Refused, UploadGone, InputLost)
"""Errors after which an upload cannot go on, unless only the body of one request broke off."""


class _OpenUpload:
    """What this gateway has in memory of an upload."""

    def __init__(self) -> None:
        self.free = Semaphore(1)
        self.newest: Turn | None = None
        self.cutter: ChunkCutter | None = None
        self.requests = 0
        """Number of requests that have or wait for a turn."""


class OpenUploads:
    """The uploads at hand. What is not at hand is read from the store."""

    def __init__(self, jobs: ResumableJobs, resolve: Callable[[str], Manifest], settings: Settings) -> None:
        """`resolve` returns the manifest of `NAME@VERSION`."""
        self._jobs, self._resolve, self._settings = jobs, resolve, settings
        self._uploads: OrderedDict[str, _OpenUpload] = OrderedDict()

    @contextmanager
    def turn(self, id: str, stop_reading: Callable[[], None] = lambda: None) -> Iterator[Turn]:
        """Waits until no other request of this gateway is at work on the upload, after ending the one that is.

        Raises:
            UploadTaken: a newer request came while this one waited.
        """
        upload = self._uploads.setdefault(id, _OpenUpload())
        if upload.newest is not None:
            upload.newest.end()
        turn = upload.newest = Turn(stop_reading)
        upload.requests += 1
        try:
            with upload.free:
                turn.require_newest()
                yield turn
        finally:
            upload.requests -= 1
            if upload.newest is turn:
                upload.newest = None
            self._uploads.move_to_end(id)
            self._drop_idle()

    def append(self, turn: Turn, hold: Hold, blocks: Iterator[bytes]) -> int:
        """Stores the blocks behind what is stored, and has them cut. Returns how many bytes are stored in all.

        Raises:
            BodyCutShort: the body broke off; what came before is stored. UploadTaken: another request has come.
            Refused: the file is wrong, and the upload has ended.
        """
        with self._ending(hold):
            cutter = self._cutter(hold)
            writer = _SegmentWriter(self._jobs, hold, turn)
            try:
                for block in blocks:
                    if cutter.has_ended and not cutter.has_failed:  # the file was taken for whole before
                        cutter = self._restarted(hold)
                    writer.add(block, cutter)
                    cutter.check()
                    turn.require_newest()
            except (BodyCutShort, UploadTaken):
                writer.finish(cutter)
                turn.require_newest()
                raise
            finally:
                writer.wait()
            writer.finish(cutter)
            cutter.wait(turn)
        return cutter.offset

    def complete(self, turn: Turn, hold: Hold) -> Submitted:
        """Makes the job of an upload whose bytes are all stored. Raises as `ResumableJobs.complete`."""
        with self._ending(hold):
            submitted = self._jobs.complete(self._cutter(hold).finish(turn))
        self.discard(hold.upload.id)
        return submitted

    def discard(self, id: str) -> None:
        """Stops the cutter of an upload that has ended."""
        upload = self._uploads[id]
        if upload.cutter is not None:
            upload.cutter.stop()
            upload.cutter = None

    @contextmanager
    def _ending(self, hold: Hold) -> Iterator[None]:
        """Ends the upload if its file turns out to be wrong."""
        try:
            yield
        except _ENDING as error:
            if not isinstance(error, BodyCutShort):
                self.discard(hold.upload.id)
                self._jobs.end(hold.upload.id, UploadState.REFUSED, reason=error.public)
            raise

    def _cutter(self, hold: Hold) -> ChunkCutter:
        """Returns the cutter that knows all bytes that are stored, or starts one."""
        cutter = self._uploads[hold.upload.id].cutter
        if cutter is None or cutter.has_failed or cutter.offset != hold.upload.offset:
            return self._restarted(hold)
        return cutter

    def _restarted(self, hold: Hold) -> ChunkCutter:
        self.discard(hold.upload.id)
        cutter = self._uploads[hold.upload.id].cutter = self._new_cutter(hold)
        return cutter

    def _new_cutter(self, hold: Hold) -> ChunkCutter:
        upload, max_bytes = hold.upload, self._settings.max_upload_bytes
        request = upload.require_open()

        def receive(raw: Iterator[bytes]) -> NewJob:
            file = gunzip(raw, max_bytes) if request.is_gzip else raw
            models = ModelSet.resolve(request.model, self._resolve)
            content = Unpacked(file, max_bytes, request.format)
            if (format := content.begin()) != "csv":
                return self._jobs.receive_source(upload, models, content.content(), format)
            return self._jobs.receive(upload, models, content)

        return ChunkCutter(receive, lambda start: self._jobs.stored(upload.id, start), upload.offset)

    def _drop_idle(self) -> None:
        idle = [id for id, upload in self._uploads.items() if not upload.requests]
        for id in idle:
            if self._uploads[id].cutter is None:
                del self._uploads[id]
        for id in [id for id in idle if id in self._uploads][:-MAX_IDLE]:
            self.discard(id)
            del self._uploads[id]


class _SegmentWriter:
    """Stores the body of one request in segments, counts each, and hands it to the cutter.

    While a segment is stored, the next one arrives.
    """

    def __init__(self, jobs: ResumableJobs, hold: Hold, turn: Turn) -> None:
        self._jobs, self._hold, self._turn = jobs, hold, turn
        self._blocks: list[bytes] = []
        self._offset = hold.upload.offset
        """Number of bytes that are stored, or are being stored."""
        self._since = time.monotonic()
        self._storing: gevent.Greenlet | None = None

    def add(self, block: bytes, cutter: ChunkCutter) -> None:
        """Takes a block, and stores a segment if there is enough for one."""
        self._blocks.append(block)
        waiting = sum(map(len, self._blocks))
        is_old = time.monotonic() - self._since > SEGMENT_SECONDS
        if is_old or waiting >= min(SEGMENT_BYTES, self._offset):  # so the first segment is whatever has arrived
            self._begin_to_store(cutter)

    def finish(self, cutter: ChunkCutter) -> None:
        """Stores what has not been stored yet."""
        self._begin_to_store(cutter)
        self._require_stored()

    def wait(self) -> None:
        """Waits until nothing is being stored, whether that fails or not."""
        if self._storing is not None:
            self._storing.join()

    def _begin_to_store(self, cutter: ChunkCutter) -> None:
        self._require_stored()
        blocks, self._blocks = self._blocks, []
        if blocks:
            data = b"".join(blocks)
            self._storing = gevent.spawn(with_present_fields(self._outcome_of_storing), self._offset, data, cutter)
            self._offset += len(data)
        self._since = time.monotonic()

    def _require_stored(self) -> None:
        """Waits for the segment before, and raises what storing it has raised."""
        storing, self._storing = self._storing, None
        if storing is not None and isinstance(outcome := storing.get(), Exception):
            self._blocks.clear()  # they must not follow a gap
            raise outcome

    def _outcome_of_storing(self, offset: int, data: bytes, cutter: ChunkCutter) -> Exception | None:
        try:
            self._jobs.append(self._hold, offset, data)
            cutter.give(data, self._turn)
        except Exception as error:
            return error
        return None
