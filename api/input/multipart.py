"""Reads a multipart form (RFC 7578) as a stream: the part `file`, and options before or after it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from rowcast.errors import BrokenForm, NoFile, OptionUnsuitable, OptionValue, TooLarge

MAX_FIELD_BYTES = 64 * 1024
MAX_PARTS = 100

HELD_BYTES = 8 * 1024 * 1024
"""Files up to this size are held back until the form has ended, so that options may follow them."""

_MEMORY_BYTES = 256 * 1024
"""Held bytes beyond this number are on disk, because there may be thousands of uploads at a time."""

_BLOCK_BYTES = 1024 * 1024


@dataclass
class Form:
    """The fields, the file's name, and its content, which can be read once."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    content: Iterator[bytes] = field(default_factory=lambda: iter(()))


def read_form(blocks: Iterator[bytes], boundary: bytes) -> Form:
    """Reads the fields and at most the first `HELD_BYTES` of the file.

    If the file is larger, only fields before it are read. A field after it is refused when the content has been read.

    Raises:
        BrokenForm: it is not a multipart form, or is cut off. NoFile: the part `file` is missing, or not the only file.
        OptionValue: a field is given twice. TooLarge: a field or the number of parts exceeds the limit.
    """
    events = _events(_at_safe_edges(blocks, boundary), MultipartDecoder(boundary, max_parts=MAX_PARTS))
    form = Form()
    name, value = "", b""
    held: IO[bytes] | None = None
    for event in events:
        match event:
            case Field():
                name, value = event.name, b""
            case File() if event.name == "file":
                if form.filename is not None or held is not None:
                    raise NoFile.at("file", "the form has more than one file: send each file separately")
                form.filename = event.filename or None
                held = SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 (closed when it has been read)
                if not _hold(events, held):
                    form.content = chain(_read(held), _content(events))
                    return form
                form.content = _read(held)
            case File():
                raise NoFile.at(event.name, "is a file, but the file must be in the part called 'file'")
            case Data():
                value += event.data
                if len(value) > MAX_FIELD_BYTES:
                    raise TooLarge("A form field", MAX_FIELD_BYTES, "fixed")
                if not event.more_data:
                    _add(form.fields, name, value)
    if held is None:
        raise NoFile.at("file", "the form has no part called 'file' with a file name")
    return form


def _add(fields: dict[str, str], name: str, value: bytes) -> None:
    """Adds a field. `model` may come twice, because the page's form has a field for each of two models."""
    if name in fields and name != "model":
        raise OptionValue.at(name, "is given more than once")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BrokenForm(f"The form field {name!r} is not UTF-8.") from None
    fields[name] = ",".join(filter(None, (fields[name], text))) if name in fields else text


def _hold(events: Iterator[Event], held: IO[bytes]) -> bool:
    """Copies the file into `held`. Returns True at its end, and False if it exceeds `HELD_BYTES`."""
    for event in events:
        if isinstance(event, Data):
            held.write(event.data)
            if not event.more_data:
                return True
            if held.tell() > HELD_BYTES:
                break
    return False


def _read(held: IO[bytes]) -> Iterator[bytes]:
    held.seek(0)
    with held:
        while block := held.read(_BLOCK_BYTES):
            yield block


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            yield event.data
            if not event.more_data:
                break
    for event in events:
        if isinstance(event, Field | File):
            large = f"comes after the file, which is larger than {HELD_BYTES // 1024**2} MiB"
            raise OptionUnsuitable.at(event.name, f"{large}: send options before the file, or in the query")


def _events(blocks: Iterator[bytes], decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        for block in blocks:
            decoder.receive_data(block)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield _named(event)
            if isinstance(event, Epilogue):
                for _ in blocks:  # RFC 2046 §5.1.1: anything after the last boundary is ignored
                    pass
                return
            if len(decoder.buffer) > MAX_FIELD_BYTES:  # content is passed on at once, so these are headers
                raise TooLarge("The headers of a form part", MAX_FIELD_BYTES, "fixed")
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield _named(event)
    except RequestEntityTooLarge:
        raise TooLarge("The number of form parts", MAX_PARTS, "fixed") from None
    except ValueError as error:
        raise BrokenForm(f"The form is not multipart/form-data: {error}.") from None


def _named(event: Event) -> Event:
    """Refuses a part without a name. Werkzeug gives it the name None, though its types say text."""
    if isinstance(event, Field | File) and not event.name:
        raise BrokenForm('A part of the form has no name: its Content-Disposition needs `name="..."`.')
    return event


def _at_safe_edges(blocks: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """Yields the same bytes in blocks that never end within the line of a boundary.

    Werkzeug 3.1 treats the CR before a boundary as content if a block ends after the boundary's first hyphen.
    """
    longest = len(b"\r\n--%b--\r\n" % boundary)
    held = b""
    for block in blocks:
        data = held + block if held else block
        edge = data.find(b"\r", max(0, len(data) - longest))
        held = data[edge:] if edge >= 0 else b""
        if passed := data[:edge] if edge >= 0 else data:
            yield passed
    if held:
        yield held
