import gzip
import io

import pandas as pd
import pytest

from rowcast.errors import NotFound, NotUtf8, Unprocessable, Unreadable
from training.fitting.training_file import read_csv


def read(tmp_path, data):
    path = tmp_path / "data.csv"
    path.write_bytes(data)
    return read_csv(path)


def test_quotes_line_ends_blank_lines_and_a_byte_order_mark_are_read(tmp_path):
    file = read(tmp_path, '\ufeffa,b\r\n"1,""x""\r\ny",2\n\n  \n,NA\r\n\t\n'.encode())
    assert file.columns == {"a": ['1,"x"\r\ny', None], "b": ["2", None]}
    assert file.rows == 2


@pytest.mark.parametrize("line", ['" "', '""', '"\t"', '"\n "', "", " ", "\t", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quoted_blank_is_a_row_and_a_blank_line_is_not_as_in_pandas(tmp_path, line, end):
    text = f"a{end}x{end}{line}{end}y{end}"
    expected = pd.read_csv(io.StringIO(text, newline=""), dtype="str").a.tolist()
    found = read(tmp_path, text.encode()).columns["a"]
    assert found == [None if pd.isna(cell) else cell for cell in expected]


def test_utf_16_is_read_if_it_begins_with_its_mark(tmp_path):
    assert read(tmp_path, "a,b\nä,1\n".encode("utf-16")).columns == {"a": ["ä"], "b": ["1"]}


def test_a_gzipped_file_is_known_by_its_bytes(tmp_path):
    assert read(tmp_path, gzip.compress(b"a\n1\n")).columns == {"a": ["1"]}


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", Unprocessable, "data.csv is empty"),
        (b"\n\n", Unprocessable, "data.csv is empty"),
        (b"a,b\n", Unprocessable, "has a header line but no rows"),
        (b"a,b,a\n1,2,3\n", Unprocessable, "more than one column 'a'"),
        (b"a,b\n1,2\n3\n", Unprocessable, "row 2: it has 1 field, the header has 2"),
        (b"a,b\n1,2,3\n", Unprocessable, "row 1: it has 3 fields, the header has 2"),
        (b"a,b\n1,\xff\n", NotUtf8, "offset 6"),
        (gzip.compress(b"a\n1\n" * 1000, mtime=0)[:-12], Unreadable, "cannot be read"),
        (b"\x1f\x8bno gzip", Unreadable, "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(tmp_path, data, error, sentence):
    with pytest.raises(error) as raised:
        read(tmp_path, data)
    assert sentence in raised.value.detail


def test_the_offset_of_a_byte_that_is_not_utf_8_is_that_in_the_whole_file(tmp_path):
    with pytest.raises(NotUtf8) as error:
        read(tmp_path, b"a,b\n" + "ä,ö\n".encode() * 50_000 + b"x,\xc3\n")
    assert error.value.offset == 4 + 6 * 50_000 + 2


def test_a_cell_may_be_larger_than_the_csv_module_expects(tmp_path):
    assert read(tmp_path, b"a\n" + b"x" * 300_000 + b"\n").columns["a"] == ["x" * 300_000]


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path):
    with pytest.raises(NotFound, match="File not found"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(Unreadable):
        read_csv(tmp_path)
