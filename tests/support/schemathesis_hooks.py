"""What schemathesis needs beyond /openapi.json: how to write some types of bodies, and how long to wait."""

import schemathesis

_LONGEST_WAIT_SECONDS = 60
"""The largest value of `wait` that the service accepts."""


@schemathesis.serializer("application/x-ndjson")
def one_object_a_line(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


@schemathesis.serializer("application/partial-upload")
def piece_of_a_file(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: dict[str, object]) -> None:
    """Lets requests for a Parquet file, and those at the doors, wait for what they ask for.

    With a short `wait`, the promised response is 503 or 504 until a worker is done. schemathesis takes each of them for
    a fault of the server. tests/stack/test_parquet_results.py and test_doors.py check these responses.
    """
    query = case.query or {}
    waits = query.get("format") == "parquet" or case.path.endswith(("/invocations", "/infer"))
    if waits and _is_valid_wait(query.get("wait")):
        query["wait"] = _LONGEST_WAIT_SECONDS


def _is_valid_wait(value: object) -> bool:
    try:
        return 0 <= float(str(value)) <= _LONGEST_WAIT_SECONDS
    except ValueError:
        return False
