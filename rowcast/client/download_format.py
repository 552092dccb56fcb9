"""The formats of a batch's result, and the one that a target's name stands for."""

import os
from pathlib import PurePath
from typing import BinaryIO, Literal, get_args

from rowcast.client.errors import WrongUse

ResultFormat = Literal["csv", "ndjson", "parquet"]
"""CSV, NDJSON with one JSON object per line, or Parquet with typed columns."""

_OF_ENDING: dict[str, ResultFormat] = {".parquet": "parquet", ".ndjson": "ndjson", ".jsonl": "ndjson"}


def format_of(target: str | os.PathLike[str] | BinaryIO, given: ResultFormat | None) -> ResultFormat:
    """Returns the format `given`, or that of the ending of a path, for example of `out.parquet`. Others are CSV.

    Raises:
        WrongUse: there is no such format.
    """
    if given is not None:
        if given not in get_args(ResultFormat):
            raise WrongUse(f"format is {given!r}; give 'csv', 'ndjson' or 'parquet'.")
        return given
    if not isinstance(target, str | os.PathLike):
        return "csv"
    return _OF_ENDING.get(PurePath(target).suffix.lower(), "csv")
