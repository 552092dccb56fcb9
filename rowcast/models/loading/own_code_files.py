"""The files of a model's own code, read from disk at registration."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rowcast.errors import NotFound, Unprocessable
from rowcast.models.model_manifest import CODE_PATH, MAX_CODE_BYTES, MAX_CODE_FILES

RESERVED = frozenset({"rowcast", "sklearn", "numpy", "scipy", "pandas", "joblib", "cloudpickle", "threadpoolctl"})
"""Modules that a worker itself needs while a model predicts. A model may not have its own module of this name."""

_COMPILED = {".so", ".pyd", ".dylib", ".dll"}
_LEFT_OUT_FOLDERS = {"__pycache__"}
_LEFT_OUT_FILES = {".pyc", ".pyo"}


def read_code(paths: Sequence[Path]) -> dict[str, bytes]:
    """Reads the modules and packages at `paths`. Returns content by path in the model's folder `code`.

    A file `folder/mytransforms.py` becomes `mytransforms.py`, a folder `src/mypackage` becomes `mypackage/…` with
    everything in it, data files too. Hidden files and bytecode are left out.

    Raises:
        NotFound: there is no such file or folder.
        Unprocessable: it is not a module or package, or is too large.
    """
    found: dict[str, bytes] = {}
    total_bytes = 0
    for path in paths:
        for name, file in _files(path.absolute(), path):
            if name in found:
                raise _refused(f"{name!r} is given twice")
            if not re.fullmatch(CODE_PATH, name):
                raise _refused(f"the name of {name!r} cannot be stored; use letters, digits, '_', '-' and '.'")
            if file.suffix in _COMPILED:
                raise _refused(f"{name!r} is compiled and cannot be stored: install its package where the workers run")
            found[name] = file.read_bytes()
            total_bytes += len(found[name])
            if len(found) > MAX_CODE_FILES or total_bytes > MAX_CODE_BYTES:
                limits = f"{MAX_CODE_FILES} files, or {MAX_CODE_BYTES // 1024**2} MiB"
                raise _refused(f"{str(path)!r} has more than {limits}; pass only the package that the model imports")
    _require_one_module_per_name(found)
    return found


def _files(path: Path, said: Path) -> Iterator[tuple[str, Path]]:
    """Yields each file at `path`, with its path in the model's folder `code`."""
    if not path.exists():
        raise NotFound(f"File or folder not found: {said} (--code).")
    name = path.stem if path.is_file() else path.name
    if (path.is_file() and path.suffix != ".py") or not name.isidentifier():
        raise _refused(f"{str(said)!r} is not a module (NAME.py) or the folder of a package")
    if name in RESERVED or name in sys.stdlib_module_names:
        raise _refused(f"{name!r} is the name of a module that Python or Rowcast needs; give yours another name")
    if path.is_file():
        yield path.name, path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _LEFT_OUT_FOLDERS)
        for file in sorted(Path(folder) / one for one in names if not one.startswith(".")):
            if file.suffix not in _LEFT_OUT_FILES and file.is_file():
                yield f"{path.name}/{file.relative_to(path).as_posix()}", file


def _require_one_module_per_name(files: dict[str, bytes]) -> None:
    folders = {name.partition("/")[0] for name in files if "/" in name}
    for name in sorted(folders):
        if f"{name}.py" in files:
            raise _refused(f"both a file and a folder are the module {name!r}")
        if not any(one.startswith(f"{name}/") and one.endswith(".py") for one in files):
            raise _refused(f"the folder {name!r} holds no Python module")


def _refused(fault: str) -> Unprocessable:
    return Unprocessable.at("--code", fault)
