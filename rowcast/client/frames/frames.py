"""DataFrames: checks one, writes it as a CSV file without loss, and adds predictions to it as columns.

`pandas_frame` and `polars_frame` have the same three functions, each for frames of its library. Neither library is
imported before a frame of it is given.
"""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, BinaryIO, Protocol, TypeVar

from rowcast.client.errors import ServiceError, WrongUse
from rowcast.client.frames.added_columns import read_added
from rowcast.wording.quantity import counted


class DataFrame(Protocol):
    """A DataFrame of pandas or polars, as far as type checkers need to know."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""

    def __len__(self) -> int: ...


Frame = TypeVar("Frame", bound=DataFrame)


def require_sendable(frame: Any, added: Iterable[str], *, may_be_empty: bool = False) -> None:
    """Checks that a frame can be sent, and that the columns `added` can be added to it.

    Raises:
        WrongUse: it is not a DataFrame, its column names are not distinct texts, or it has no rows.
    """
    library = _library_of(frame)
    library.require_named_columns(frame)
    for name in added:
        if name in frame.columns:
            raise WrongUse(
                f"The frame already has a column {name!r}; choose another name with prediction_column or columns."
            )
    if not len(frame) and not may_be_empty:
        raise WrongUse("The frame has no rows.")


def write_csv(frame: DataFrame, manifest: Mapping[str, Any], file: BinaryIO) -> None:
    """Writes the model's features. If some are missing, writes all columns, so that the service can name the nearest.

    The file is then at its beginning.

    Raises:
        WrongUse: a cell has no exact text, or a feature is the frame's index.
    """
    _library_of(frame).write_csv(frame, manifest, file)
    file.seek(0)


def with_predictions(
    frame: Frame,
    result: BinaryIO,
    models: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, type] | None = None,
) -> Frame:
    """Returns a copy of the frame with the result's columns. Rows without a prediction have missing values there.

    `models` has the manifest of its model for each column of labels. `kinds` has the class of the values of each
    column, for columns without a value; without it, they have the type of a column of floats.

    Raises:
        ServiceError: the result has a different number of rows.
        WrongUse: the frame already has one of the columns.
    """
    result.seek(0)
    added = read_added(result, models)
    rows = len(next(iter(added.values()), []))
    if rows != len(frame):
        raise ServiceError(f"The result has {counted(rows, 'row')}, but the frame has {len(frame):,}.")
    clashes = [name for name in added if name in frame.columns]
    if clashes:
        raise WrongUse(f"The frame already has a column {clashes[0]!r}, which the result would add.")
    done: Frame = _library_of(frame).with_columns(frame, added, kinds or {})
    return done


def _library_of(frame: Any) -> ModuleType:
    """Returns the module for frames of this library."""
    kind = type(frame).__name__
    if kind == "LazyFrame":
        raise WrongUse("This takes a DataFrame, not LazyFrame; use frame.collect().")
    if hasattr(frame, "columns") and hasattr(frame, "to_csv"):
        from rowcast.client.frames import pandas_frame

        return pandas_frame
    if hasattr(frame, "columns") and hasattr(frame, "write_csv"):
        from rowcast.client.frames import polars_frame

        return polars_frame
    raise WrongUse(f"This takes a pandas or polars DataFrame, not {kind}; for one row use predict.")
