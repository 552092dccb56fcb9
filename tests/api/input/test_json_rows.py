"""JSON to CSV: lines may be split into blocks anywhere, and messages about many or long names stay short."""

import json
from itertools import pairwise

import pytest

from api.input.json_rows import instances_csv, ndjson_csv
from rowcast.errors import TooLarge, Unprocessable, Unreadable
from rowcast.jobs.request_files.strict_json import parse
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.models.model_set import ModelSet

LINES = b'{"age": 25, "name": "a, b"}\r\n\n{"name": "\xc3\xbc", "age": null}\n{"age": 1.5}'
CSV = b'age,name\n25,"a, b"\n,\xc3\xbc\n1.5,\n'


def test_lines_may_be_cut_anywhere() -> None:
    for size in range(1, len(LINES) + 1):
        cuts = [*range(0, len(LINES), size), len(LINES)]
        blocks = [LINES[start:stop] for start, stop in pairwise(cuts)]
        assert b"".join(ndjson_csv(blocks, 100)) == CSV


def test_the_rows_of_a_block_come_together() -> None:
    assert list(ndjson_csv([LINES + b"\n", b"\n\n", b'{"age": 2}\n'], 100)) == [CSV, b"2,\n"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_over_the_limit_is_refused_however_it_comes(size: int) -> None:
    line = b'{"age": ' + b" " * 100 + b"1}"
    with pytest.raises(TooLarge):
        list(ndjson_csv([line[start : start + size] for start in range(0, len(line), size)], 100))


def test_a_key_that_the_first_line_has_not_is_named_in_part() -> None:
    with pytest.raises(Unprocessable) as caught:
        list(ndjson_csv([b'{"age": 1}\n' + json.dumps({"x" * 5_000: 1}).encode()], 10_000))
    assert caught.value.errors[0]["where"] == "line 2"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b' {"a":\n1}\n'])
def test_json_is_read_with_a_byte_order_mark_too(text: bytes) -> None:
    assert parse(text) == {"a": 1}


@pytest.mark.parametrize("text", ['{"a": 1}'.encode("utf-16"), b'"\xed\xa0\x80"', b'"\\udc00"', b'{"a": 1, "a": 1}'])
def test_json_that_is_not_utf8_or_has_half_a_character_or_a_key_twice_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(text)


def test_instances_are_written_as_the_features_read_them() -> None:
    manifest = Manifest(
        name="m",
        version="1",
        sha256="0" * 64,
        created_at="",
        task="regression",
        libraries={},
        features=[
            Feature(name="smoker", kind="boolean", missing=True, true_values=["yes"], false_values=["no"]),
            Feature(name="visits", kind="integer", missing=False),
        ],
    )
    rows = [{"smoker": True, "visits": 3.0}, {"smoker": False, "visits": 4}, {"smoker": None, "visits": 5}]
    assert instances_csv(rows, ModelSet((manifest,))) == b"smoker,visits\nyes,3\nno,4\n,5\n"


def test_a_value_must_be_one_cell_for_both_models() -> None:
    def models(*kinds: Feature) -> ModelSet:
        known = {"sha256": "0" * 64, "created_at": "2026-01-01T00:00:00Z", "task": "regression", "libraries": {}}
        return ModelSet(
            tuple(Manifest(name="m", version=str(one), features=[kind], **known) for one, kind in enumerate(kinds, 1))
        )

    whole, number = (Feature(name="x", kind=kind, missing=False) for kind in ("integer", "number"))
    assert instances_csv([{"x": 3.0}], models(whole, number)) == b"x\n3\n"
    assert instances_csv([[3.0]], models(number, whole)) == b"x\n3\n"
    yes = Feature(name="x", kind="boolean", missing=False, true_values=["yes"], false_values=["no"])
    usual = Feature(name="x", kind="boolean", missing=False)
    with pytest.raises(Unprocessable, match=r"'yes' for m@1 and 'true' for m@2"):
        instances_csv([{"x": True}], models(yes, usual))
