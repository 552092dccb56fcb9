"""Files as they are sent: any content type, gzip and zip by their first bytes, and other formats refused by name."""

import gzip
import io
import json
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest
from programs import Stack

from api.input.content_sniffing import Unpacked
from rowcast.errors import BrokenCompression, Refused, TooLarge

CSV = b"age,pclass\n25,3\n30,1\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, stream: bool = False) -> bytes:
    file = io.BytesIO()
    target = _Unseekable(file) if stream else file
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[arg-type]
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


class _Unseekable:
    """Makes `zipfile` write sizes behind the content, as programs do that write to a pipe."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush


def read(data: bytes, size: int = 1000, max_bytes: int = 10**9) -> bytes:
    return b"".join(Unpacked((data[start : start + size] for start in range(0, len(data), size)), max_bytes))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "data",
    [
        CSV,
        gzip.compress(CSV),
        zipped(("a.csv", CSV)),
        zipped(("a.csv", CSV), stream=True),
        zipped(("a.csv", CSV), method=zipfile.ZIP_STORED),
        zipped(("data/", b""), ("data/a.csv", CSV), ("__MACOSX/data/._a.csv", b"x" * 200)),
    ],
    ids=["plain", "gzip", "zip", "zip-stream", "zip-stored", "zip-macos"],
)
def test_a_file_is_unpacked_by_its_first_bytes(data: bytes, size: int) -> None:
    assert read(data, size) == CSV


def test_a_large_zip_is_unpacked_as_it_arrives() -> None:
    content = b"".join(b"%d,%d\n" % (row, row * 7) for row in range(200_000))
    assert read(zipped(("a.csv", content), stream=True), 4096) == content


@pytest.mark.parametrize(
    ("data", "error", "word"),
    [
        (zipped(("a.csv", CSV), ("b.csv", CSV)), BrokenCompression, "several files"),
        (zipped(("folder/", b"")), BrokenCompression, "no file"),
        (zipped(("a.csv", CSV))[:-100], BrokenCompression, "too early"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), BrokenCompression, "deflate"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_STORED).replace(b"25", b"26"), BrokenCompression, "damaged"),
        (zipped(("a.csv", b"\0" * 30_000_000)), BrokenCompression, "250 times"),
        (zipped(("a.csv", b"1,2\n" * 100_000)), TooLarge, "ROWCAST_MAX_UPLOAD_BYTES"),
        (gzip.compress(gzip.compress(CSV, mtime=0), mtime=0), BrokenCompression, "twice"),
        (zipped(("[Content_Types].xml", b"<x/>")), Refused, "Excel workbook: send CSV here"),
        (zipped(("xl/worksheets/sheet1.xml", b"<x/>")), Refused, "Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Refused, "Excel workbook"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", Refused, "git lfs pull"),
        (b"PAR1" + bytes(100), Refused, "Parquet"),
        (b"%PDF-1.7\n", Refused, "PDF"),
        (b"\n <!DOCTYPE html><html>", Refused, "HTML"),
        (b'{"instances": [[1, 2]]}', Refused, "application/json"),
        (b'[\n{"age": 1}]', Refused, "application/json"),
        (b'{"age": 1}\n{"age": 2}\n', Refused, "application/x-ndjson"),
    ],
    ids=[
        *("several", "empty", "cut", "lzma", "damaged", "bomb", "large", "twice"),
        *("xlsx", "xlsx-other", "xls", "lfs", "parquet", "pdf", "html", "json", "list", "ndjson"),
    ],
)
@pytest.mark.parametrize("size", [3, 100_000])
def test_what_cannot_be_read_is_refused_by_its_name(data: bytes, error: type[Refused], word: str, size: int) -> None:
    with pytest.raises(error, match=word):
        read(data, size, 100_000 if error is TooLarge else 10**9)


def sent(http: httpx.Client, body: bytes, kind: str | None, **query: str) -> httpx.Response:
    headers = {} if kind is None else {"Content-Type": kind}
    return http.post("/predict", content=body, headers=headers, params=query)


@pytest.mark.parametrize(
    "kind",
    [
        "text/csv; header=present",
        "application/csv",
        "application/vnd.ms-excel",
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        None,
    ],
)
def test_a_csv_is_taken_under_every_name(http: httpx.Client, kind: str | None) -> None:
    answer = sent(http, CSV.replace(b",", b";"), kind)
    assert answer.status_code == 202, answer.text
    assert answer.json()["progress"]["rows_total"] == 2
    assert answer.json()["input"]["delimiter"] == ";"


def test_a_file_of_tabs_has_tabs_unless_another_delimiter_is_named(http: httpx.Client) -> None:
    kind = "text/tab-separated-values"
    assert sent(http, CSV.replace(b",", b"\t"), kind).json()["input"]["delimiter"] == "\t"
    assert sent(http, CSV, kind).status_code == 422
    assert sent(http, CSV, kind, delimiter=",").status_code == 202


def test_an_encoding_is_found_or_named(http: httpx.Client) -> None:
    text = "age,pclass,nämé\n25,3,Åsa\n"
    assert sent(http, text.encode("utf-16"), "text/csv").json()["input"]["encoding"] == "utf-16"
    refused = sent(http, text.encode("cp1252"), "text/csv").json()
    assert refused["errors"][0]["where"] == "header"
    assert "0xE4 at offset 12" in refused["detail"]
    taken = sent(http, text.encode("cp1252"), "text/csv; charset=windows-1252", encoding="windows-1252")
    assert taken.json()["input"]["columns"] == ["age", "pclass", "nämé"]


def curl(gateway: Stack, folder: Path, *arguments: str) -> dict[str, object]:
    command = ["curl", "-sS", f"{gateway.url}/predict", *arguments]
    answer: dict[str, object] = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    return answer


def test_curl_sends_a_form_with_its_options_where_it_likes(gateway: Stack, tmp_path: Path) -> None:
    rows = b"age,pclass\n" + b"25,3\n" * 100_000
    (tmp_path / "in.csv").write_bytes(rows)
    (tmp_path / "in.zip").write_bytes(zipped(("in.csv", rows)))
    for name in ("in.csv", "in.zip"):
        job = curl(gateway, tmp_path, "-F", f"file=@{name}", "-F", "output=predictions", "-F", "key=age")
        assert job["options"]["output"] == "predictions"  # type: ignore[index]
        assert job["progress"]["rows_total"] == 100_000  # type: ignore[index]


def test_curl_that_drops_the_line_ends_is_told_how_not_to(gateway: Stack, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CSV)
    assert "--data-binary" in str(curl(gateway, tmp_path, "-d", "@in.csv")["detail"])
    assert curl(gateway, tmp_path, "--data-binary", "@in.csv")["progress"]["rows_total"] == 2  # type: ignore[index]


def test_instances_carry_further_columns_along(http: httpx.Client) -> None:
    rows = [{"id": "007", "age": 25, "pclass": 3, "note": None}, [30, 1], {"age": 2, "pclass": 1, "id": 8}]
    job = http.post("/predict", json={"instances": rows}).json()
    assert job["input"]["columns"] == ["age", "pclass", "id", "note"]
    assert job["progress"]["rows_total"] == 3
    unknown = http.post("/predict", json={"instances": [[1, 1], {"age": 1, "pclass": 1}, {**rows[2], "x": 1}]}).json()
    assert unknown["errors"][0]["where"] == "instances[2].id"
    misspelt = http.post("/predict", json={"instances": [{"agee": 25, "pclass": 3}]}).json()
    assert "the nearest is 'age'" in misspelt["errors"][0]["message"]
