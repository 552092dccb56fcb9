"""The sample of a file: its header and first rows, read with the options of a request."""

from collections.abc import Iterable
from dataclasses import dataclass

from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header
from rowcast.csv.pending_rows import Chunk
from rowcast.errors import BrokenCompression, Refused
from rowcast.jobs.job import Format
from rowcast.jobs.request import Request
from rowcast.settings import Settings

SAMPLE_BYTES = 1024 * 1024
"""A check reads no more than this of a file, decompressed."""

SAMPLE_ROWS = 1024
"""A check scores no more rows than this. A chunk of them is cut as every other is."""


@dataclass(frozen=True)
class FileSample:
    """What the beginning of a file says."""

    #: The header; None if the file has none, or if no whole header line was read.
    header: Header | None
    #: The delimiter: the one that the request names, or the one that was found.
    delimiter: str
    #: The encoding of the file; empty if nothing was read.
    encoding: str
    #: The first rows, in UTF-8, without the header.
    data: bytes
    #: Number of rows in `data`.
    rows: int
    #: Rows that were found in the bytes read, at least `rows`.
    rows_seen: int
    #: Bytes that were read, decompressed.
    bytes_seen: int
    #: Whether the file ended within these bytes, so that `rows_seen` are all its rows.
    is_ended: bool
    #: Why `POST /predict` would refuse these bytes; None if it would not.
    problem: Refused | None
    #: The format of the file. A worker makes the rows of any other than `csv`.
    format: Format = "csv"


def read_sample(
    blocks: Iterable[bytes], request: Request, settings: Settings, *, is_cut: bool, is_generated: bool
) -> FileSample:
    """Reads the beginning of a file, in blocks of any size.

    `is_cut` means that the blocks end before the file does, so an unfinished row at their end is allowed.
    `is_generated` is that of `UploadReceiver`.
    """
    options = request.options
    chunker = Chunker(
        delimiter="," if is_generated else options.delimiter,
        header=options.header,
        chunk_bytes=SAMPLE_BYTES,
        chunk_rows=SAMPLE_ROWS,
        max_row_bytes=settings.max_row_bytes,
        max_columns=settings.max_columns,
        on_header=None,
        features=tuple(request.models.feature_names),
        encoding=options.encoding,
        keeps_blank_rows=is_generated,
    )
    chunk, is_ended, problem = None, False, None
    try:
        chunk, is_ended = _first_chunk(chunker, blocks, is_cut=is_cut)
    except Refused as error:
        problem = error
    return FileSample(
        header=chunker.header,
        delimiter=chunker.delimiter,
        encoding=chunker.decoder.encoding,
        data=chunk.data if chunk else b"",
        rows=chunk.rows if chunk else 0,
        rows_seen=max(chunker.rows_total, chunk.rows if chunk else 0),
        bytes_seen=chunker.bytes_total,
        is_ended=is_ended,
        problem=problem,
    )


def _first_chunk(chunker: Chunker, blocks: Iterable[bytes], *, is_cut: bool) -> tuple[Chunk | None, bool]:
    """Returns the first rows as a chunk, and whether the file has ended."""
    chunks: list[Chunk] = []
    try:
        for block in blocks:
            chunks += chunker.feed(block[: SAMPLE_BYTES - chunker.bytes_total])
            if chunker.bytes_total >= SAMPLE_BYTES:
                is_cut = True
                break
    except BrokenCompression:
        if not is_cut or not chunker.bytes_total:  # not because it is cut
            raise
    chunks += chunker.flush() if is_cut else chunker.end()
    return next(iter(chunks), None), not is_cut
