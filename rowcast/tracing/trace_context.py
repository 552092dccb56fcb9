"""The trace context: the header `traceparent` of W3C Trace Context, by which programs know that work belongs together.

It looks like `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`: version, trace id, span id and flags.
"""

import re
import secrets
from typing import NamedTuple, Self

_PATTERN = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """A place in a trace."""

    #: Id of the trace: 32 hexadecimal digits.
    trace_id: str
    #: Id of the span that other spans are below: 16 hexadecimal digits.
    span_id: str
    #: Whether the trace is recorded.
    is_sampled: bool

    @classmethod
    def read(cls, header: str) -> Self | None:
        """Returns the context of a header `traceparent`, or None if it is not valid (Trace Context, section 3.2).

        A version that is not known yet is read as version 00, which later versions may only extend.
        """
        found = _PATTERN.fullmatch(header)
        if found is None or (found[1] == "00" and found[5] is not None):
            return None
        return cls(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))

    @classmethod
    def new(cls) -> Self:
        """Returns the beginning of a new trace that is not recorded."""
        return cls(secrets.token_hex(16), secrets.token_hex(8), False)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02d}"
