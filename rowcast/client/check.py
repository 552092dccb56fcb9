"""The check of a file before it is sent, as the service answers it (docs/api.md, "Check a file before you send it")."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

CHECKED_BYTES = 1024 * 1024
"""The service reads no more of a CSV file than this, so the client sends no more."""

CHECKED_SOURCE_BYTES = 64 * 1024 * 1024
"""Largest Parquet file or workbook that the service checks. Such a file is sent as a whole."""


@dataclass(frozen=True)
class Check:
    """What a file would give if it were sent, found out from its first rows."""

    #: Whether the service would accept the file and predict at least one of its first rows.
    ok: bool
    #: The model version, `{"name": ..., "version": ...}`.
    model: dict[str, str]
    #: `csv`, `parquet` or `xlsx`. Of the last two, the next three describe the rows of CSV that a worker makes of them.
    format: str
    #: The delimiter that was found, or the one that was named.
    delimiter: str
    #: The decimal mark.
    decimal: str
    #: The encoding; empty if the file could not be read.
    encoding: str
    #: Whether the first line is read as the header.
    header: bool
    #: `matched` and `carried`: names. `missing`: each with `name` and `nearest`, which may be None.
    columns: dict[str, list[Any]]
    #: For each feature `name`, `kind` (what the model takes), `seen` (what the cells are) and `fits`.
    types: list[dict[str, Any]]
    #: The first predictions, each with `row` (from 1) and `prediction`.
    sample: list[dict[str, Any]]
    #: The first bad rows, each with `row`, `column`, `value` and `message`.
    bad_rows: list[dict[str, Any]]
    #: `rows` and `seconds` of the whole file; each is None if it cannot be estimated.
    expected: dict[str, float | None]
    #: Each with `type` and `message`.
    warnings: list[dict[str, str]]
    #: Why the service would refuse the file, as a problem document, or None.
    problem: dict[str, Any] | None
    #: Options with which the file probably fits, each with `option`, `value` and `message`.
    fixes: list[dict[str, str]]
    #: The whole answer.
    raw: dict[str, Any]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Check":
        """Returns the check in a response of the service."""
        named: dict[str, Any] = {one.name: answer.get(one.name) for one in fields(cls) if one.name != "raw"}
        return cls(**named, raw=dict(answer))
