"""Files that are gzip: what is unpacked of them is stored in pieces, and read in ranges across these."""

import gzip
import random
from pathlib import Path

import pytest

from rowcast.errors import TooLarge
from rowcast.jobs.by_url.file_url import FileUrl
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES, Files
from rowcast.storage import Storage
from worker.planning.packed_file import store_blocks, unpacked_blocks, unpacked_name

CONTENT = random.Random(1).randbytes(1000) * (2 * SOURCE_PIECE_BYTES // 1000 + 5)
READ_BYTES = 1000


@pytest.fixture
def packed(tmp_path: Path) -> tuple[UrlFiles, KnownFile]:
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT, 1))
    files = UrlFiles(f"file://{tmp_path}/")
    return files, files.find(FileUrl.read(f"file://{tmp_path}/a.gz", "input_url"))[0]


def test_an_unpacked_file_is_read_across_its_pieces(tmp_path: Path, packed: tuple[UrlFiles, KnownFile]) -> None:
    files, file = packed
    store = Files(Storage(str(tmp_path / "store"), syncs=False))
    blocks = unpacked_blocks(files, file, READ_BYTES, len(CONTENT))
    assert b"".join(store_blocks(store, "job", file, blocks)) == CONTENT
    for start in (0, SOURCE_PIECE_BYTES - 10, SOURCE_PIECE_BYTES, 2 * SOURCE_PIECE_BYTES - 1):
        assert store.get_unpacked("job", unpacked_name(file), start, 50) == CONTENT[start : start + 50]
    whole = store.get_unpacked("job", unpacked_name(file), 0, len(CONTENT))
    assert whole == CONTENT


def test_a_file_that_is_too_large_unpacked_is_refused(packed: tuple[UrlFiles, KnownFile]) -> None:
    files, file = packed
    with pytest.raises(TooLarge, match="ROWCAST_MAX_UPLOAD_BYTES"):
        list(unpacked_blocks(files, file, READ_BYTES, len(CONTENT) - 1))
