"""Receives a source: a file that a worker converts, for example Parquet. It is stored as it is sent, in pieces."""

import hashlib
from collections.abc import Iterable

from rowcast.errors import OptionUnsuitable
from rowcast.jobs.actions.keep_alive import KeepAlive
from rowcast.jobs.actions.pending_syncs import PendingSyncs
from rowcast.jobs.job import Format, InputInfo
from rowcast.jobs.job_files import Files, pieces_of
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.request import Request

CSV_OPTIONS = ("delimiter", "decimal", "encoding", "header")
"""Options that say how a CSV file is written."""

FORMAT_NAMES: dict[Format, str] = {
    "csv": "CSV file",
    "parquet": "Parquet file",
    "xlsx": "Excel workbook",
    "jsonl": "file of requests",
}
"""What each format is called in messages."""


def require_no_csv_options(options: Options, format: Format) -> None:
    """Checks that no option says how a CSV file is written.

    Raises:
        OptionUnsuitable: one does.
    """
    for name in CSV_OPTIONS:
        if getattr(options, name) not in (Options.model_fields[name].default, *_AS_CONVERTED.get(name, ())):
            raise OptionUnsuitable.at(name, f"is only for CSV files, and this is {_a(format)}: leave the option out")
    if format == "parquet" and options.na_values is not None:
        raise OptionUnsuitable.at(
            "na_values", "is not for Parquet files, where a missing value is a null: leave the option out"
        )


_AS_CONVERTED = {"delimiter": (",",), "encoding": ("utf-8",)}
"""Values that are true of what a worker makes of the file."""


def _a(format: Format) -> str:
    return f"{'an' if FORMAT_NAMES[format][0] == 'E' else 'a'} {FORMAT_NAMES[format]}"


class SourceReceiver:
    """One source that is being received.

    Raises:
        Unavailable: the store cannot be reached.
    """

    def __init__(self, uploads: Uploads, files: Files, request: Request, id: str, format: Format) -> None:
        """Prepares to receive a source for the job `id`.

        Raises:
            OptionUnsuitable: an option says how a CSV file is written.
        """
        require_no_csv_options(request.options, format)
        self._files, self._request, self._id, self._format = files, request, id, format
        self._keep_alive = KeepAlive(uploads.touch, id)

    def take(self, blocks: Iterable[bytes]) -> NewJob:
        """Stores the file, which comes in blocks of any size, and returns the job to make of it."""
        sha256, length, syncs = hashlib.sha256(), 0, PendingSyncs()
        for piece, data in enumerate(pieces_of(blocks)):
            syncs.add(self._files.put_source_piece_early(self._id, piece, data))
            sha256.update(data)
            length += len(data)
            self._keep_alive()
        syncs.wait()
        return self._job(sha256.hexdigest(), length)

    def _job(self, sha256: str, length: int) -> NewJob:
        request = self._request
        options = request.options.model_copy(update={"delimiter": ",", "encoding": "utf-8"})
        input = InputInfo(bytes=length, sha256=sha256, filename=request.filename, columns=(), format=self._format)
        return NewJob(
            id=self._id,
            owner=request.owner,
            spec=request.spec("batch", options, input, id=self._id),
            rows=0,
            chunks=0,
            plan=b"",
            repeat=request.repeat(sha256),
            sameness=None if request.is_check else request.sameness(sha256, options),
            reuses=options.reuse,
            max_errors=options.max_errors,
            is_converting=True,
        )
