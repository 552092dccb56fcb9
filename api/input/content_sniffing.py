"""Detects a file's format by its first bytes: unpacks gzip and zip, and refuses other formats by name."""

from collections.abc import Iterator
from itertools import chain

from rowcast.csv.decompression import gunzip, unzip, zip_member
from rowcast.errors import BrokenCompression, NotText, Refused, UnsupportedType
from rowcast.jobs.job import Format

_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The content type of each format of files."""

_NAMES: dict[Format, str] = {"csv": "a CSV file", "parquet": "a Parquet file", "xlsx": "an Excel workbook"}
_ENOUGH_BYTES = 64
"""Number of bytes that identify every format."""

_OFFICE = {
    "word/": "a Word document",
    "ppt/": "a PowerPoint document",
    "mimetype": "an OpenDocument file",
}
"""Maps the beginning of the first file name in a zip to the format of the zip."""

_WORKBOOK = ("[Content_Types].xml", "xl/", "docProps/", "_rels/")
"""The same of an Excel workbook. Another Office document may begin so, too; the worker that opens it finds that out."""

_SAVE = "save the sheet as CSV UTF-8, and send that"
_MAGIC = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook (.xls), one with a password, or another old Office file: "
        "save it as .xlsx without a password, and send that",
    ),
    (b"PARE", "an encrypted Parquet file: write it without encryption, and send that"),
    (b"ARROW1", "an Arrow file: write it as Parquet or CSV, and send that"),
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
    """The CSV in a file, which may be gzip, or a zip with one file; or a Parquet file or an Excel workbook as it is.

    The first bytes decide, not the file name. Iterate once.

    Raises:
        NotText: the file has another format. BrokenCompression, TooLarge: as `gunzip` and `unzip`.
    """

    is_compressed = False
    """Whether the file is gzip or zip; known after the first block."""

    def __init__(self, blocks: Iterator[bytes], max_bytes: int, declared: Format | None = None) -> None:
        """`max_bytes` is the largest size of the CSV. `declared` is the format that the sender says."""
        self._blocks, self._max_bytes, self._declared = blocks, max_bytes, declared
        self._found: Format | Refused | None = None

    def begin(self) -> Format:
        """Reads the first bytes and returns the format, without which the blocks are of no use."""
        if self._found is None:
            try:
                found = self._find_format()
                self._require_declared(found)
                self._found = found
            except Refused as error:
                self._found = error
        if isinstance(self._found, Refused):
            raise self._found
        return self._found

    def __iter__(self) -> Iterator[bytes]:
        if (format := self.begin()) != "csv":
            raise NotText.at("file", f"is {_NAMES[format]}: send CSV here")
        return self.content()

    def content(self) -> Iterator[bytes]:
        """Yields the blocks of a file of any format. Call `begin` first."""
        yield self._first
        yield from self._rest

    def _require_declared(self, found: Format) -> None:
        if self._declared not in (None, found):
            raise UnsupportedType(
                f"The file was sent as {_NAMES[self._declared]}, but does not begin like one. "
                f"Send {_NAMES[found]} with `Content-Type: {MEDIA_TYPES[found]}`."
            )

    def _find_format(self) -> Format:
        first, rest = _begin(self._blocks)
        self.is_compressed = first.startswith((_GZIP, _ZIP)) and not _is_workbook(first)
        if first.startswith(_GZIP):
            first, rest = _begin(gunzip(chain([first], rest), self._max_bytes))
        elif self.is_compressed:
            _refuse_office(first)
            first, rest = _begin(unzip(chain([first], rest), self._max_bytes))
        self._first, self._rest = first, rest
        if _is_workbook(first):
            return "xlsx"
        if first.startswith((_GZIP, _ZIP)):
            _refuse_office(first)
            raise BrokenCompression("The file is compressed twice: decompress it once, and send it again.")
        if first.startswith(_PARQUET):
            return "parquet"
        _refuse_other_formats(first)
        return "csv"


def _is_workbook(first: bytes) -> bool:
    return first.startswith(_ZIP) and zip_member(first).startswith(_WORKBOOK)


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
