"""Reads the bytes of a body as they arrive. gunicorn's `read` would wait for as many as it is asked for."""

import io
from typing import Any

from gunicorn.http.body import ChunkedReader, LengthReader


def read_some(body: Any, max_bytes: int) -> bytes:
    """Returns the next bytes of `wsgi.input`, however few have arrived, or no bytes at the end of the body.

    If the server is not gunicorn, it reads `max_bytes`.

    Raises:
        The exceptions of `read`.
    """
    reader = getattr(body, "reader", None)
    if not isinstance(reader, LengthReader | ChunkedReader):
        data: bytes = body.read(max_bytes)
        return data
    if held := _take_buffer(body):
        return held
    try:
        return _read_length(reader) if isinstance(reader, LengthReader) else _read_chunks(reader)
    except Exception:
        body.failed = True  # as gunicorn's `read` does: the connection must not be used again
        raise


def _take_buffer(holder: Any) -> bytes:
    held: bytes = holder.buf.getvalue()
    if held:
        holder.buf = io.BytesIO()
    return held


def _read_length(reader: Any) -> bytes:
    if not reader.length:
        return b""
    data: bytes = reader.unreader.read(None, read_ahead=reader.length)
    if len(data) > reader.length:  # belongs to the next request on the same connection
        reader.unreader.unread(data[reader.length :])
        data = data[: reader.length]
    reader.length -= len(data)
    return data


def _read_chunks(reader: Any) -> bytes:
    if held := _take_buffer(reader):
        return held
    while reader.parser:
        try:
            piece: bytes = next(reader.parser)
        except StopIteration:
            reader.parser = None
        else:
            if piece:
                return piece
    return b""
