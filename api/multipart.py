"""A multipart form whose file streams by: options first, then the part `file` (RFC 7578)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from rowcast.errors import TooLarge, Unprocessable, Unreadable

MAX_FIELD_BYTES = 64 * 1024
MAX_PARTS = 100


@dataclass
class Form:
    """The fields before the file, the file's name, and its content, which can be read once."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    content: Iterator[bytes] = field(default_factory=lambda: iter(()))


def read_form(blocks: Iterator[bytes], boundary: bytes) -> Form:
    """Reads up to the file's first byte.

    Raises:
        Unreadable: it is no multipart form, or breaks off. Unprocessable: no part `file`, or another file.
    """
    events = _events(blocks, MultipartDecoder(boundary, MAX_FIELD_BYTES, max_parts=MAX_PARTS))
    form = Form()
    name, value = "", b""
    for event in events:
        match event:
            case Field():
                name, value = event.name, b""
            case File() if event.name == "file":
                form.filename = event.filename or None
                form.content = _content(events)
                return form
            case File():
                raise Unprocessable.at(event.name, "a file in a part of this name; the file's part is called 'file'")
            case Data():
                value += event.data
                if len(value) > MAX_FIELD_BYTES:
                    raise TooLarge("A form field", MAX_FIELD_BYTES, "fixed")
                if not event.more_data:
                    _add(form.fields, name, value)
    raise Unprocessable.at("file", "the form has no part called 'file' with a file name")


def _add(fields: dict[str, str], name: str, value: bytes) -> None:
    if name in fields:
        raise Unprocessable.at(name, "given more than once")
    try:
        fields[name] = value.decode()
    except UnicodeDecodeError:
        raise Unreadable(f"The form field {name!r} is not UTF-8.") from None


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            yield event.data
            if not event.more_data:
                break
    for event in events:
        if isinstance(event, Field | File):
            raise Unprocessable.at(event.name, "comes after the file; send options before it, or in the query")


def _events(blocks: Iterator[bytes], decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        for block in blocks:
            decoder.receive_data(block)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
            if isinstance(event, Epilogue):
                for _ in blocks:  # the standard lets anything follow, and it means nothing
                    pass
                return
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
    except RequestEntityTooLarge:
        raise TooLarge("A form field, or the number of parts,", MAX_FIELD_BYTES, "fixed") from None
    except ValueError as error:
        raise Unreadable(f"The form is not multipart/form-data: {error}.") from None
