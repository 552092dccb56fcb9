"""The types of a Parquet file's columns: which of them a cell can hold, and which the model takes."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from rowcast.errors import WrongColumnType
from rowcast.models.model_manifest import Feature, Kind
from rowcast.scoring.typed.column_type import column_dtype
from worker.conversion.features_by_name import FeaturesByName, unlike

_WORDS: dict[Kind, str] = {
    "number": "numbers",
    "integer": "whole numbers",
    "text": "text",
    "boolean": "true and false",
    "date": "dates",
    "category": "categories",
}
_TAKEN: dict[Kind, tuple[str, ...]] = {
    "number": ("whole numbers", "numbers", "decimals", "text"),
    "integer": ("whole numbers",),
    "text": ("text",),
    "boolean": ("booleans",),
    "date": ("dates", "text"),
}
"""What a column of each kind of feature may have, apart from nulls only. Text is read as in a CSV."""


def check_types(schema: Sequence[tuple[str, pa.DataType]], features: FeaturesByName) -> None:
    """Checks the columns, by name. `features` are those that the models look at.

    Raises:
        WrongColumnType: with every column of a feature that is not what the model was registered with.
    """
    faults = []
    for name, type in schema:
        misfits = [_misfit(feature, type) for feature in features.get(name, ())]
        faults += [(name, fault) for fault in dict.fromkeys(misfits) if fault]
    if faults:
        errors = [{"where": f"column {name!r}", "message": message} for name, message in faults]
        raise WrongColumnType("; ".join(f"{one['where']} {one['message']}" for one in errors[:20]) + ".", errors)


def is_cell(type: pa.DataType) -> bool:
    """Returns whether a cell of a CSV can hold a value of the type; lists, structs, maps and bytes do not fit."""
    return _held(type) is not None


def script_dtypes(
    schema: Sequence[tuple[str, pa.DataType]], features: FeaturesByName, has_nulls: Callable[[str], bool]
) -> dict[str, str]:
    """Returns pandas' type of each feature's column that has another one than from a CSV: the script has it, too.

    These are numbers of fewer than 64 bits or without a sign, and the unit of dates. Whole numbers with nulls are
    floats in the script: their type is written `Int32`, and only a model that takes no nulls there uses it.
    """
    found = {}
    for name, type in schema:
        kinds = {feature.kind for feature in features.get(name, ())}
        if pa.types.is_timestamp(type) and "date" in kinds:
            found[name] = f"datetime64[{type.unit}]"
        elif kinds & {"number", "integer"} and (pa.types.is_floating(type) or pa.types.is_integer(type)):
            dtype = type.to_pandas_dtype().__name__
            if dtype in ("float64", "int64"):
                continue
            if "float" in dtype or "number" not in kinds or not has_nulls(name):
                found[name] = dtype
            elif "integer" in kinds:
                found[name] = dtype.replace("int", "Int").replace("u", "U")
    return found


def file_forms(schema: Sequence[tuple[str, pa.DataType]], features: FeaturesByName) -> dict[str, str]:
    """Returns the columns of booleans or dates that two models know in different forms, for `Spec.dtypes`."""
    of_held = {"booleans": "bool", "dates": "datetime64"}
    shared = [(name, _held(type)) for name, type in schema if len(unlike(features.get(name, ()))) > 1]
    return {name: of_held[held] for name, held in shared if held in of_held}


def _misfit(feature: Feature, type: pa.DataType) -> str | None:
    """Returns what is wrong with a column for a feature; None if nothing is."""
    held = _held(type)
    if held is None:
        return (
            f"is {type}, which no cell of a table can hold, and the model takes {_WORDS[feature.kind]} there: convert "
            "the column, for example write each element into a separate column"
        )
    taken = _TAKEN[feature.kind] if feature.kind != "category" else _categories(feature)
    if held == "nulls only":
        return None
    if held not in taken:
        return (
            f"is {type}, but the model was registered with {_WORDS[feature.kind]} there, and would predict something "
            f"else: convert the column to {_WORDS[feature.kind]}"
        )
    there, here = _zone(getattr(type, "tz", None)), _zone(column_dtype(feature).partition(", ")[2].rstrip("]"))
    if held == "dates" and feature.kind == "date" and there != here:
        return f"has {there}, but the model was registered with {here}: convert the column"
    return None


def _zone(name: str | None) -> str:
    """Returns how messages call a time zone, by its name in pandas or Arrow. The hour of a date depends on it."""
    if not name:
        return "no time zone"
    offset = name.removeprefix("UTC")
    return "the time zone UTC" if offset in ("", "Etc/UTC", "+00:00", "Z") else f"the time zone {offset}"


def _categories(feature: Feature) -> tuple[str, ...]:
    values = feature.categories or []
    if any(isinstance(value, str) for value in values):
        return ("text",)
    if any(isinstance(value, bool) for value in values):
        return ("booleans",)
    return ("whole numbers", "numbers")


def _held(type: pa.DataType) -> str | None:
    """Returns what a type holds; None if a cell of a CSV cannot hold it."""
    if pa.types.is_dictionary(type):
        return _held(type.value_type)
    kinds = {
        "nulls only": pa.types.is_null,
        "booleans": pa.types.is_boolean,
        "whole numbers": pa.types.is_integer,
        "numbers": pa.types.is_floating,
        "decimals": pa.types.is_decimal,
        "times": pa.types.is_time,
    }
    for held, fits in kinds.items():
        if fits(type):
            return held
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return "text"
    return "dates" if pa.types.is_date(type) or pa.types.is_timestamp(type) else None
