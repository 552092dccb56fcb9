"""The header lines of a result and of its bad rows."""

from rowcast.csv import scan
from rowcast.csv.header import Header
from rowcast.csv.write import csv_cell
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Manifest

ERRORS_HEADER = b"row,column,value,message\n"


_MARK = b"\xef\xbb\xbf"


def result_header(
    header: Header | None, options: Options, manifest: Manifest, line_end: bytes, *, has_mark: bool, separator: bytes
) -> bytes:
    """Returns what comes before the first row of a result.

    Args:
        header: the header of the file, or None if the file has no header.
        options: the options, with the delimiter that was found. With `output=predictions`, only the columns of `key`
            are kept.
        manifest: the manifest of the model.
        line_end: the line end of the header line.
        has_mark: whether the result begins with a byte order mark.
        separator: the line of the file that names its delimiter, for example `sep=;`. A joined result repeats it.
    """
    mark = _MARK if has_mark else b""
    if options.output == "joined":
        mark += separator
    return mark + (_header_line(header, options, manifest, line_end) if header else b"")


def _header_line(header: Header, options: Options, manifest: Manifest, line_end: bytes) -> bytes:
    """Returns the columns of the file as they were sent, then the added ones."""
    delimiter = options.delimiter
    line = header.line.removesuffix(b"\n").removesuffix(b"\r")
    kept = [line]
    if options.output == "predictions":
        sent = scan.fields(line, delimiter)
        kept = [_key_name(sent[header.columns.index(name)], name, delimiter) for name in options.key]
    added = options.added_columns(manifest)
    return delimiter.encode().join([*kept, *(csv_cell(name, delimiter) for name in added)]) + line_end


def _key_name(sent: bytes, name: str, delimiter: str) -> bytes:
    """Returns the name of a column of `key`: as it was sent, or as pandas renamed it (`score.1`, `Unnamed: 0`)."""
    return sent if scan.text(sent) == name else csv_cell(name, delimiter)
