"""Files as spreadsheets write them: any delimiter, encoding and mark, and rows of nothing at the end."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header, check_header
from rowcast.csv.pending_rows import Chunk
from rowcast.errors import MissingColumns, NotUtf8, Unprocessable

FEATURES = ("age", "pclass")


def check(header: Header) -> None:
    check_header(header, FEATURES, (), ())


def planned(data: bytes, size: int = 1000, **options: Any) -> tuple[Chunker, list[Chunk]]:
    known: dict[str, Any] = {"delimiter": "auto", "header": True, "chunk_bytes": 4096, "chunk_rows": 1000}
    limits: dict[str, Any] = {"max_row_bytes": 1000, "max_columns": 50, "on_header": check, "features": FEATURES}
    plan = Chunker(**(known | limits | options))
    chunks: list[Chunk] = []
    for start in range(0, len(data), size):
        chunks += plan.feed(data[start : start + size])
    return plan, chunks + list(plan.end())


def content(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        (b"age,pclass\n25,3\n", ","),
        (b"age;pclass\n25;3\n", ";"),
        (b"pclass\tid\tage\n3\ta;b\t25\n", "\t"),
        (b'"age"|"a|b;c\n,d"|"pclass"\r\n25|x|3\r\n', "|"),
        (b'age;pclass;"a,b,c,d"\n25;3;x\n', ";"),
        (b"sep=;\r\nage;pclass\r\n25;3\r\n", ";"),
        (b'"SEP=|"\nage|pclass\n25|3\n', "|"),
        (b"sep=\t\nage\tpclass\n25\t3\n", "\t"),
    ],
)
def test_the_delimiter_is_the_one_under_which_the_header_has_the_features(
    data: bytes, delimiter: str, size: int
) -> None:
    plan, chunks = planned(data, size)
    assert plan.delimiter == delimiter
    assert plan.header is not None
    assert set(plan.header.columns) >= set(FEATURES)
    assert plan.separator_line + plan.header.line + content(chunks) == data
    assert plan.rows_total == 1


@given(st.lists(st.text(st.sampled_from('ab,;|\t"\n ')), max_size=4), st.sampled_from(",;|\t"), st.integers(1, 9))
def test_a_header_that_a_program_wrote_is_read_with_the_delimiter_it_used(
    names: list[str], delimiter: str, size: int
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([[*names, *FEATURES], [*names, "25", "3"]])
    plan, _ = planned(file.getvalue().encode(), size)
    assert plan.delimiter == delimiter


def test_without_a_header_the_delimiter_gives_one_field_for_each_feature() -> None:
    plan, chunks = planned(b"2;3\n1;2\n", header=False)
    assert (plan.delimiter, plan.rows_total, content(chunks)) == (";", 2, b"2;3\n1;2\n")


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [(b"age;class\n25;3\n", ";"), (b"alter|klasse,a\n25|3\n", ","), (b"a\tb\n1\t2\n", "tab"), (b"id\n1\n", ",")],
)
def test_if_no_delimiter_fits_the_error_names_the_likely_one_and_what_is_missing(data: bytes, delimiter: str) -> None:
    with pytest.raises(MissingColumns, match=rf"read with the delimiter {delimiter}\).*'pclass' is missing"):
        planned(data)


def test_a_delimiter_that_was_named_is_taken_even_if_another_fits() -> None:
    with pytest.raises(MissingColumns, match="delimiter ,"):
        planned(b"age;pclass\n25;3\n", delimiter=",")
    plan, _ = planned(b"sep=;\nage,pclass\n25,3\n", delimiter=",")
    assert plan.separator_line == b"sep=;\n"


def test_a_separator_line_with_another_delimiter_is_refused() -> None:
    with pytest.raises(Unprocessable, match="':'"):
        planned(b"sep=:\nage:pclass\n25:3\n")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("encoding", "codec", "mark", "has_mark"),
    [
        ("auto", "utf-8", b"", False),
        ("auto", "utf-8", b"\xef\xbb\xbf", True),
        ("auto", "utf-16-le", b"\xff\xfe", True),
        ("auto", "utf-16-be", b"\xfe\xff", True),
        ("utf-16", "utf-16-le", b"", True),
        ("utf-8", "utf-8", b"\xef\xbb\xbf", True),
        ("windows-1252", "cp1252", b"", False),
        ("latin-1", "latin-1", b"", False),
    ],
)
def test_a_file_of_any_encoding_comes_out_as_utf_8(
    encoding: str, codec: str, mark: bytes, has_mark: bool, size: int
) -> None:
    text = "age;pclass;nämé\n25;3;Åsa\n" + ("2;1;漢\U0001f600\n" if codec.startswith("utf") else "")
    plan, chunks = planned(mark + text.encode(codec), size, encoding=encoding)
    assert plan.header is not None
    assert (plan.header.line + content(chunks)).decode() == text
    assert plan.decoder.has_mark == has_mark
    assert plan.decoder.encoding == ("utf-16" if codec.startswith("utf-16") else encoding.replace("auto", "utf-8"))
    assert plan.bytes_total == len(mark + text.encode(codec))


BAD = [
    (b"age,pclass,name\n1,2,x\n\n3,4,\xe9\n", {}, 27, "row 2, column 'name': byte 0xE9 at offset 27 is not UTF-8"),
    (b"age,pclass,n\xe4me\n1,2,x\n", {}, 12, "header: byte 0xE4 at offset 12 is not UTF-8"),
    (b"\xef\xbb\xbfage,pclass\n\xff,2\n", {}, 14, "row 1, column 'age': byte 0xFF"),
    (b'age,pclass,n\n1,2,"a,\n\xff"\n', {}, 21, "row 1, column 'n': byte 0xFF"),
    (b"age;pclass\n1;\x81\n", {"encoding": "windows-1252"}, 13, "row 1, column 'pclass': byte 0x81 .* Windows-1252"),
    ("\ufeffage;pclass\n1;".encode("utf-16-le") + b"\x00\xdc1\x00", {}, 28, "row 1, column 'pclass': .* UTF-16"),
    ("\ufeffage;pclass\n1;".encode("utf-16-le") + b"1", {}, 28, "row 1, column 'pclass': .* UTF-16"),
    (b"age,pclass\n1,\xe6\xbc", {}, 13, "row 1, column 'pclass': byte 0xE6 at offset 13"),
    (b"25,\xff\n", {"header": False}, 3, "row 1.*: byte 0xFF at offset 3"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("data", "options", "offset", "message"), BAD)
def test_a_byte_that_is_not_text_is_named_by_row_column_and_offset(
    data: bytes, options: dict[str, Any], offset: int, message: str, size: int
) -> None:
    with pytest.raises(NotUtf8, match=message) as caught:
        planned(data, size, **options)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        ("\ufeffage".encode("utf-32"), "auto", "UTF-32"),
        ("\ufeffage,pclass\n".encode("utf-16-le"), "utf-8", "mark of UTF-16"),
        (b"\xef\xbb\xbfage,pclass\n", "windows-1252", "mark of UTF-8"),
        ("age,pclass\n".encode("utf-16-le"), "auto", "encoding=utf-16"),
    ],
)
def test_an_encoding_that_cannot_be_is_named(data: bytes, encoding: str, message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        planned(data, encoding=encoding)


def test_a_file_that_lost_its_line_ends_is_told_how_to_keep_them() -> None:
    with pytest.raises(Unprocessable, match="--data-binary"):
        planned(b"age,pclass25,330,1")


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("tail", [b",\n", b",,,\n,,\n", b'"",""\r\n\n , \t\n\n', b",\n" * 300, b",,"])
def test_rows_of_nothing_at_the_end_are_not_rows_and_come_as_a_chunk_of_none(tail: bytes, size: int) -> None:
    plan, chunks = planned(b"age,pclass\n25,3\n,\n30,1\n" + tail, size)
    assert plan.rows_total == 3, "the one in the middle is a row"
    assert [(chunk.first_row, chunk.rows) for chunk in chunks] == [(1, 3), (4, 0)]
    assert chunks[1].data == tail


@pytest.mark.parametrize("row", [b'",",\n', b'"""",\n', b"0,\n", b"x\n", b'" x",\n'])
def test_rows_that_say_something_are_rows_at_the_end_too(row: bytes) -> None:
    plan, chunks = planned(b"age,pclass\n25,3\n" + row)
    assert (plan.rows_total, len(chunks)) == (2, 1)


def test_a_file_of_nothing_else_has_rows() -> None:
    plan, chunks = planned(b"age,pclass\n,\n,\n")
    assert (plan.rows_total, [chunk.rows for chunk in chunks]) == (2, [2])


def test_more_rows_of_nothing_than_a_chunk_holds_are_rows() -> None:
    plan, chunks = planned(b"age,pclass\n1,1\n" + b",\n" * 10_000)
    assert plan.rows_total > 7_000
    assert plan.rows_total == sum(chunk.rows for chunk in chunks)
    assert content(chunks) == b"1,1\n" + b",\n" * 10_000


def test_a_sender_that_pauses_has_the_rows_so_far_cut_off() -> None:
    known: dict[str, Any] = {"chunk_bytes": 4096, "chunk_rows": 1000, "max_row_bytes": 1000, "max_columns": 50}
    plan = Chunker(delimiter="auto", header=True, on_header=check, features=FEATURES, **known)
    assert list(plan.feed(b"age,pclass\n2")) == list(plan.flush()) == []
    assert list(plan.feed(b"5,3\n30,1\n4")) == []
    assert [chunk.data for chunk in plan.flush()] == [b"25,3\n30,1\n"]
    assert list(plan.flush()) == []
    assert list(plan.feed(b"0,2\n,\n")) == []
    assert [(chunk.first_row, chunk.data) for chunk in plan.flush()] == [(3, b"40,2\n")]
    assert [(chunk.first_row, chunk.rows, chunk.data) for chunk in plan.end()] == [(4, 0, b",\n")]
