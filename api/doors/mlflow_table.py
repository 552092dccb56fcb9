"""The rows in a JSON body of MLflow's `POST /invocations`, in one of MLflow's four forms.

Nothing here knows a model: each form becomes a list of rows, as `instances` of `POST /predict` has them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rowcast.errors import BodyShape, OptionUnsuitable, UnknownOption
from rowcast.wording.nearest import if_nearest
from rowcast.wording.quantity import counted

_MOST_CELLS = 2_000_000
"""Rows times names that objects may have. A body with other names in each row would have many more."""


@dataclass(frozen=True)
class NamedRows:
    """Rows, and what messages of errors call them."""

    #: For example `dataframe_split.data`; the first row is then `dataframe_split.data[0]`.
    where: str
    #: Each row is a list in the model's order, or an object with the names of the features.
    rows: list[Any]


def read_table(body: Any) -> NamedRows:
    """Returns the rows of a body.

    Raises:
        BodyShape: the body has none of the forms, more than one, or one that is not complete.
        UnknownOption: it has another member. OptionUnsuitable: it has `params`.
    """
    if not isinstance(body, Mapping) or len(_FORMS.keys() & body.keys()) != 1:
        raise BodyShape.at("body", f"must be a JSON object with exactly one of {', '.join(_FORMS)}")
    for name in body.keys() - _FORMS.keys() - {"params"}:
        raise UnknownOption.at(name[:200], f"unknown{if_nearest(name, [*_FORMS, 'params'])}")
    if body.get("params"):
        raise OptionUnsuitable.at("params", "is not supported; send options in the query, for example ?model=NAME")
    (form,) = _FORMS.keys() & body.keys()
    return _FORMS[form](body[form])


def _split(given: Any) -> NamedRows:
    """Reads `{"columns": [...], "data": [[...], ...]}` as pandas writes it; `index` has no meaning here."""
    form = 'must be an object with `columns` and `data`, as `DataFrame.to_dict(orient="split")` writes it'
    if not isinstance(given, Mapping) or not isinstance(given.get("data"), list):
        raise BodyShape.at("dataframe_split", form)
    if odd := given.keys() - {"columns", "data", "index"}:
        raise BodyShape.at("dataframe_split", f"{form}; it also has {min(odd)[:200]!r}")
    where, rows = "dataframe_split.data", given["data"]
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise BodyShape.at(f"{where}[{number}]", "must be a list of values")
    if given.get("columns") is None:
        return NamedRows(where, rows)
    columns = _names(given["columns"], "dataframe_split.columns")
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            there = f"has {counted(len(row), 'value')}, and there are {counted(len(columns), 'column')}"
            raise BodyShape.at(f"{where}[{number}]", there)
    return NamedRows(where, [dict(zip(columns, row, strict=True)) for row in rows])


def _records(given: Any) -> NamedRows:
    """Reads a list of objects. What one object lacks and another has is missing, as in pandas."""
    where = "dataframe_records"
    if not isinstance(given, list) or not all(isinstance(row, Mapping) for row in given):
        raise BodyShape.at(where, 'must be a list of objects, as `DataFrame.to_dict(orient="records")` writes it')
    names = dict.fromkeys(name for row in given for name in row)
    if len(names) * len(given) > _MOST_CELLS:
        there = f"has {counted(len(given), 'row')} with {counted(len(names), 'name')} in all; send fewer rows"
        raise BodyShape.at(where, there)
    return NamedRows(where, [{name: row.get(name) for name in names} for row in given])


def _instances(given: Any) -> NamedRows:
    if not isinstance(given, list):
        raise BodyShape.at("instances", "must be a list of rows; for an object with a list for each column use inputs")
    return NamedRows("instances", _as_rows(given))


def _inputs(given: Any) -> NamedRows:
    """Reads a list of rows, or an object with a list of values for each column."""
    if isinstance(given, list):
        return NamedRows("inputs", _as_rows(given))
    if not isinstance(given, Mapping) or not given or not all(isinstance(values, list) for values in given.values()):
        raise BodyShape.at("inputs", "must be a list of rows, or an object with a list of values for each column")
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name[:80]!r} has {length}" for name, length in list(lengths.items())[:5])
        raise BodyShape.at("inputs", f"must have as many values in each column, but {shown}")
    return NamedRows("inputs", [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)])


def _as_rows(given: Sequence[Any]) -> list[Any]:
    """Returns the rows. A value that is neither a list nor an object is the row of a model with one feature."""
    return [row if isinstance(row, list | Mapping) else [row] for row in given]


def _names(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(name, str | int) for name in given):
        raise BodyShape.at(where, "must be a list of names")
    names = [str(name) for name in given]
    if twice := next((name for name, times in Counter(names).items() if times > 1), None):
        raise BodyShape.at(where, f"has the name {twice[:200]!r} twice")
    return names


_FORMS: dict[str, Callable[[Any], NamedRows]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}
"""The reader of each form."""
