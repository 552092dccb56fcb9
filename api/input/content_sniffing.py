"""Detects a file's format by its first bytes: unpacks gzip and zip, and refuses other formats by name."""

from collections.abc import Iterator
from itertools import chain

from api.input.decompression import gunzip, unzip, zip_member
from rowcast.errors import BrokenCompression, NotText

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_ENOUGH_BYTES = 64
"""Number of bytes that identify every format."""

_OFFICE = {
    "[Content_Types].xml": "an Excel workbook",
    "xl/": "an Excel workbook",
    "docProps/": "an Excel workbook or another Office document",
    "_rels/": "an Excel workbook or another Office document",
    "word/": "a Word document",
    "ppt/": "a PowerPoint document",
    "mimetype": "an OpenDocument file",
}
"""Maps the beginning of the first file name in a zip to the format of the zip."""

_SAVE = "save the sheet as CSV UTF-8, and send that"
_MAGIC = (
    (b"\xd0\xcf\x11\xe0", f"an Excel workbook (.xls) or another old Office file: {_SAVE}"),
    (b"PAR1", "a Parquet file: write it as CSV, for example with DuckDB or pandas, and send that"),
    (b"ARROW1", "an Arrow file: write it as CSV, and send that"),
    (b"%PDF", "a PDF: send the table itself, as CSV"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV, and send that"),
    (b"version https://git-lfs", "a Git LFS pointer and not the file itself: run `git lfs pull`, and send the file"),
    (b"BZh", "compressed with bzip2: send it plain, or compressed with gzip"),
    (b"\xfd7zXZ", "compressed with xz: send it plain, or compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: send it plain, or compressed with gzip"),
    (b"7z\xbc\xaf", "a 7z archive: send the file in it plain, or compressed with gzip"),
)

_HTML = (b"<!doctype", b"<html", b"<head", b"<?xml")
_AS_JSON = (
    'JSON: send it with `Content-Type: application/json` as {"instances": [...]}, or one object per line with '
    "`Content-Type: application/x-ndjson`"
)


class Unpacked:
    """The CSV in a file, which may be gzip, or a zip with one file. The file name does not matter. Iterate once.

    Raises:
        NotText: the file has another format. BrokenCompression, TooLarge: as `gunzip` and `unzip`.
    """

    is_compressed = False
    """Whether the file is gzip or zip; known after the first block."""

    def __init__(self, blocks: Iterator[bytes], max_bytes: int) -> None:
        """`max_bytes` is the largest size of the CSV."""
        self._blocks, self._max_bytes = blocks, max_bytes

    def __iter__(self) -> Iterator[bytes]:
        first, rest = _begin(self._blocks)
        whole = chain([first], rest)
        self.is_compressed = first.startswith((_GZIP, _ZIP))
        if first.startswith(_GZIP):
            first, rest = _begin(gunzip(whole, self._max_bytes))
        elif first.startswith(_ZIP):
            _refuse_office(first)
            first, rest = _begin(unzip(whole, self._max_bytes))
        if first.startswith((_GZIP, _ZIP)):
            _refuse_office(first)
            raise BrokenCompression("The file is compressed twice: decompress it once, and send it again.")
        _refuse_other_formats(first)
        yield first
        yield from rest


def _begin(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Returns enough of the first bytes to know the format, and the blocks after them."""
    first = b""
    for block in blocks:
        first += block
        if len(first) >= _ENOUGH_BYTES or (b"\n" in first.lstrip() and not first.startswith(b"PK")):
            break
    return first, blocks


def _refuse_office(first: bytes) -> None:
    if first.startswith(_ZIP):
        name = zip_member(first)
        for beginning, what in _OFFICE.items():
            if name.startswith(beginning):
                raise NotText.at("file", f"is {what}: {_SAVE}")


def _refuse_other_formats(first: bytes) -> None:
    for magic, what in _MAGIC:
        if first.startswith(magic):
            raise NotText.at("file", f"is {what}")
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_HTML):
        raise NotText.at(
            "file", "is a web page (HTML or XML), perhaps an error page or a login: download the file again"
        )
    inner = text[1:].lstrip()
    if (text.startswith(b"{") and inner[:1] in (b'"', b"}")) or (text.startswith(b"[") and inner[:1] in (b"{", b"[")):
        raise NotText.at("file", f"is {_AS_JSON}")
