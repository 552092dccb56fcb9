"""An input file of training or registration, plain or gzipped, as text."""

import codecs
import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from rowcast.errors import NotFound, NotUtf8, Unprocessable, Unreadable
from rowcast.wording.nearest import or_nearest

_GZIP = b"\x1f\x8b"
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Reads the whole file as UTF-8, or as UTF-16 if it begins with that byte order mark. The mark is left out.

    Raises:
        NotFound: there is no such file.
        Unreadable: it cannot be read, or its gzip is broken.
        NotUtf8: it is not text; the error has the offset of the first wrong byte, after unzipping.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(_GZIP) else data
    except FileNotFoundError:
        raise NotFound.file(path) from None
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
    encoding = "UTF-16" if data.startswith(_UTF_16_MARKS) else "UTF-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"the byte at offset {error.start} is not {encoding}; save the file as CSV UTF-8"
        raise NotUtf8(error.start, str(path), message) from None


def no_column(file: str, wanted: str, columns: Iterable[str], where: str) -> Unprocessable:
    """Returns the error that a file lacks a column that was asked for at `where`. It names the nearest column."""
    return Unprocessable.at(where, f"{file} has no column {wanted!r}; {or_nearest(wanted, list(columns))}")
