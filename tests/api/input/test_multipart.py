"""Forms: a file of any size at constant memory, whatever the blocks, and fields that stay small."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from programs import Stack, until

from api.input.multipart import MAX_FIELD_BYTES, MAX_PARTS, read_form
from rowcast.errors import BrokenForm, TooLarge

BOUNDARY = b"XxBoundaryxX"
FILE = b"age,pclass\r\n25,3\n--XxBoundary\r\n\r\r\n--XxBoundaryxY--\r\n30,1\r\n"
"""Almost a boundary in several places."""


def field(name: str, value: bytes) -> bytes:
    return b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (BOUNDARY, name.encode(), value)


def file(content: bytes, name: str = "in.csv") -> bytes:
    head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n' % (BOUNDARY, name.encode())
    return head + b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n"


END = b"--%b--\r\n" % BOUNDARY


def cut(body: bytes, at: int) -> Iterator[bytes]:
    return (body[start : start + at] for start in range(0, len(body), at))


def test_a_form_is_the_same_in_blocks_of_every_size() -> None:
    body = field("output", b"predictions\r") + file(FILE) + END
    for size in range(1, len(body) + 1):
        form = read_form(cut(body, size), BOUNDARY)
        assert (form.fields, form.filename) == ({"output": "predictions\r"}, "in.csv")
        assert b"".join(form.content) == FILE, size


def test_a_boundary_may_lie_anywhere_at_the_edge_of_a_block() -> None:
    size = 4096
    for offset in range(size - len(END) - 8, size + 8):
        content = (FILE * 100)[: max(0, offset - len(file(b"")))]
        form = read_form(cut(file(content) + END, size), BOUNDARY)
        assert b"".join(form.content) == content, offset


@pytest.mark.parametrize("disposition", [b"form-data", b'form-data; name=""', b'form-data; filename="in.csv"'])
def test_a_part_without_a_name_is_refused(disposition: bytes) -> None:
    part = b"--%b\r\nContent-Disposition: %b\r\n\r\n1\r\n" % (BOUNDARY, disposition)
    with pytest.raises(BrokenForm, match="has no name"):
        read_form(cut(part + part + file(FILE) + END, 4096), BOUNDARY)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"no boundary anywhere " * 10_000, "headers"),
        (b"--%b\r\nX: " % BOUNDARY + b"x" * 200_000, "headers"),
        (field("model", b"x" * (MAX_FIELD_BYTES + 1)) + END, "field"),
        (b"".join(field(f"f{number}", b"") for number in range(MAX_PARTS + 1)) + END, "number"),
    ],
    ids=["preamble", "headers", "field", "parts"],
)
@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_what_is_not_the_file_stays_small(body: bytes, word: str, size: int) -> None:
    with pytest.raises(TooLarge, match=word):
        read_form(cut(body, size), BOUNDARY)


def test_a_form_of_100_mb_is_taken_at_constant_memory(gateway: Stack, http: httpx.Client) -> None:
    proc = Path("/proc", str(psutil.Process(gateway.processes["gateway"].pid).children()[0].pid))
    (proc / "clear_refs").write_text("5")  # resets the peak
    row = b"25,3,%b\n" % (b"x" * 4000)
    block = row * 256
    count = 100_000_000 // len(block)
    form = itertools.chain([file(b"age,pclass,note\n")[:-2]], itertools.repeat(block, count), [b"\r\n" + END])
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    answer = http.post("/predict", content=form, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["progress"]["rows_total"] == 256 * count
    peak_kib = int((proc / "status").read_text().split("VmHWM:")[1].split()[0])
    assert peak_kib < 150 * 1024
    http.delete(answer.headers["Location"])
    until(lambda: not [name for name in gateway.files() if answer.json()["id"] in name], "the job's files are gone")
