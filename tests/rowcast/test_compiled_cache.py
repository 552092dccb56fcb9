"""The cache of compiled code: which folder it is, and that it is filled once."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from programs import NO_OVERRIDE, ROOT

from rowcast.compiled_cache import VARIABLE, cache_folder, compile_into, has_code, outcome


@pytest.fixture(autouse=True)
def _no_cache_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def put_code(folder: Path) -> None:
    (folder / "trees_1").mkdir(parents=True)
    for name in ("walk.1.nbc", "walk.nbi"):
        (folder / "trees_1" / name).write_bytes(b"code")


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, VARIABLE: str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


def test_the_folder_is_that_of_the_environment_or_the_usual_one_or_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with cache_folder() as folder:
        assert folder.path == tmp_path / "caches" / "rowcast" / "numba"
        assert os.environ[VARIABLE] == str(folder.path)
    monkeypatch.delenv(VARIABLE)
    with cache_folder(tmp_path / "data" / "numba") as folder:
        assert folder.path == tmp_path / "data" / "numba"
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    with cache_folder(tmp_path / "other") as folder:
        assert folder.path == tmp_path / "data" / "numba", "it is set already"


def test_a_folder_that_cannot_be_written_is_copied_to_a_temporary_one(tmp_path: Path) -> None:
    put_code(tmp_path / "numba")
    (tmp_path / "numba" / "trees_1").chmod(0o555)
    (tmp_path / "numba").chmod(0o555)
    code = """
from rowcast.compiled_cache import cache_folder, has_code
from pathlib import Path
with cache_folder() as folder:
    print(folder.copy_of)
    (folder.path / "trees_1" / "more.1.nbc").touch()
    print(*sorted(file.name for file in folder.path.glob("*/*")), has_code(folder.path))
print(folder.path.exists())
"""
    done = run(*NO_OVERRIDE, sys.executable, "-c", code, folder=tmp_path / "numba")
    assert done.stdout.splitlines() == [
        str(tmp_path / "numba"),
        "more.1.nbc walk.1.nbc walk.nbi True",
        "False",
    ], done.stderr
    done = run(*NO_OVERRIDE, sys.executable, "-m", "rowcast.compiled_cache", folder=tmp_path / "numba")
    assert done.returncode == 2
    assert done.stderr == f"The folder cannot be written. Choose another one with {VARIABLE}.\n"


def test_without_any_folder_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with cache_folder(tmp_path / "file" / "numba") as folder:
        assert folder is None


def test_processes_that_start_together_compile_once(tmp_path: Path) -> None:
    """Of the functions, two are enough: compiling those for trees takes four times as long."""
    assert not has_code(tmp_path)
    code = (
        "import sys, rowcast.compiled_cache as cache; print(cache.compile_into(cache.Path(sys.argv[1]), trees=False))"
    )
    environment = {**os.environ, VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0] for process in both) == ["0\n", "2\n"]
    assert has_code(tmp_path)


def test_the_program_says_what_it_has_compiled(tmp_path: Path) -> None:
    assert outcome(6, tmp_path) == f"Compiled 6 functions into {tmp_path}."
    assert outcome(1, tmp_path) == f"Compiled 1 function into {tmp_path}."
    assert outcome(0, tmp_path) == f"{tmp_path} is complete."


def test_compiling_without_numba_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"pip install 'rowcast\[fast\]'"):
        compile_into(tmp_path)
