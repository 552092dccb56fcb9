"""Strict JSON, as a whole or line by line: UTF-8, without NaN, Infinity, repeated keys or halves of surrogate pairs."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rowcast.errors import NotJson, TooLarge

_BOM = b"\xef\xbb\xbf"


def parse(text: bytes, where: str = "The body", *, takes_nan: bool = False) -> Any:
    """Returns the value of strict JSON: UTF-8, without NaN, Infinity, repeated keys or halves of surrogate pairs.

    `where` begins the messages of errors, for example "Line 3". With `takes_nan`, NaN is null, because numpy and pandas
    write a missing number so.

    Raises:
        NotJson: the text is not strict JSON, or is nested deeper than Python can parse.
    """
    try:
        value = (_TAKES_NAN if takes_nan else _STRICT).decode(text.removeprefix(_BOM).decode())
        return _of_whole_characters(value) if b"\\u" in text else value
    except UnicodeDecodeError as error:
        raise NotJson(f"{where} is not UTF-8: the byte at offset {error.start} is not valid.") from None
    except RecursionError:
        raise NotJson(f"{where} is nested too deeply.") from None
    except ValueError as error:
        raise NotJson(f"{where} is not JSON: {error}.") from None


def lines_of(blocks: Iterable[bytes], max_row_bytes: int) -> Iterator[list[bytes]]:
    """Yields for each block the lines that end in it, without line ends.

    Raises:
        TooLarge: a line exceeds the limit.
    """
    rest = bytearray()
    for block in blocks:
        first, *others = block.split(b"\n")
        rest += first
        if len(rest) > max_row_bytes:
            raise TooLarge("A line", max_row_bytes, "ROWCAST_MAX_ROW_BYTES")
        if others:
            yield [bytes(rest), *others[:-1]]
            rest = bytearray(others[-1])
    if rest:
        yield [bytes(rest)]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _nan_as_missing(name: str) -> Any:
    return None if name == "NaN" else _refuse_constant(name)


def _of_whole_characters(value: Any) -> Any:
    """Returns the value, if its texts can be written as UTF-8.

    JSON can write half of a surrogate pair (RFC 8259 §8.2), UTF-8 cannot.

    Raises:
        ValueError: a text contains half of a surrogate pair.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"{error.object[error.start]!r} is half of a surrogate pair and not a character"
        raise ValueError(half) from None
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
"""Made once, because `json.loads` would make one for each line."""

_TAKES_NAN = json.JSONDecoder(parse_constant=_nan_as_missing, object_pairs_hook=_refuse_twice)
