"""Estimators that misbehave, for the workers under test: they find this module on their PYTHONPATH."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Fixed(ClassifierMixin, BaseEstimator):
    """Predicts 1 where the first feature is over 30; the base of those that misbehave."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def fit(self, table, target):
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = table.shape[1]
        return self

    def predict(self, table):
        return (np.asarray(table, dtype=float)[:, 0] > 30).astype(int)


class Slow(Fixed):
    """Takes a second for a call."""

    def predict(self, table):
        time.sleep(1)
        return super().predict(table)


class Patient(Fixed):
    """Takes two milliseconds for each row."""

    def predict(self, table):
        time.sleep(0.002 * len(table))
        return super().predict(table)


class Stuck(Fixed):
    """Does not come back while the file `stuck` is in its folder."""

    def predict(self, table):
        while (Path(self.folder) / "stuck").exists():
            time.sleep(0.05)
        return super().predict(table)


class Picky(Fixed):
    """Raises for a batch that holds the value 66."""

    def predict(self, table):
        if (np.asarray(table, dtype=float)[:, 0] == 66).any():
            raise ValueError("66 is not for me")
        return super().predict(table)


class Failing(Fixed):
    """Raises what no row is to blame for, while the file `failing` is in its folder."""

    def predict(self, table):
        if (Path(self.folder) / "failing").exists():
            raise MemoryError("no room")
        return super().predict(table)


class Dying(Fixed):
    """Kills its process once, at the first call after the file `die` was put in its folder."""

    def predict(self, table):
        mark = Path(self.folder) / "die"
        if mark.exists():
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(table)


class Deadly(Fixed):
    """Kills its process for a batch that holds the value 66, and talks while it works."""

    def predict(self, table):
        print("predicting", flush=True)
        if (np.asarray(table, dtype=float)[:, 0] == 66).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(table)


class Hanging(Fixed):
    """Does not come back from a batch that holds the value 66; the file `hangs` in its folder says which process."""

    def predict(self, table):
        if (np.asarray(table, dtype=float)[:, 0] == 66).any():
            (Path(self.folder) / "hangs").write_text(str(os.getpid()))
            time.sleep(10**6)
        return super().predict(table)


class Greedy(Fixed):
    """Needs more memory than there is for a batch that holds the value 66."""

    def predict(self, table):
        if (np.asarray(table, dtype=float)[:, 0] == 66).any():
            np.empty(1 << 60, np.uint8)
        return super().predict(table)


class Forked(Fixed):
    """Predicts the id of the process that forked its own."""

    def predict(self, table):
        return np.full(len(table), os.getppid())


class Nosy(Fixed):
    """Predicts how many sockets its process has, and how many threads the process that forked it."""

    def predict(self, table):
        threads = len(list(Path(f"/proc/{os.getppid()}/task").iterdir()))
        sockets = sum(file.is_socket() for file in Path("/proc/self/fd").iterdir())
        return np.full(len(table), threads + sockets)
