"""A model's own code: modules that are stored with it, importable while it is loaded and while it predicts.

A pickle holds the *names* of classes, not their code. The modules below `code/` in a version's folder are therefore
imported under the names that they had in training, but `sys.modules` holds them only while the model is active:

    with code.active():
        estimator = pickle.loads(data)      # imports `mytransforms` of this version
    ...
    with code.active():
        estimator.predict(table)            # an `import` inside a function finds the same modules again

Afterwards they are taken out, and the modules that had the same names come back. So one process can use two versions
with different code in modules of the same name. Everything that uses a module's name works as in the user's script:
relative imports, imports of a sibling module, imports inside functions, `importlib`, nested pickles, copies, `inspect`.
The alternative, private module names, breaks everything that looks a module up by its original name: absolute imports
between the model's modules, nested pickles, cloudpickle's references, `importlib`.

The modules are made from bytes in memory that were checked before. Nothing is read from disk, no bytecode is written,
and a name below one of the model's own packages is never looked up anywhere else.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from importlib.resources.abc import TraversableResources
from io import BytesIO
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any
from zipfile import Path as ZipPath
from zipfile import ZipFile

_PACKAGE_FILE = "__init__.py"

_ONE_AT_A_TIME = threading.RLock()
"""Held while a model with own code is active, because all threads share `sys.modules`."""


class ModelCode:
    """The modules of one version of one model."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` has the content by path below `code/`, as in the manifest. Nothing is imported yet."""
        self.files = dict(files)
        self._root = f"<model code {_digest(self.files)[:12]}>"
        self._paths = _module_paths(self.files)
        self._tops = {name.partition(".")[0] for name in self._paths}
        self._loaded: dict[str, ModuleType] = {}
        self._shadowed: dict[str, ModuleType] = {}
        self._depth = 0

    @property
    def modules(self) -> list[str]:
        """The full names of the modules, sorted."""
        return sorted(self._paths)

    def owns(self, module: str) -> bool:
        """Returns whether the module is one of this model's, or is in one of its packages."""
        return module.partition(".")[0] in self._tops

    def source(self, module: str) -> bytes | None:
        """Returns the source of one of the model's modules; None if it has none, as a folder without `__init__.py`."""
        path = self._paths.get(module)
        return self.files.get(path) if path else None

    def is_package(self, module: str) -> bool:
        """Returns whether one of the model's modules is a package."""
        return PurePosixPath(self._paths.get(module, "")).name == _PACKAGE_FILE

    @contextmanager
    def active(self) -> Iterator[None]:
        """Lets imports in this process find these modules until the block is left. May be nested."""
        if not self._paths:
            yield
            return
        with _ONE_AT_A_TIME:
            self._enter()
            try:
                yield
            finally:
                self._leave()

    # What the import system calls: see importlib.abc.MetaPathFinder.
    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Returns the spec of one of the model's modules; None for other modules.

        Raises:
            ModuleNotFoundError: the name is in one of the model's packages, which has no such module.
        """
        if not self.owns(name):
            return None
        if name not in self._paths:
            raise ModuleNotFoundError(f"No module named {name!r} in the code of the model", name=name)
        file = self._paths[name]
        location = f"{self._root}/{file}"
        is_package = PurePosixPath(file).name == _PACKAGE_FILE
        spec = ModuleSpec(name, _Loader(self.files, self._root, location), origin=location, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(location)]  # noqa: PTH120 - no path on a disk
        return spec

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._shadowed = self._take_out()
        sys.modules.update(self._loaded)
        sys.meta_path.insert(0, self)

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth:
            return
        sys.meta_path.remove(self)
        self._loaded = self._take_out()
        sys.modules.update(self._shadowed)
        self._shadowed = {}

    def _take_out(self) -> dict[str, ModuleType]:
        """Removes the modules with one of the model's names from `sys.modules`, and returns them."""
        return {name: sys.modules.pop(name) for name in self._paths if name in sys.modules}


class _Loader(SourceLoader):
    """Makes modules from source in memory. Without `path_stats` and `set_data` no bytecode is read or written."""

    def __init__(self, files: Mapping[str, bytes], root: str, location: str) -> None:
        self._files, self._root, self._location = files, root, location

    def get_filename(self, fullname: str) -> str:
        """Returns the location that tracebacks show; it is not a path on a disk."""
        return self._location

    def get_data(self, path: str | bytes) -> bytes:
        """Returns a file of the model's code; also a data file, for `pkgutil.get_data`."""
        name = os.fsdecode(path).replace(os.sep, "/").removeprefix(f"{self._root}/")
        if name in self._files:
            return self._files[name]
        if self._is_empty_package(name):
            return b""
        raise FileNotFoundError(f"The code of the model has no file {name!r}.")

    def get_resource_reader(self, fullname: str) -> TraversableResources:
        """Returns the data files in a package's folder, for `importlib.resources`."""
        folder = PurePosixPath(self._location.removeprefix(f"{self._root}/")).parent
        return _Resources(self._files, f"{folder}/")

    def _is_empty_package(self, name: str) -> bool:
        return PurePosixPath(name).name == _PACKAGE_FILE


class _Resources(TraversableResources):
    def __init__(self, files: Mapping[str, bytes], folder: str) -> None:
        self._files, self._folder = files, folder

    def files(self) -> Any:
        content = BytesIO()
        with ZipFile(content, "w") as archive:
            for path, data in self._files.items():
                archive.writestr(path, data)
        return ZipPath(ZipFile(content), self._folder)


def _module_paths(files: Mapping[str, bytes]) -> dict[str, str]:
    """Returns module name to source file. A folder with modules is a package, also without an `__init__.py`."""
    found: dict[str, str] = {}
    for path in sorted(files):
        parts = PurePosixPath(path)
        folders = parts.parts[:-1]
        if parts.suffix != ".py" or not all(map(str.isidentifier, (*folders, parts.stem))):
            continue
        for length in range(1, len(folders) + 1):
            found[".".join(folders[:length])] = "/".join((*folders[:length], _PACKAGE_FILE))
        if parts.name != _PACKAGE_FILE:
            found.setdefault(".".join((*folders, parts.stem)), path)
    return found


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{hashlib.sha256(files[path]).hexdigest()}\n".encode())
    return whole.hexdigest()


NO_CODE = ModelCode({})
"""The code of a model that has none."""
