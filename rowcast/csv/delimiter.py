"""The delimiter of a file, if the request does not name it: the one with which the header has the features."""

import re
from collections.abc import Sequence

from rowcast.csv import scan
from rowcast.csv.header import column_names
from rowcast.errors import CsvSyntax

AUTO = "auto"
"""The option's value if the delimiter has to be found."""

DELIMITERS = (",", ";", "\t", "|")
"""If several fit equally well, the first is taken."""

_WINDOW_BYTES = 64 * 1024
"""Number of bytes in which the first line is looked for; only a longer line is looked for in all bytes."""

_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r?\n', re.IGNORECASE)
_SEPARATOR_BYTES = len(b'"sep=;"\r\n')


def separator_line(data: bytes, *, final: bool) -> bytes | None:
    """Returns the first line with its line end, if it names the delimiter for Excel (`sep=;`), otherwise no bytes.

    Returns None as long as `data` is too short to decide, and more may come.
    """
    found = _SEPARATOR_LINE.match(data[:_SEPARATOR_BYTES])
    if found:
        return found[0]
    may_begin = len(data) < _SEPARATOR_BYTES and any(
        (word + b"\n").startswith(data[: len(word)].lower()) and b"\n" not in data for word in (b"sep=", b'"sep=')
    )
    return None if may_begin and not final else b""


def separator(line: bytes) -> str:
    """Returns the delimiter that a separator line names.

    Raises:
        CsvSyntax: a file may not have this delimiter.
    """
    delimiter = line.strip(b'"\r\n')[len(b"sep=") :].decode("latin-1")
    if delimiter not in DELIMITERS:
        raise CsvSyntax.at("file", f"its first line names the delimiter {delimiter!r}; use , ; | or tab")
    return delimiter


def find_delimiter(data: bytes, features: Sequence[str], *, header: bool, final: bool) -> str | None:
    """Returns the delimiter of a file that begins with `data`, or the most likely one if none fits.

    It fits if the first line has all `features`, or without a header as many fields as there are features. Returns
    None if the first line has not ended; `final` says that nothing follows.
    """
    lines = {delimiter: _first_fields(data, delimiter, final=final) for delimiter in DELIMITERS}
    known = {delimiter: fields for delimiter, fields in lines.items() if fields is not None}
    wanted = set(features)

    def found(delimiter: str) -> int:
        fields = known[delimiter]
        return len(wanted.intersection(column_names(fields))) if header else -abs(len(fields) - len(features))

    all_found = len(wanted) if header else 0
    fitting = [delimiter for delimiter in known if found(delimiter) == all_found]
    if fitting:
        return max(fitting, key=lambda delimiter: len(known[delimiter]))
    if len(known) < len(DELIMITERS) and not final:
        return None
    return max(known, key=lambda delimiter: (found(delimiter), len(known[delimiter])), default=DELIMITERS[0])


def fitting_delimiter(line: bytes, features: Sequence[str]) -> str | None:
    """Returns the delimiter with which a header line has all `features`; None if there is none."""
    for delimiter in DELIMITERS:
        if set(features) <= set(column_names(_first_fields(line, delimiter, final=True) or [])):
            return delimiter
    return None


def _first_fields(data: bytes, delimiter: str, *, final: bool) -> list[bytes] | None:
    """Returns the fields of the first line that is not blank; None if it has not ended."""
    for window in (data[:_WINDOW_BYTES], data):
        is_all = len(window) == len(data)
        found = scan.lines(window, scan.quoted(window, delimiter), delimiter, final=final and is_all)
        if len(found):
            return scan.fields(window[int(found.starts[0]) : int(found.ends[0])], delimiter)
        if is_all:
            break
    return None
