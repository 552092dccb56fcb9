"""What schemathesis needs beyond /openapi.json: how bodies of its less usual types are written."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def one_object_a_line(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


@schemathesis.serializer("application/partial-upload")
def piece_of_a_file(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()
