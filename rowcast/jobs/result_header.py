"""The head of a result and of its errors: what stands before the first part."""

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
    """What stands before the result's first row.

    Args:
        header: None if the file has none.
        options: with the delimiter that was found; with `output=predictions` only the key's columns are kept.
        manifest: the model's.
        line_end: of the header line.
        has_mark: whether the result begins with a byte order mark.
        separator: the file's line `sep=;`; a joined result has it again.
    """
    mark = _MARK if has_mark else b""
    if options.output == "joined":
        mark += separator
    return mark + (_header_line(header, options, manifest, line_end) if header else b"")


def _header_line(header: Header, options: Options, manifest: Manifest, line_end: bytes) -> bytes:
    """Columns of the file as they were sent, then the added ones."""
    delimiter = options.delimiter
    line = header.line.removesuffix(b"\n").removesuffix(b"\r")
    kept = [line]
    if options.output == "predictions":
        sent = scan.fields(line, delimiter)
        kept = [_key_name(sent[header.columns.index(name)], name, delimiter) for name in options.key]
    added = options.added_columns(manifest)
    return delimiter.encode().join([*kept, *(csv_cell(name, delimiter) for name in added)]) + line_end


def _key_name(sent: bytes, name: str, delimiter: str) -> bytes:
    """The name of a key's column: as it was sent, unless pandas gave it another (`score.1`, `Unnamed: 0`)."""
    return sent if scan.text(sent) == name else csv_cell(name, delimiter)
