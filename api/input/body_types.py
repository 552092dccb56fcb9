"""The bodies of `POST /predict` as types, for the OpenAPI document: the options together with the rows or the file."""

from typing import Any

from pydantic import Field, create_model

from api.input.json_rows import MAX_INSTANCES
from api.openapi.call_types import Parameter, query
from rowcast.jobs.options import Options

Cell = float | str | bool | None
Row = list[Cell] | dict[str, Cell]

_ROW = Field(
    description="A row: a list of values in the model's order, or an object whose keys are the features' names."
)
_ROWS = Field(description="Rows, each in the same form as `features`.", min_length=1, max_length=MAX_INSTANCES)
_FILE = Field(
    description="The CSV. It may be compressed with gzip, or be in a zip with one file; the first bytes decide. Or a "
    "Parquet file or an Excel workbook (.xlsx).",
    json_schema_extra={"contentMediaType": "text/csv", "format": "binary"},
)

_INPUT_URL = Field(
    description="URL of the files: `s3://data/in/*.csv`, `file:///data/in/a.csv`. Workers read them where they are.",
)
_OUTPUT_URL = Field(
    default=None, description="URL of the folder into which the result is written, in parts and with a `manifest.json`."
)
_OVERWRITE = Field(default=False, description="Whether the result of an earlier job is replaced there.")

OneRow: Any = create_model("OneRow", __base__=Options, features=(Row, _ROW))
ManyRows: Any = create_model("ManyRows", __base__=Options, instances=(list[Row], _ROWS))
FilesByUrl: Any = create_model(
    "FilesByUrl",
    __base__=Options,
    input_url=(str, _INPUT_URL),
    output_url=(str | None, _OUTPUT_URL),
    overwrite=(bool, _OVERWRITE),
)
Form: Any = create_model("Form", __base__=Options, file=(str, _FILE))


def option_parameters() -> tuple[Parameter, ...]:
    """Returns the options as query parameters."""
    properties = Options.model_json_schema(mode="validation")["properties"]
    return tuple(query(name, schema.get("description", ""), **_as_text(schema)) for name, schema in properties.items())


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of a schema that a query can express, which has neither null nor lists."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") not in ("null", "array")]
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default", "description", "title")}
    return kept | (choices[0] if choices else {})
