"""JSON schemas in words, for tables in Markdown."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_COMMON = "Options"
"""The schema whose members several others have too. They name it instead of repeating its members."""


def row(*cells: str) -> str:
    """Returns a row of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def type_text(schema: Schema, types_page: str = "") -> str:
    """Returns the type that a schema describes, for example "list of text or null".

    Named types are links into `types_page`.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({types_page}#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_text(one, types_page) for one in schema["anyOf"]))
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{one}`" if str(one).strip() else "a tab" for one in values)
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', {}), types_page)}"
    if schema.get("type") == "object":
        return _object_text(schema, types_page)
    return _plain_text(schema)


def property_table(name: str, schemas: Mapping[str, Schema]) -> list[str]:
    """Returns the lines of a table of a type's members, or a sentence about its values if it has none."""
    schema = schemas[name]
    members = schema.get("properties", {})
    if not members:
        return [f"One of {type_text(schema)}.", ""]
    common = schemas.get(_COMMON, {}).get("properties", {})
    has_common = name != _COMMON and bool(common) and common.keys() <= members.keys()
    if has_common:
        members = {member: one for member, one in members.items() if member not in common}
    lines = ["| member | type | meaning |", "| --- | --- | --- |"]
    for member, one in members.items():
        needed = "" if member in schema.get("required", ()) else "Optional. "
        lines.append(row(f"`{member}`", type_text(one), f"{needed}{one.get('description', '')}".strip()))
    note = ["", f"The members of [{_COMMON}](#{_COMMON.lower()}) may be next to these."] if has_common else []
    return [*lines, *note, ""]


def _object_text(schema: Schema, types_page: str) -> str:
    values = schema.get("additionalProperties")
    return f"object of {type_text(values, types_page)}" if isinstance(values, Mapping) and values else "object"


def _plain_text(schema: Schema) -> str:
    kind = schema.get("type", "any JSON value")
    words = {"string": "text", "integer": "whole number"}.get(kind, kind)
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None and highest is not None:
        return f"{words}, {lowest:g} to {highest:g}"
    return f"{words}, at least {lowest:g}" if lowest is not None else str(words)
