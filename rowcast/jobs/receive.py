"""Receiving: an upload is cut, stored and told of, chunk by chunk, as its bytes go by.

Workers score the first chunks while the rest still arrives. Nobody else hears of the job before all of it is there.
"""

import time
from collections.abc import Callable, Iterable

from rowcast.errors import Unavailable
from rowcast.jobs.files import Files
from rowcast.jobs.job import InputInfo, Spec
from rowcast.jobs.packed import Planned, pack_plan
from rowcast.jobs.plan import Chunk, Header, Planner, check_header
from rowcast.jobs.records import NewJob, Records
from rowcast.jobs.request import Request
from rowcast.jobs.result import result_header
from rowcast.logs import logger
from rowcast.settings import Settings

_TELL_SECONDS = 60.0
"""How often an upload that goes on says so: far more often than it is taken for dead (records.py)."""


class Reception:
    """One upload on its way in.

    Raises:
        Refused: the input is wrong. Unavailable: the store is away.
    """

    def __init__(self, records: Records, files: Files, settings: Settings, request: Request, id: str) -> None:
        options = request.options
        self._records, self._files, self._request, self._id = records, files, request, id
        self._planner = Planner(
            delimiter=options.delimiter,
            header=options.header,
            chunk_bytes=settings.chunk_bytes,
            chunk_rows=settings.chunk_rows,
            max_row_bytes=settings.max_row_bytes,
            max_columns=settings.max_columns,
            on_header=_checker(request),
        )
        self._plan: list[Planned] = []
        self._told_at = time.monotonic()
        self._is_followed = True
        """Whether Redis knows of every chunk so far; where it lost one, the job is made at the end, and scored then."""

    def take(self, blocks: Iterable[bytes]) -> NewJob:
        """Takes the input in blocks of any size, and answers the job that it makes."""
        if not self._request.options.header:
            _checker(self._request)(Header(b"", tuple(self._request.manifest.feature_names)))
        for block in blocks:
            known = len(self._plan)
            for chunk in self._planner.feed(block):
                self._store(chunk)
            self._announce(known)
        for chunk in self._planner.end():  # these are told of with the job itself
            self._store(chunk)
        head = self._head()
        self._files.put_head(self._id, head)
        return self._job(head)

    def _store(self, chunk: Chunk) -> None:
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            self._records.still_expect(self._id)
            self._told_at = time.monotonic()
        self._files.put_input(self._id, chunk.number, chunk.data)
        self._plan.append(Planned(chunk.first_row, chunk.rows, len(chunk.data)))

    def _announce(self, known: int) -> None:
        """Tells of the chunks from number `known` on, all at once: there may be many in a block."""
        if not self._is_followed or known == len(self._plan):
            return
        first = self._job(self._head()) if known == 0 else None
        try:
            self._is_followed = self._records.arrive(self._id, known, self._plan[known:], first)
        except Unavailable as error:  # it may be back when the job is made
            self._is_followed = False
            logger("gateway").warning("chunks_not_announced", job=self._id, first=known, reason=error.detail)

    def _head(self) -> bytes:
        line = self._planner.header.line if self._planner.header else None
        return result_header(line, self._request.options, self._request.manifest, self._planner.line_end)

    def _job(self, head: bytes) -> NewJob:
        """The job by what has arrived so far."""
        request, planner = self._request, self._planner
        columns = planner.header.columns if planner.header else tuple(request.manifest.feature_names)
        spec = Spec(
            kind="batch",
            model=request.model,
            options=request.options,
            request_id=request.request_id,
            input=InputInfo(
                bytes=planner.bytes_total, sha256=planner.sha256, filename=request.filename, columns=columns
            ),
            line_end=planner.line_end.decode(),
            head_bytes=len(head),
        )
        return NewJob(
            id=self._id,
            owner=request.owner,
            spec=spec,
            rows=planner.rows_total,
            chunks=len(self._plan),
            plan=pack_plan(self._plan),
            repeat=request.repeat(planner.sha256),
            max_errors=request.options.max_errors,
        )


def _checker(request: Request) -> Callable[[Header], None]:
    options, manifest = request.options, request.manifest

    def check(header: Header) -> None:
        check_header(header.columns, manifest.required_names, options.key, options.added_columns(manifest))

    return check
