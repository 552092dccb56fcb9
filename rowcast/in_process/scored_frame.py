"""A DataFrame scored in this process: written as CSV, cut into chunks, scored and read back as a job of it would be."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from tempfile import TemporaryFile
from typing import BinaryIO

from threadpoolctl import threadpool_limits

from rowcast.client.csv_options import FrameOptions
from rowcast.client.frames.frames import Frame, require_sendable, with_predictions, write_csv
from rowcast.client.frames.models_together import label_columns, needed_together
from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header
from rowcast.csv.pending_rows import Chunk
from rowcast.errors import BadRow, TooManyBadRows, UnknownOption
from rowcast.in_process.client_errors import raising_client_errors
from rowcast.in_process.opened_registry import OpenedRegistry, opened_registry, process_lock
from rowcast.jobs.actions.chunk_rows import rows_per_chunk
from rowcast.jobs.options import Options, require_suitable
from rowcast.jobs.request import Request, checked_options, require_columns
from rowcast.jobs.results.result_columns import AddedColumn, added_columns
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.logs import logging_as_library
from rowcast.models.model_set import ModelSet
from rowcast.scoring.score_chunk import ChunkSpec, score_each
from rowcast.scoring.table import RowFault
from rowcast.wording.nearest import if_nearest
from rowcast.wording.quantity import counted

_BLOCK_BYTES = 1024 * 1024


def pinned(model: str | None, models: str | PathLike[str] | None) -> str:
    """Returns the versions that a name means now. `rowcast.version_of` documents it."""
    with logging_as_library(), raising_client_errors():
        return opened_registry(models).find(model).reference


def scored_frame(frame: Frame, model: str | None, models: str | PathLike[str] | None, given: FrameOptions) -> Frame:
    """Returns the frame with the added columns. `rowcast.score` documents it."""
    require_sendable(frame, (), may_be_empty=True)
    with logging_as_library(), raising_client_errors(), TemporaryFile() as table, TemporaryFile() as result:
        opened = opened_registry(models)
        found = opened.find(model)
        options = _options(given, found)
        require_suitable(options, found)
        added = added_columns(options, found)
        require_sendable(frame, [column.name for column in added], may_be_empty=True)
        manifests = [one.model_dump(mode="json") for one in found.manifests]
        write_csv(frame, needed_together(manifests), table)
        pass_ = _Pass(opened, found, options, result)
        pass_.run(table, has_rows=len(frame) > 0)
        kinds = {column.name: _kind(column, found) for column in added}
        done = with_predictions(frame, result, label_columns(manifests, given), kinds)
    if pass_.failed:
        warnings.warn(_failed_rows(pass_.failed, len(frame), pass_.first_fault), stacklevel=3)
    return done


class _Pass:
    """One pass over the rows of a frame. Its result is that of a job of these rows."""

    def __init__(self, opened: OpenedRegistry, models: ModelSet, options: Options, result: BinaryIO) -> None:
        self._opened, self._models, self._options, self._result = opened, models, options, result
        settings = opened.settings
        self._chunker = Chunker(
            delimiter=options.delimiter,
            header=True,
            chunk_bytes=settings.chunk_bytes,
            chunk_rows=rows_per_chunk(models, settings, options),
            max_row_bytes=settings.max_row_bytes,
            max_columns=settings.max_columns,
            on_header=self._begin,
            features=tuple(models.feature_names),
            encoding=options.encoding,
            keeps_blank_rows=True,
        )
        self._columns: tuple[str, ...] = ()
        #: Number of bad rows.
        self.failed = 0
        self.first_fault: RowFault | None = None

    def run(self, table: BinaryIO, *, has_rows: bool) -> None:
        """Scores the table and writes the result.

        Raises:
            MissingColumns: the table lacks some. BadRow, TooManyBadRows: more rows are bad than the options allow.
            TooLarge: a row has more bytes than the settings allow.
        """
        with process_lock(), threadpool_limits(1):
            for chunk in self._chunks(table, has_rows=has_rows):
                self._score(chunk)

    def _begin(self, header: Header) -> None:
        # The delimiter is not the caller's, so no message names it.
        require_columns(
            replace(header, delimiter=""), Request(self._models.first, self._options, second=self._models.second)
        )
        self._columns, line_end = header.columns, self._chunker.line_end
        self._result.write(
            RESULT_FORMAT.header(header, self._options, self._models, line_end, has_mark=False, separator=b"")
        )

    def _chunks(self, table: BinaryIO, *, has_rows: bool) -> Iterator[Chunk]:
        for block in iter(partial(table.read, _BLOCK_BYTES), b""):
            yield from self._chunker.feed(block)
        yield from self._chunker.end() if has_rows else self._chunker.flush()

    def _score(self, chunk: Chunk) -> None:
        models = [self._opened.open(manifest) for manifest in self._models.manifests]
        spec = ChunkSpec(self._columns, self._chunker.line_end, self._options)
        part = score_each(chunk.data, chunk.first_row, models, spec)
        self._result.write(part.data)
        self._take_faults(part.faults)

    def _take_faults(self, faults: Sequence[RowFault]) -> None:
        if not faults:
            return
        self.failed += len(faults)
        self.first_fault = self.first_fault or faults[0]
        most = self._options.max_errors
        if self._options.on_error == "fail":
            raise BadRow.at(_place(self.first_fault), self.first_fault.message)
        if most is not None and self.failed > most:
            raise TooManyBadRows(f"{self.failed} rows could not be predicted, and max_errors allows {most}.")


def _options(given: FrameOptions, models: ModelSet) -> Options:
    """Returns the checked options of the job that would have this result."""
    for name in given:
        if name not in FrameOptions.__annotations__:
            message = f"score has no such option{if_nearest(name, FrameOptions.__annotations__)}"
            raise UnknownOption.at(name, message)
    named = {name: value for name, value in given.items() if value is not None}
    file = {"model": models.reference, "output": "predictions", "delimiter": ",", "encoding": "utf-8"}
    return checked_options(named | file).with_numbers(models)


def _kind(column: AddedColumn, models: ModelSet) -> type:
    """Returns the class of a column's values, as far as the manifest says it."""
    if column.content in ("error", "reason"):
        return str
    if column.content not in ("prediction", "top"):
        return float
    kinds = {type(label) for label in models.manifests[column.model].classes or []}
    return kinds.pop() if len(kinds) == 1 else str if kinds else float


def _failed_rows(failed: int, rows: int, first: RowFault | None) -> str:
    """Returns the warning about bad rows."""
    example = f" The first is {_place(first)}: {first.message}." if first else ""
    return f'{failed:,} of {counted(rows, "row")} could not be predicted.{example} on_error="column" says why for each.'


def _place(fault: RowFault) -> str:
    """Returns the place of a fault: the row, counted from 1, and the column if one is at fault."""
    return f"row {fault.row}" + (f", column {fault.column}" if fault.column else "")
