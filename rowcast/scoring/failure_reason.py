"""The likely reason why all rows of a chunk are bad: the most frequent fault, to continue the words "every row"."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rowcast.csv import scan
from rowcast.jobs.options import Options
from rowcast.scoring.table import RowFault

_VALUE_CHARACTERS = 40
"""Maximum characters of an example."""


@dataclass(frozen=True)
class Reason:
    """Why all rows of a chunk are bad."""

    #: The fault: `has a bad cell in column 'age': not a number`.
    message: str
    #: A value that has it; empty if the whole row is at fault.
    example: str
    #: How many rows have it.
    rows: int

    def to_json(self) -> Mapping[str, Any]:
        """Returns the form that is stored in Redis with the part's summary (`ending.lua`)."""
        return {"bad": {"message": self.message, "example": self.example, "rows": self.rows}}


def likely_reason(
    data: bytes, fields: scan.Fields, faults: Sequence[RowFault], expected: int, options: Options
) -> Reason:
    """Returns the most frequent of the `faults`, one for each row, all bad. A row has `expected` fields."""
    (column, message), rows = Counter((fault.column, fault.message) for fault in faults).most_common(1)[0]
    if column:
        values = (fault.value for fault in faults if (fault.column, fault.message) == (column, message))
        return Reason(f"has a bad cell in column {column!r}: {message}", next(values)[:_VALUE_CHARACTERS], rows)
    if rows == len(faults) and (fields.counts == expected + 1).all() and _end_in(data, fields, options.delimiter):
        than = "the header" if options.header else "the model has features"
        return Reason(f"has one field more than {than}: a trailing delimiter?", "", rows)
    if expected > 1 and (fields.counts == 1).all():
        return Reason(f"{message}: is the delimiter another one?", "", rows)
    return Reason(message if message.startswith("has ") else f"cannot be predicted: {message}", "", rows)


def _end_in(data: bytes, fields: scan.Fields, delimiter: str) -> bool:
    """Returns whether each row ends in the delimiter."""
    return bool((np.frombuffer(data, np.uint8)[fields.lines.ends - 1] == ord(delimiter)).all())
