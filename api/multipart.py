"""A multipart form whose file streams by: options first, then the part `file` (RFC 7578)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from rowcast.errors import BrokenForm, NoFile, OptionUnsuitable, OptionValue, TooLarge

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
        BrokenForm: it is no multipart form, or breaks off. NoFile: no part `file`, or another file.
        OptionValue, OptionUnsuitable: an option occurs twice, or after the file.
    """
    events = _events(_at_safe_edges(blocks, boundary), MultipartDecoder(boundary, max_parts=MAX_PARTS))
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
                raise NoFile.at(event.name, "a file in a part of this name; the file's part is called 'file'")
            case Data():
                value += event.data
                if len(value) > MAX_FIELD_BYTES:
                    raise TooLarge("A form field", MAX_FIELD_BYTES, "fixed")
                if not event.more_data:
                    _add(form.fields, name, value)
    raise NoFile.at("file", "the form has no part called 'file' with a file name")


def _add(fields: dict[str, str], name: str, value: bytes) -> None:
    if name in fields:
        raise OptionValue.at(name, "given more than once")
    try:
        fields[name] = value.decode()
    except UnicodeDecodeError:
        raise BrokenForm(f"The form field {name!r} is not UTF-8.") from None


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            yield event.data
            if not event.more_data:
                break
    for event in events:
        if isinstance(event, Field | File):
            raise OptionUnsuitable.at(event.name, "comes after the file; send options before it, or in the query")


def _events(blocks: Iterator[bytes], decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        for block in blocks:
            decoder.receive_data(block)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
            if isinstance(event, Epilogue):
                for _ in blocks:  # RFC 2046 §5.1.1: whatever follows the last boundary is ignored
                    pass
                return
            if len(decoder.buffer) > MAX_FIELD_BYTES:  # content leaves at once, so this is no content
                raise TooLarge("The headers of a form part", MAX_FIELD_BYTES, "fixed")
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
    except RequestEntityTooLarge:
        raise TooLarge("The number of form parts", MAX_PARTS, "fixed") from None
    except ValueError as error:
        raise BrokenForm(f"The form is not multipart/form-data: {error}.") from None


def _at_safe_edges(blocks: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """The same bytes, divided so that no block ends within the line of a boundary.

    Werkzeug 3.1 takes the CR in front of a boundary for content if a block ends behind the boundary's first hyphen.
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
