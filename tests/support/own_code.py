"""Models with their users' own code, made as a user makes them: by a script in another process, next to its modules."""

import importlib
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.own_code_files import read_code

TRANSFORMS = """
import copy
import importlib
import inspect
import os
import pickle
import signal
import sys

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from steps import scale

from . import words
from .inner.limits import LIMIT


class Over(ClassifierMixin, BaseEstimator):
    '''Predicts 1 where the first feature is over the limit of its version of the code.'''

    def __init__(self, folder=""):
        self.folder = folder

    def fit(self, table, target=None):
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = np.shape(table)[1]
        self.inner_ = pickle.dumps(Part())
        return self

    def predict(self, table):
        from .inner.limits import LIMIT as lazily  # an import inside a function

        by_name = importlib.import_module("mypackage.inner.limits").LIMIT
        part = copy.deepcopy(pickle.loads(self.inner_))  # pickle looks the class up in sys.modules
        again = pickle.loads(pickle.dumps(self))
        assert type(again) is type(self) and type(part) is sys.modules["mypackage"].Part
        assert LIMIT == lazily == by_name == part.limit() == words.limit()
        assert f"LIMIT = {LIMIT}" in inspect.getsource(sys.modules["mypackage.inner.limits"])
        return (scale(np.asarray(table, dtype=float)[:, 0]) > LIMIT).astype(int)


class Deadly(Over):
    '''Ends its process at the value 66.'''

    def predict(self, table):
        if (np.asarray(table, dtype=float)[:, 0] == 66).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(table)


class Part:
    def limit(self):
        import mypackage.inner.limits

        return mypackage.inner.limits.LIMIT
"""

WORDS = """
import pkgutil
from importlib import resources


def limit():
    one = resources.files(__package__).joinpath("data/limit.txt").read_text()
    two = pkgutil.get_data("mypackage", "data/limit.txt").decode()
    assert one == two
    return int(one)
"""

KINDS = ["Over()", "BaggingClassifier(Over(), 3)", "make_pipeline(FunctionTransformer(), Over())"]
"""The models of `write_model`, as their users' script makes them."""


def write_code(folder: Path, limit: int) -> list[Path]:
    """A package `mypackage` and a module `steps`, whose models have this limit; what `--code` takes."""
    files = {
        "mypackage/__init__.py": TRANSFORMS,
        "mypackage/words.py": WORDS,
        "mypackage/data/limit.txt": str(limit),
        "mypackage/inner/limits.py": f"LIMIT = {limit}\n",
        "steps.py": "def scale(values):\n    return values\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [folder / "mypackage", folder / "steps.py"]


def run_script(folder: Path, script: str) -> None:
    """Runs a user's script in `folder`, whose modules it can import."""
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-B", "script.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def write_model(folder: Path, limit: int, kind: str = "Over()") -> tuple[Path, list[Path]]:
    """The pickle of a model with own code, one of `KINDS`, and what `--code` takes for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pkl").write_bytes(_pickles()[KINDS.index(kind)])
    return folder / "model.pkl", write_code(folder, limit)


@cache
def _pickles() -> list[bytes]:
    """Returns the pickles of all `KINDS`. One script makes them: a process starts slowly. No limit is in them."""
    with TemporaryDirectory() as folder:
        write_code(Path(folder), limit=10)
        run_script(
            Path(folder),
            f"""
import pickle, numpy
from mypackage import *
from sklearn.ensemble import BaggingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

rows, labels = numpy.arange(20.0).reshape(20, 1), [0, 1] * 10
for number, model in enumerate([{", ".join(KINDS)}]):
    with open(f"model-{{number}}.pkl", "wb") as file:
        pickle.dump(model.fit(rows, labels), file)
""",
        )
        return [(Path(folder) / f"model-{number}.pkl").read_bytes() for number in range(len(KINDS))]


def pickle_here(folder: Path, limit: int, kind: str = "Over") -> tuple[bytes, dict[str, bytes]]:
    """The same as pickle and code, made in this process, which is quicker."""
    code = ModelCode(read_code(write_code(folder, limit)))
    with code.active():
        model = getattr(importlib.import_module("mypackage"), kind)().fit(np.zeros((2, 1)))
        return pickle.dumps(model), code.files
