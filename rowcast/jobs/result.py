"""The head of a result and of its errors: the lines that stand before the first part."""

from rowcast.jobs import csvcut
from rowcast.jobs.cells import csv_cell
from rowcast.jobs.options import Options
from rowcast.models.manifest import Manifest

ERRORS_HEADER = b"row,column,value,message\n"


def result_header(header_line: bytes | None, options: Options, manifest: Manifest, line_end: bytes) -> bytes:
    """The result's header line: input columns as they were sent, then the added ones. Empty where there is no header.

    `header_line` is as `Header.line`; with `output=predictions` only the key columns of it are kept.
    """
    if not options.header or header_line is None:
        return b""
    delimiter = options.delimiter
    line = header_line.removesuffix(b"\n").removesuffix(b"\r")
    kept = [line]
    if options.output == "predictions":
        sent = csvcut.fields(line, delimiter)
        by_name = {csvcut.text(field): field for field in sent}
        kept = [by_name[name] for name in options.key]
    added = options.added_columns(manifest)
    return delimiter.encode().join([*kept, *(csv_cell(name, delimiter) for name in added)]) + line_end
