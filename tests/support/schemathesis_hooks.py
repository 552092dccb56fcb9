"""What schemathesis needs beyond /openapi.json: how a body of one JSON object a line is written."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def one_object_a_line(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()
