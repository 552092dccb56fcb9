"""Cells: values as the fields of a CSV that reads back the same (RFC 4180)."""

import json
import re
from collections.abc import Sequence

from rowcast.errors import RowValues

_ODD = re.compile(r'["\r\n]|^\s|\s$')
"""Text that gets quotes, as does the delimiter. Blanks at the edges do not need them, but some programs strip them."""


class InQuotes(str):
    """A text that gets quotes although CSV does not need them. Every reader drops them again."""

    __slots__ = ()


def csv_row(cells: Sequence[object], delimiter: str = ",") -> bytes:
    """Returns one row with its LF: None as an empty cell, lists and objects as their JSON.

    A row of one empty cell is `""`, because a blank line would not be a row.

    Raises:
        RowValues: a text has half of a surrogate pair, which JSON can write and UTF-8 cannot.
    """
    if len(cells) == 1 and cells[0] in (None, ""):
        return b'""\n'
    row = delimiter.join(_text(cell, delimiter) for cell in cells)
    try:
        return row.encode() + b"\n"
    except UnicodeEncodeError as error:
        half = f"{error.object[error.start]!r} is half of a surrogate pair, which is not a character"
        raise RowValues.at("text", half) from None


def csv_cell(text: str, delimiter: str = ",") -> bytes:
    """Returns one text as a field, in quotes where it needs them."""
    return _quoted(text, delimiter).encode()


def label_text(label: object) -> str:
    """Returns what a class or a predicted value is called in texts, columns and JSON keys: as Python writes it."""
    return label if isinstance(label, str) else str(label)


def _text(cell: object, delimiter: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    return _quoted(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False), delimiter)


def _quoted(text: str, delimiter: str) -> str:
    if delimiter in text or _ODD.search(text) or isinstance(text, InQuotes):
        return '"' + text.replace('"', '""') + '"'
    return text
