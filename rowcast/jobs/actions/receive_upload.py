"""Receives an upload: cuts it into chunks, stores each one and adds it to Redis, while the rest still arrives.

Workers score the first chunks at once. No call and no list shows the job before the whole upload has arrived.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header
from rowcast.csv.pending_rows import Chunk
from rowcast.errors import Unavailable
from rowcast.jobs.actions.chunk_rows import rows_per_chunk
from rowcast.jobs.actions.keep_alive import KeepAlive
from rowcast.jobs.actions.pending_syncs import PendingSyncs
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.request import Request, require_columns
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.logs import logger
from rowcast.settings import Settings

OnProgress = Callable[[bytes, int, bool], None]
"""Called with the result's header line, the number of chunks in Redis, and whether the sender pauses."""


class ChunkTarget(Protocol):
    """Takes the chunks of an input that arrives: `Uploads`, or the conversion of a file."""

    def touch(self, id: str) -> None:
        """Notes that the input still arrives."""

    def add_chunks(self, id: str, chunk: int, planned: Sequence[PlanEntry], first: NewJob | None) -> bool:
        """Adds chunks from number `chunk` on, as `Uploads.add_chunks` does."""


class UploadReceiver:
    """One upload that is being received.

    Raises:
        Refused: something in the input is wrong. Unavailable: the store cannot be reached.
    """

    def __init__(
        self,
        uploads: ChunkTarget,
        files: Files,
        settings: Settings,
        request: Request,
        id: str,
        *,
        is_generated: bool = False,
        on_progress: OnProgress | None = None,
        outlives_gateway: bool = False,
        known_chunks: int = 0,
    ) -> None:
        """Prepares to receive an upload.

        Args:
            uploads: where chunks are added.
            files: the files of jobs.
            settings: for the size of chunks and the limits.
            request: what was asked for.
            id: of the upload and its job.
            is_generated: whether the gateway made the CSV from JSON rows, so that a blank row counts as a row.
            on_progress: called after each block, once the first line is known.
            outlives_gateway: whether the upload goes on if the gateway dies, also in a power cut. Then each chunk is on
                disk before Redis learns of it. Otherwise, all are on disk when `take` returns.
            known_chunks: number of chunks that Redis already knows, because the upload is received a second time.
        """
        options, features = request.options, tuple(request.models.feature_names)
        self._uploads, self._files, self._request, self._id = uploads, files, request, id
        self._is_generated = is_generated
        self._on_progress = on_progress
        self._chunker = Chunker(
            delimiter="," if is_generated else options.delimiter,
            header=options.header,
            chunk_bytes=settings.chunk_bytes,
            chunk_rows=rows_per_chunk(request.models, settings, options),
            max_row_bytes=settings.max_row_bytes,
            max_columns=settings.max_columns,
            on_header=self._check,
            features=features,
            encoding=options.encoding,
            keeps_blank_rows=is_generated,
        )
        self._outlives_gateway, self._known_chunks = outlives_gateway, known_chunks
        self._syncs = PendingSyncs()
        self._plan: list[PlanEntry] = []
        self._keep_alive = KeepAlive(uploads.touch, id)
        self._is_followed = not options.reuse
        """Whether Redis has every chunk so far. If it lost one, the job is made and scored at the end only.

        So it is if the job may turn out to have been done before.
        """

    def take(self, blocks: Iterable[bytes]) -> NewJob:
        """Receives the input in blocks of any size, and returns the job to make of it.

        An empty block means that the sender pauses: the rows that have arrived are then scored.
        """
        if not self._request.options.header:
            self._check(Header(b"", tuple(self._request.models.feature_names)))
        for block in blocks:
            known = len(self._plan)
            for chunk in self._chunker.feed(block) if block else self._chunker.flush():
                self._store(chunk)
            self._announce(known)
            self._report(paused=not block)
        for chunk in self._chunker.end():  # these chunks come into Redis with the job itself
            if chunk.rows or self._request.options.output == "joined":
                self._store(chunk)
        header = self._result_header()
        self._files.put_header(self._id, header)
        self._syncs.wait()
        return self._job(header)

    def _check(self, header: Header) -> None:
        """Checks the header. The delimiter of a generated CSV is not the caller's, so no message names it."""
        require_columns(replace(header, delimiter="") if self._is_generated else header, self._request)

    def _report(self, *, paused: bool) -> None:
        if self._on_progress is None:
            return
        self._keep_alive()
        if self._is_followed and (self._chunker.header or self._chunker.rows_total):
            self._on_progress(self._result_header(), len(self._plan), paused)

    def _store(self, chunk: Chunk) -> None:
        self._keep_alive()
        if chunk.number >= self._known_chunks:
            sync = self._files.put_input_early(self._id, chunk.number, chunk.data)
            if self._outlives_gateway:
                sync.wait()
            else:
                self._syncs.add(sync)
        self._plan.append(PlanEntry(chunk.first_row, chunk.rows, len(chunk.data)))

    def _announce(self, known: int) -> None:
        """Adds the chunks from number `known` on to Redis, all at once, because a block may contain many."""
        if not self._is_followed or known == len(self._plan):
            return
        first = self._job(self._result_header()) if known == 0 else None
        try:
            self._is_followed = self._uploads.add_chunks(self._id, known, self._plan[known:], first)
        except Unavailable as error:  # Redis may be reachable again when the job is made
            self._is_followed = False
            logger("gateway").warning("chunks_not_announced", job=self._id, first=known, reason=error.detail)

    def _result_header(self) -> bytes:
        chunker = self._chunker
        return RESULT_FORMAT.header(
            chunker.header,
            self._options,
            self._request.models,
            chunker.line_end,
            has_mark=chunker.decoder.has_mark,
            separator=chunker.separator_line,
        )

    @property
    def _options(self) -> Options:
        """The options with the delimiter that was detected."""
        return self._request.options.model_copy(update={"delimiter": self._chunker.delimiter})

    def _job(self, header: bytes) -> NewJob:
        """Returns the job that consists of the rows so far."""
        request, chunker = self._request, self._chunker
        columns = chunker.header.columns if chunker.header else tuple(request.models.feature_names)
        input = InputInfo(
            bytes=chunker.bytes_total,
            sha256=chunker.sha256,
            filename=request.filename,
            columns=columns,
            delimiter=chunker.delimiter,
            encoding=chunker.decoder.encoding,
        )
        line_end = chunker.line_end.decode()
        spec = request.spec("batch", self._options, input, id=self._id, line_end=line_end, header_bytes=len(header))
        return NewJob(
            id=self._id,
            owner=request.owner,
            spec=spec,
            rows=chunker.rows_total,
            chunks=len(self._plan),
            plan=pack_plan(self._plan),
            repeat=request.repeat(chunker.sha256),
            sameness=None if request.is_check else request.sameness(chunker.sha256, self._options),
            reuses=request.options.reuse,
            max_errors=request.options.max_errors,
        )
