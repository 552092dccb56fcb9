"""The header line of a result: the names as they were sent, and the added ones."""

import pytest

from rowcast.csv import scan
from rowcast.csv.header import Header
from rowcast.jobs.options import Options
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.models.model_manifest import Feature, Label, Manifest
from rowcast.models.model_set import ModelSet

SHARES = {"probabilities": True}
KEYS = {"output": "predictions"}


def manifest(classes: list[Label] | None) -> Manifest:
    return Manifest(
        name="m",
        version="1",
        sha256="0" * 64,
        created_at="2026-01-01T00:00:00Z",
        task="classification" if classes else "regression",
        features=[Feature(name="a", kind="number", missing=False)],
        classes=classes,
        probabilities=bool(classes),
        libraries={},
    )


@pytest.mark.parametrize(
    ("line", "options", "classes", "expected"),
    [
        (b'a, "b" ,c\r\n', {}, [0, 1], b'a, "b" ,c,prediction\r\n'),
        (b"a;b\n", {"delimiter": ";"} | SHARES, ["x;y", "z"], b'a;b;prediction;"probability_x;y";probability_z\n'),
        (b"a,b\n", SHARES, [True, False], b"a,b,prediction,probability_True,probability_False\n"),
        (b"a\n", {"prediction_column": "my, own"}, None, b'a,"my, own"\n'),
        (b'a,"the ""id""",c\n', KEYS | {"key": ('the "id"', "a")}, None, b'"the ""id""",a,prediction\n'),
        (b"a,b\n", KEYS, None, b"prediction\n"),
        (b",b,b\n", KEYS | {"key": ("b.1", "Unnamed: 0")}, None, b"b.1,Unnamed: 0,prediction\n"),
        (b"a,b\n", {"header": False}, None, b""),
        (None, {}, None, b""),
    ],
)
def test_added_names_follow_the_header_as_it_was_sent(line, options, classes, expected):
    line_end = b"\r\n" if expected.endswith(b"\r\n") else b"\n"
    chosen = Options(**{"delimiter": ","} | options)
    fields = scan.fields(line.rstrip(b"\r\n"), chosen.delimiter) if line and chosen.header else []
    header = Header.read(line, fields, chosen.delimiter) if fields else None
    assert (
        RESULT_FORMAT.header(header, chosen, ModelSet((manifest(classes),)), line_end, has_mark=False, separator=b"")
        == expected
    )


@pytest.mark.parametrize(("output", "separator"), [("joined", b"sep=,\r\n"), ("predictions", b"")])
def test_the_byte_order_mark_and_the_line_that_names_the_delimiter_go_back(output: str, separator: bytes) -> None:
    chosen = Options(output=output, key=("a",), delimiter=",")
    header = Header.read(b"a\n", [b"a"], ",")
    first_line = RESULT_FORMAT.header(
        header, chosen, ModelSet((manifest(None),)), b"\n", has_mark=True, separator=b"sep=,\r\n"
    )
    assert first_line == b"\xef\xbb\xbf" + separator + b"a,prediction\n"
