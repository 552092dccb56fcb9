"""The rows of a file of requests as CSV: the custom_id, what is wrong with the row, and the model's features.

A row whose values do not fit has no features. The second column says why, and scoring passes that on.
"""

from collections.abc import Iterator
from functools import partial

from rowcast.csv.write import csv_row
from rowcast.errors import RowValues, WrongRequests
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.request_files.request_line import LineFault, column_names, read_request_line
from rowcast.jobs.request_files.strict_json import lines_of
from rowcast.models.model_manifest import Manifest
from rowcast.models.row_values import cell_text, row_values
from worker.conversion.source_file import SourceFile

_BLOCK_BYTES = 128 * 1024
_FAULTS_SHOWN = 20
_PROBLEM_CHARACTERS = 2_000


class RequestRows:
    """An open file of requests.

    Raises:
        WrongRequests: when its rows are read, if a line is not a request, or asks for something else than the first.
        TooLarge: a line is too long.
    """

    dtypes: dict[str, str] = {}  # noqa: RUF012 (a property of the protocol)
    row_count = 0

    def __init__(self, file: SourceFile, manifest: Manifest, asked: BatchRequest, max_row_bytes: int) -> None:
        """`asked` has what all lines have in common."""
        self._file, self._manifest, self._asked, self._max_row_bytes = file, manifest, asked, max_row_bytes
        self._faults: list[tuple[int, str]] = []

    @property
    def header(self) -> bytes:
        """The header line."""
        id, problem, _ = column_names(self._manifest.feature_names)
        return csv_row([id, problem, *self._manifest.feature_names])

    def check(self) -> None:
        """Does nothing: each value has a type, and columns have none."""

    def rows(self, most: int | None = None) -> Iterator[bytes]:
        """Yields the rows some at a time, all of them. After the first fault, it only looks for more faults."""
        number = 0
        blocks = iter(partial(self._file.read, _BLOCK_BYTES), b"")
        for lines in lines_of(blocks, self._max_row_bytes):
            rows = []
            for line in lines:
                number += 1
                if line.strip():
                    rows.append(self._row(line, number))
            if len(self._faults) >= _FAULTS_SHOWN:
                break
            yield b"" if self._faults else b"".join(rows)
        if self._faults:
            errors = [{"where": f"line {line}", "message": message} for line, message in self._faults[:_FAULTS_SHOWN]]
            raise WrongRequests("; ".join(f"{one['where']} {one['message']}" for one in errors[:5]) + ".", errors)

    def _row(self, line: bytes, number: int) -> bytes:
        try:
            request = read_request_line(line)
            if request.rest != self._asked.body:
                raise LineFault("asks for another model, or has other options than the first line")
        except LineFault as fault:
            self._faults.append((number, str(fault)))
            return b""
        try:
            values = row_values(request.features, self._manifest)
            cells = [cell_text(value, one) for value, one in zip(values, self._manifest.features, strict=True)]
            if any("\0" in cell for cell in cells):
                raise RowValues.at("features", "has a NUL character, which no table can hold")
        except RowValues as error:
            problem = error.detail[:_PROBLEM_CHARACTERS].replace("\0", "\\0")
            return csv_row([request.custom_id, problem, *[None] * len(self._manifest.features)])
        return csv_row([request.custom_id, None, *cells])
