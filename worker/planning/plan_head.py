"""The start of a plan: finds the files of a job by URL, opens the first one, and divides them into ranges."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from rowcast.csv.header import Header
from rowcast.jobs.actions.chunk_rows import rows_per_chunk
from rowcast.jobs.by_url.file_url import input_url
from rowcast.jobs.by_url.plan_files import PlanHead, RangeWork, Stretch
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.jobs.job import ByUrl, InputInfo, Spec
from rowcast.jobs.request import Request, require_columns
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings
from worker.planning.opened_file import open_file

_RANGE_CHUNKS = 16
"""About as many chunks' bytes are scanned under one lease: 64 MiB, for which a worker needs some 0.1 seconds."""

_MOST_STRETCHES = 256
"""Maximum small files that are scanned under one lease."""

_KNOTS_PER_CHUNK = 256
"""Least number of knots in a chunk, if a row is a knot. With fewer, every row is one."""

_EVERY = 64

_PACKED_EVERY = 1024
"""The same in a file that is gzip, whose knots are in memory all at once, if a chunk has at least 16 of them."""

_GROWTH = 4
"""About how many times a file is larger when it is unpacked."""


@dataclass(frozen=True)
class Begun:
    """How a job will be planned."""

    #: The same for all ranges.
    head: PlanHead
    #: The header line of the result.
    header: bytes
    #: The ranges.
    ranges: list[RangeWork]


def begin_plan(files: UrlFiles, spec: Spec, by_url: ByUrl, models: ModelSet, settings: Settings) -> Begun:
    """Finds the files and opens the first one.

    Raises:
        NoFilesFound: there is none. Unprocessable, TooLarge: its beginning is wrong.
    """
    found = files.find(input_url(by_url.input_url, settings.input_prefixes))
    request = Request(models.first, spec.options, second=models.second)
    features = tuple(models.feature_names)

    def check(header: Header) -> None:
        require_columns(header, request)

    if not spec.options.header:
        check(Header(b"", features))
    first = open_file(files, found[0], spec.options, settings, on_header=check, features=features)
    options = spec.options.model_copy(update={"delimiter": first.delimiter, "encoding": "utf-8"})
    line = RESULT_FORMAT.header(
        first.header, options, models, first.line_end, has_mark=first.has_mark, separator=first.separator
    )
    columns = first.header.columns if first.header else features
    known = InputInfo(
        bytes=sum(file.size for file in found),
        sha256=None,
        filename=found[0].url.rpartition("/")[2] if len(found) == 1 else None,
        columns=columns,
        delimiter=first.delimiter,
        url=by_url.input_url,
        files=len(found),
    )
    whole = spec.model_copy(
        update={
            "options": options,
            "input": known,
            "by_url": by_url.model_copy(update={"plan": uuid.uuid4().hex}),
            "line_end": first.line_end.decode(),
            "header_bytes": len(line),
        }
    )
    ranges = list(_ranges(found, _RANGE_CHUNKS * settings.chunk_bytes, is_packed=first.is_packed))
    every = _EVERY if first.row_bytes * _KNOTS_PER_CHUNK <= settings.chunk_bytes else 1
    if first.is_packed and first.row_bytes * _PACKED_EVERY * 16 <= settings.chunk_bytes:
        every = _PACKED_EVERY
    head = PlanHead(
        spec=whole,
        ranges=len(ranges),
        chunk_bytes=settings.chunk_bytes,
        chunk_rows=rows_per_chunk(models, settings, whole.options),
        max_row_bytes=settings.max_row_bytes,
        every=every,
        is_packed=first.is_packed,
    )
    return Begun(head, line, ranges)


def _ranges(files: list[KnownFile], most_bytes: int, *, is_packed: bool) -> Iterator[RangeWork]:
    some: list[Stretch] = []
    length = 0
    if is_packed:
        most_bytes = max(1, most_bytes // _GROWTH)
    for stretch in _stretches(files, most_bytes, is_packed=is_packed):
        if some and (length + stretch.stop - stretch.start > most_bytes or len(some) == _MOST_STRETCHES):
            yield RangeWork(stretches=some)
            some, length = [], 0
        some.append(stretch)
        length += stretch.stop - stretch.start
    yield RangeWork(stretches=some)


def _stretches(files: list[KnownFile], most_bytes: int, *, is_packed: bool) -> Iterator[Stretch]:
    """Yields the pieces of all files. What is packed can only be read from its beginning."""
    for file in files:
        length = max(1, file.size) if is_packed else most_bytes
        for start in range(0, max(1, file.size), length):
            yield Stretch(file=file, start=start, stop=min(start + length, file.size))
