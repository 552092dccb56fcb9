"""Scans a stretch of a file that is read by URL."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rowcast.csv.encoding import BadByte, Decoder
from rowcast.csv.header import Header
from rowcast.csv.ranges.range_scan import RangeScan, TwoScans
from rowcast.errors import FileUnreadable, HeaderDiffers, NotText, NotUtf8, TooLarge, Unprocessable
from rowcast.jobs.by_url.plan_files import PlanHead, Stretch, SurveyedStretch
from rowcast.jobs.by_url.url_files import KnownFile
from worker.planning.opened_file import open_file
from worker.planning.packed_file import stepped, store_blocks, unpacked_blocks
from worker.resources import Resources

_READ_BYTES = 8 * 1024 * 1024
"""Bytes that are read from a file at once."""

_PACKED_BYTES = 256 * 1024
"""The same of a file that is gzip."""

_STEP_BYTES = 1024 * 1024
"""Bytes that are scanned at once: numpy is fastest on what fits into the processor's cache."""

_PROBE_BYTES = 64 * 1024
"""Bytes that are read at once to find a line feed."""


class _Block(NamedTuple):
    """Some bytes of a file."""

    #: The bytes.
    data: bytes
    #: Whether the file ends with them.
    is_end: bool


@dataclass(frozen=True)
class StretchScanner:
    """Scans stretches of the files of one job."""

    #: The files, the store, and the limits of files.
    resources: Resources
    #: Id of the job.
    id: str
    #: How they are planned.
    head: PlanHead
    #: Called now and then.
    step: Callable[[], None]

    def survey(self, stretch: Stretch) -> SurveyedStretch:
        """Scans a stretch both ways. A file that is gzip is one stretch, which is in the store afterwards, unpacked.

        Raises:
            FileUnreadable: it is gzip and the first file is not, or the other way round.
            HeaderDiffers: it is the first of its file, whose columns are not those of the job.
            NotUtf8, NotText: the file has a byte that is not text. Its row is not known, only its place.
        """
        if self.head.is_packed:
            return self._survey_packed(stretch.file)
        begin, end = self._bounds(stretch)
        delimiter, limit = self.head.spec.options.delimiter, self.head.max_row_bytes
        if not stretch.start:
            scan = self._scan(begin, is_inside=False)
            self._feed_first(scan, stretch.file, begin, self._blocks(stretch.file, begin, end))
            return SurveyedStretch(begin, end, scan.end(), None)
        scans = TwoScans(begin, delimiter, every=self.head.every, max_row_bytes=limit)
        self._feed(scans, stretch.file, begin, self._blocks(stretch.file, begin, end))
        return SurveyedStretch(begin, end, *scans.surveys())

    def raise_fault(self, found: SurveyedStretch, file: KnownFile, rows: int, *, is_inside: bool) -> None:
        """Scans a stretch again that has a fault, to name its place. `rows` is the number of rows before it.

        Raises:
            TooLarge: a row is too long. CsvSyntax: a quote is never closed.
        """
        scan = self._scan(found.begin, is_inside=is_inside)
        scan.rows = rows
        self._feed_first(scan, file, found.begin, self._blocks(file, found.begin, found.end))

    def _survey_packed(self, file: KnownFile) -> SurveyedStretch:
        begin, resources = self._data_start(file), self.resources
        scan = self._scan(begin, is_inside=False)
        unpacked = unpacked_blocks(resources.url_files, file, _PACKED_BYTES, resources.settings.max_upload_bytes)
        stored = store_blocks(resources.files, self.id, file, stepped(unpacked, self.step))
        end = self._feed_first(scan, file, begin, _from(begin, stored))
        return SurveyedStretch(begin, end, scan.end(), None)

    def _scan(self, begin: int, *, is_inside: bool) -> RangeScan:
        delimiter, every = self.head.spec.options.delimiter, self.head.every
        return RangeScan(begin, delimiter, is_inside=is_inside, every=every, max_row_bytes=self.head.max_row_bytes)

    def _bounds(self, stretch: Stretch) -> tuple[int, int]:
        begin = (
            self._data_start(stretch.file) if not stretch.start else self._behind_line_feed(stretch.file, stretch.start)
        )
        end = stretch.file.size if stretch.is_last else self._behind_line_feed(stretch.file, stretch.stop)
        return begin, max(begin, end)

    def _data_start(self, file: KnownFile) -> int:
        """Returns where the rows of a file begin. Its columns are checked first."""
        expected, options = self.head.spec.input, self.head.spec.options

        def check(header: Header) -> None:
            if expected and header.columns != expected.columns:
                raise HeaderDiffers.at(file.url, _difference(header.columns, expected.columns))

        try:
            opened = open_file(self.resources.url_files, file, options, self.resources.settings, on_header=check)
        except (TooLarge, Unprocessable) as error:
            raise error if isinstance(error, HeaderDiffers) else _in_file(file, error) from None
        if opened.is_packed != self.head.is_packed:
            what = "is gzip, and the first file is not" if opened.is_packed else "is not gzip, and the first file is"
            raise FileUnreadable.at(file.url, f"{what}: send a request for each kind")
        return opened.data_start

    def _behind_line_feed(self, file: KnownFile, at: int) -> int:
        """Returns the place behind the first line feed from `at - 1` on; the length of the file if there is none."""
        at -= 1
        while at < file.size:
            data = self.resources.url_files.read(file, at, min(_PROBE_BYTES, file.size - at))
            if (found := data.find(b"\n")) >= 0:
                return at + found + 1
            at += len(data)
            self.step()
        return file.size

    def _feed_first(self, scan: RangeScan, file: KnownFile, begin: int, blocks: Iterator[_Block]) -> int:
        """Feeds a scan that is known to begin right. What is wrong is said of the file."""
        try:
            return self._feed(scan, file, begin, blocks)
        except (TooLarge, Unprocessable) as error:
            raise _in_file(file, error) from None

    def _feed(self, scan: RangeScan | TwoScans, file: KnownFile, begin: int, blocks: Iterator[_Block]) -> int:
        """Feeds a scan with blocks from `begin` on. Returns where they end."""
        # A line feed before the first bytes, so that these are never a byte order mark.
        decoder = Decoder("utf-8", offset=begin - 1)
        decoder.feed(b"\n")
        end = begin
        for block, is_end in blocks:
            end += len(block)
            try:
                decoder.feed(block)
                if is_end:
                    decoder.end()
            except BadByte as error:
                kind = NotText.at(file.url, error.message) if error.is_nul else None
                raise kind or NotUtf8(error.offset, file.url, error.message) from None
            scan.feed(block, final=is_end)
        return end

    def _blocks(self, file: KnownFile, begin: int, end: int) -> Iterator[_Block]:
        for at in range(begin, end, _READ_BYTES):
            self.step()
            data = self.resources.url_files.read(file, at, min(_READ_BYTES, end - at))
            for start in range(0, len(data), _STEP_BYTES):
                block = data[start : start + _STEP_BYTES]
                yield _Block(block, at + start + len(block) == file.size)


def _from(begin: int, blocks: Iterator[bytes]) -> Iterator[_Block]:
    """Yields what follows the first `begin` bytes of a file."""
    held = b""
    for block in blocks:
        skipped = min(begin, len(block))
        begin -= skipped
        if held and skipped < len(block):
            yield _Block(held, is_end=False)
        held = block[skipped:] or held
    if held:
        yield _Block(held, is_end=True)


def _in_file(file: KnownFile, error: TooLarge | Unprocessable) -> TooLarge | Unprocessable:
    """Returns the error with the name of the file."""
    error.detail = error.public = f"{file.url}: {error.detail}"
    return error


def _difference(columns: tuple[str, ...], expected: tuple[str, ...]) -> str:
    missing = [name for name in expected if name not in columns]
    further = [name for name in columns if name not in expected]
    if not missing and not further:
        return "has the columns of the first file in another order"
    named = [
        f"{word} {', '.join(map(repr, names[:10]))}{' …' if len(names) > 10 else ''}"
        for word, names in (("lacks", missing), ("has also", further))
        if names
    ]
    return f"has other columns than the first file: it {' and '.join(named)}"
