"""Scans a stretch of a file that is read by URL."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rowcast.csv.encoding import BadByte, Decoder
from rowcast.csv.header import Header
from rowcast.csv.ranges.range_scan import RangeScan, TwoScans
from rowcast.errors import HeaderDiffers, NotText, NotUtf8, TooLarge, Unprocessable
from rowcast.jobs.by_url.plan_files import PlanHead, Stretch, SurveyedStretch
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.settings import Settings
from worker.planning.opened_file import open_file

_READ_BYTES = 8 * 1024 * 1024
"""Bytes that are read from a file at once."""

_STEP_BYTES = 1024 * 1024
"""Bytes that are scanned at once: numpy is fastest on what fits into the processor's cache."""

_PROBE_BYTES = 64 * 1024
"""Bytes that are read at once to find a line feed."""


@dataclass(frozen=True)
class StretchScanner:
    """Scans stretches of the files of one job."""

    #: The files.
    files: UrlFiles
    #: How they are planned.
    head: PlanHead
    #: For the limits of files.
    settings: Settings
    #: Called now and then.
    step: Callable[[], None]

    def survey(self, stretch: Stretch) -> SurveyedStretch:
        """Scans a stretch both ways.

        Raises:
            HeaderDiffers: it is the first of its file, whose columns are not those of the job.
            NotUtf8, NotText: the file has a byte that is not text. Its row is not known, only its place.
        """
        begin, end = self._bounds(stretch)
        delimiter, limit = self.head.spec.options.delimiter, self.head.max_row_bytes
        if not stretch.start:
            scan = RangeScan(begin, delimiter, is_inside=False, every=self.head.every, max_row_bytes=limit)
            try:
                self._feed(scan, stretch.file, begin, end)
            except (TooLarge, Unprocessable) as error:
                raise _in_file(stretch.file, error) from None
            return SurveyedStretch(begin, end, scan.end(), None)
        scans = TwoScans(begin, delimiter, every=self.head.every, max_row_bytes=limit)
        self._feed(scans, stretch.file, begin, end)
        return SurveyedStretch(begin, end, *scans.surveys())

    def raise_fault(self, found: SurveyedStretch, file: KnownFile, rows: int, *, is_inside: bool) -> None:
        """Scans a stretch again that has a fault, to name its place. `rows` is the number of rows before it.

        Raises:
            TooLarge: a row is too long. CsvSyntax: a quote is never closed.
        """
        limit = self.head.max_row_bytes
        scan = RangeScan(
            found.begin,
            self.head.spec.options.delimiter,
            is_inside=is_inside,
            every=self.head.every,
            max_row_bytes=limit,
        )
        scan.rows = rows
        try:
            self._feed(scan, file, found.begin, found.end)
        except (TooLarge, Unprocessable) as error:
            raise _in_file(file, error) from None

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
            return open_file(self.files, file, options, self.settings, on_header=check).data_start
        except (TooLarge, Unprocessable) as error:
            raise error if isinstance(error, HeaderDiffers) else _in_file(file, error) from None

    def _behind_line_feed(self, file: KnownFile, at: int) -> int:
        """Returns the place behind the first line feed from `at - 1` on; the length of the file if there is none."""
        at -= 1
        while at < file.size:
            data = self.files.read(file, at, min(_PROBE_BYTES, file.size - at))
            if (found := data.find(b"\n")) >= 0:
                return at + found + 1
            at += len(data)
            self.step()
        return file.size

    def _feed(self, scan: RangeScan | TwoScans, file: KnownFile, begin: int, end: int) -> None:
        # A line feed before the first bytes, so that these are never a byte order mark.
        decoder = Decoder("utf-8", offset=begin - 1)
        decoder.feed(b"\n")
        for at, block in self._blocks(file, begin, end):
            is_end = at + len(block) == file.size
            try:
                decoder.feed(block)
                if is_end:
                    decoder.end()
            except BadByte as error:
                kind = NotText.at(file.url, error.message) if error.is_nul else None
                raise kind or NotUtf8(error.offset, file.url, error.message) from None
            scan.feed(block, final=is_end)

    def _blocks(self, file: KnownFile, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        for at in range(begin, end, _READ_BYTES):
            self.step()
            data = self.files.read(file, at, min(_READ_BYTES, end - at))
            for start in range(0, len(data), _STEP_BYTES):
                yield at + start, data[start : start + _STEP_BYTES]


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
