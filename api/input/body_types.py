"""The bodies and options of `POST /predict` as types: those of `Options`, and beside them the rows."""

from typing import Any

from pydantic import Field, create_model

from api.input.json_rows import MAX_INSTANCES
from api.openapi.call_types import Parameter, query
from rowcast.jobs.options import Options

Cell = float | str | bool | None
Row = list[Cell] | dict[str, Cell]

_ROW = Field(description="A row: its values in the model's order, or an object by the features' names.")
_ROWS = Field(description="Rows, each as `features`.", min_length=1, max_length=MAX_INSTANCES)
_FILE = Field(
    description="The CSV; gzip, and zip with one file in it, are recognized by their first bytes.",
    json_schema_extra={"contentMediaType": "text/csv", "format": "binary"},
)

OneRow: Any = create_model("OneRow", __base__=Options, features=(Row, _ROW))
ManyRows: Any = create_model("ManyRows", __base__=Options, instances=(list[Row], _ROWS))
Form: Any = create_model("Form", __base__=Options, file=(str, _FILE))


def option_parameters() -> tuple[Parameter, ...]:
    """Returns the options as query parameters."""
    properties = Options.model_json_schema(mode="validation")["properties"]
    return tuple(query(name, schema.get("description", ""), **_as_text(schema)) for name, schema in properties.items())


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """What a query can write of a schema: neither null nor a list."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") not in ("null", "array")]
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default", "description", "title")}
    return kept | (choices[0] if choices else {})
