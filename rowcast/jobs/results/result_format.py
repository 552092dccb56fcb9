"""The seam for formats of results: what a format must provide, and the one that results have."""

from typing import Protocol

from rowcast.csv import scan
from rowcast.csv.header import Header
from rowcast.jobs.options import Options
from rowcast.jobs.results.csv_result import CsvResult
from rowcast.models.model_set import ModelSet


class ResultFormat(Protocol):
    """Writes results. A result is its header followed by the parts of all chunks, in order."""

    #: The media type that a client accepts, for example `text/csv`.
    media_type: str
    #: The header `Content-Type` of a result.
    content_type: str
    #: The ending of a result's file name, without a dot.
    extension: str

    def header(
        self,
        header: Header | None,
        options: Options,
        models: ModelSet,
        line_end: bytes,
        *,
        has_mark: bool,
        separator: bytes,
    ) -> bytes:
        """Returns what comes before the first row of a result."""

    def rows(
        self,
        data: bytes,
        fields: scan.Fields,
        added: list[bytes],
        *,
        columns: tuple[str, ...],
        line_end: bytes,
        options: Options,
    ) -> bytes:
        """Returns the part of a chunk: its rows with the added cells."""


RESULT_FORMAT: ResultFormat = CsvResult()
"""The format of all results."""
