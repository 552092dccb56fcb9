import stat
from pathlib import Path

import pytest

from rowcast.errors import RowcastError
from rowcast.local.data_folder import DataFolder, FolderTaken


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "new" / "data")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.redis.is_dir()


def test_a_folder_is_one_services_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    with first.locked(), pytest.raises(FolderTaken, match=f"uses {tmp_path}"), second.locked():
        pass
    with second.locked():
        pass


def test_a_place_where_no_folder_can_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RowcastError, match="cannot be used for data"):
        DataFolder(tmp_path / "file" / "data")
