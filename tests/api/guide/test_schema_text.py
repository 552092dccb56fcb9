"""JSON schemas in words."""

import pytest

from api.guide.schema_text import property_table, row, type_text


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "text"),
        ({"type": "integer", "minimum": 0}, "whole number, at least 0"),
        ({"type": "number", "minimum": 0, "maximum": 60.0}, "number, 0 to 60"),
        ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}, "list of text or null"),
        ({"enum": [",", "|", "\t"]}, "`,`, `|`, a tab"),
        ({"const": "end"}, "`end`"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of whole number"),
        ({"type": "object"}, "object"),
        ({"$ref": "#/components/schemas/PublicJob"}, "[PublicJob](types.md#publicjob)"),
        ({}, "any JSON value"),
    ],
)
def test_a_schema_in_words(schema: dict[str, object], text: str) -> None:
    assert type_text(schema, "types.md") == text


def test_members_that_several_types_share_are_not_repeated() -> None:
    shared = {"model": {"type": "string"}}
    schemas = {
        "Options": {"properties": shared},
        "OneRow": {"properties": {**shared, "features": {"type": "array"}}, "required": ["features"]},
    }
    assert property_table("OneRow", schemas)[2:] == [
        "| `features` | list of any JSON value |  |",
        "",
        "The members of [Options](#options) may be next to these.",
        "",
    ]
    assert "| `model` | text | Optional. |" in property_table("Options", schemas)


def test_a_bar_does_not_end_a_cell() -> None:
    assert row("a|b", "c") == "| a\\|b | c |"
