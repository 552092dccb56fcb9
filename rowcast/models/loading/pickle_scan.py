"""What a pickle names, found by reading its opcodes: nothing of it is executed.

It serves explanations and the record of requirements, not safety: a hostile pickle can hide what it calls.
"""

import pickletools
import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MAIN = "__main__"
"""The module of whatever was defined in a notebook or in the script itself."""

_SUBIMPORT = ("cloudpickle.cloudpickle", "subimport")
"""How cloudpickle refers to a module: a call of this function with the module's name."""

_JOBLIB_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")
"""After it, joblib writes an array's bytes into the stream, which are not opcodes."""

_VERSION_FIELD = "_sklearn_version"
"""The attribute in which each of scikit-learn's estimators keeps the version that pickled it."""

_VERSION = re.compile(r"^[0-9]+\.[0-9]+")

_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_PASSIVE = {"FRAME", "PROTO"}


@dataclass
class PickleScan:
    """What was found."""

    names: set[tuple[str, str]] = field(default_factory=set)
    """Classes and functions, as (module, qualified name)."""

    modules: set[str] = field(default_factory=set)
    """Modules that the pickle needs: those of `names`, and those that cloudpickle imports by name."""

    sklearn_versions: set[str] = field(default_factory=set)
    """The versions of scikit-learn that its estimators were pickled with."""


def scan_pickle(data: bytes) -> PickleScan:
    """Reads as far as the bytes are a pickle, and returns what they named until then."""
    scanner = _Scanner()
    with suppress(Exception):  # pickletools has no error class: ValueError, IndexError and others
        for opcode, argument, _ in pickletools.genops(data):
            scanner.step(opcode.name, argument)
            if _JOBLIB_ARRAY in scanner.found.names:
                break
    return scanner.found


class _Scanner:
    """Follows strings and names through the stack's top and the memo, as far as STACK_GLOBAL needs them."""

    def __init__(self) -> None:
        self.found = PickleScan()
        self._top: Any = None
        self._below: Any = None
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top
        elif name in _PUTS:
            self._memo[int(argument)] = self._top
        elif name in _GETS:
            self._push(self._memo.get(int(argument)))
        elif name in ("GLOBAL", "INST"):
            module, _, qualified = argument.partition(" ")
            self._push(self._name(*_renamed(module, qualified)))
        elif name == "STACK_GLOBAL":
            module, qualified = self._below, self._top
            known = isinstance(module, str) and isinstance(qualified, str)
            self._push(self._name(module, qualified) if known else None)
        elif name not in _PASSIVE:
            self._push(argument if isinstance(argument, str) else None)

    def _push(self, value: Any) -> None:
        self._below, self._top = self._top, value
        if isinstance(value, str):
            if self._below == _VERSION_FIELD and _VERSION.match(value):
                self.found.sklearn_versions.add(value)
            if self._below == _SUBIMPORT:
                self.found.modules.add(value)

    def _name(self, module: str, qualified: str) -> tuple[str, str]:
        self.found.names.add((module, qualified))
        self.found.modules.add(module)
        return module, qualified


def _renamed(module: str, qualified: str) -> tuple[str, str]:
    """Returns names of Python 2, which old protocols still write, as those of Python 3."""
    if (module, qualified) in NAME_MAPPING:
        return NAME_MAPPING[module, qualified]
    return IMPORT_MAPPING.get(module, module), qualified
