"""The beginning of a CSV file that is read by URL: its header, and where its rows begin."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header
from rowcast.errors import EmptyFile, FileUnreadable
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.jobs.options import Options
from rowcast.settings import Settings
from worker.planning.packed_file import GZIP, file_blocks, unpacked_blocks

_BLOCK_BYTES = 64 * 1024
_MARK_BYTES = 3

_OTHER_FORMATS = {GZIP: "gzip in gzip", b"PK\x03\x04": "a zip or a workbook", b"PAR1": "Parquet"}
"""Formats that are not read by URL. Gzip is, but only once."""


@dataclass(frozen=True)
class OpenedFile:
    """What the beginning of a file says."""

    #: Its header; None if it has none.
    header: Header | None
    #: Where the first row may begin.
    data_start: int
    #: Its delimiter.
    delimiter: str
    #: Its line end.
    line_end: bytes
    #: Whether it begins with a byte order mark.
    has_mark: bool
    #: Its line that names the delimiter, or no bytes.
    separator: bytes
    #: About how many bytes a row has.
    row_bytes: int
    #: Whether it is gzip. All the rest is about what is in it then.
    is_packed: bool


def open_file(
    files: UrlFiles,
    file: KnownFile,
    options: Options,
    settings: Settings,
    *,
    on_header: Callable[[Header], None],
    features: tuple[str, ...] = (),
) -> OpenedFile:
    """Reads the beginning of a file. `on_header` checks its header. `features` find its delimiter.

    Raises:
        FileUnreadable: it is not CSV in UTF-8. Unprocessable, TooLarge: its beginning is wrong.
    """
    chunker = Chunker(
        delimiter=options.delimiter,
        header=options.header,
        chunk_bytes=_BLOCK_BYTES,
        chunk_rows=settings.chunk_rows,
        max_row_bytes=settings.max_row_bytes,
        max_columns=settings.max_columns,
        on_header=on_header,
        features=features,
    )
    is_packed, blocks = _beginning(files, file, settings)
    at, is_whole = 0, False
    while not (is_whole or (chunker.header if options.header else chunker.rows_total)):
        block = next(blocks, b"")
        if not at:
            _refuse_other_formats(file, block)
        for _ in chunker.feed(block):
            pass
        at += len(block)
        is_whole = not block
    if is_whole:
        try:
            for _ in chunker.end():
                pass
        except EmptyFile:
            if chunker.header is None:
                raise
    if chunker.decoder.encoding != "utf-8":
        raise FileUnreadable.at(file.url, f"is {chunker.decoder.encoding.upper()}; by URL, only UTF-8 is read")
    return OpenedFile(
        header=chunker.header,
        data_start=chunker.data_start + (_MARK_BYTES if chunker.decoder.has_mark else 0),
        delimiter=chunker.delimiter,
        line_end=chunker.line_end,
        has_mark=chunker.decoder.has_mark,
        separator=chunker.separator_line,
        row_bytes=max(1, (at - chunker.data_start) // max(1, chunker.rows_total)),
        is_packed=is_packed,
    )


def _beginning(files: UrlFiles, file: KnownFile, settings: Settings) -> tuple[bool, Iterator[bytes]]:
    """Returns whether a file is gzip, and its bytes, unpacked."""
    blocks = file_blocks(files, file, _BLOCK_BYTES)
    first = next(blocks, b"")
    if first.startswith(GZIP):
        return True, unpacked_blocks(files, file, _BLOCK_BYTES, settings.max_upload_bytes)
    return False, chain([first], blocks)


def _refuse_other_formats(file: KnownFile, first: bytes) -> None:
    for mark, name in _OTHER_FORMATS.items():
        if first.startswith(mark):
            raise FileUnreadable.at(
                file.url, f"is {name}; by URL, only CSV and gzip are read: send it as the body of the request"
            )
