"""A format of model files: how it is recognised, looked into, and read. Each format is one module with one of these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rowcast.models.loading.own_code import NO_CODE, ModelCode
from rowcast.models.loading.pickle_scan import PickleScan


@dataclass(frozen=True)
class LoadContext:
    """What a format may need in addition to the bytes of a file."""

    #: The file's name, for messages.
    name: str
    #: The model's own modules, which are importable while the file is read.
    code: ModelCode = NO_CODE
    #: The classes that the user names, for a format that does not keep them.
    classes: Sequence[str] = ()


@dataclass(frozen=True)
class ModelFormat:
    """A format of model files. The table in `docs/models.md` is made from these fields."""

    #: Its name, which the manifest keeps, for example `skops`.
    name: str
    #: Endings of file names that are usual for it. They decide only if the bytes belong to no format.
    endings: Sequence[str]
    #: How a script writes it, in Markdown.
    written_by: str
    #: What reading a hostile file can do, in Markdown.
    danger: str
    #: The module that reads it, which has to be installed; None if Rowcast always has it.
    needs: str | None
    #: Whether a file of it can run code when it is read.
    runs_code: bool
    #: Returns whether the bytes of a file are of this format.
    recognises: Callable[[bytes], bool]
    #: Returns what the bytes name, without executing or importing any of it.
    scan: Callable[[bytes], PickleScan]
    #: Returns the estimator. Exceptions that are not Rowcast's own mean a damaged file.
    load: Callable[[bytes, LoadContext], Any]
    #: Whether the class labels are not in the file, so that `--classes` names them.
    takes_classes: bool = False
    #: Python code that reads a file from standard input, if native code might end the process on a damaged one.
    trial: str | None = None

    def is_named(self, file_name: str) -> bool:
        """Returns whether the name of a file has one of the usual endings."""
        return file_name.lower().endswith(tuple(self.endings))
