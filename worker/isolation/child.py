"""Isolation: predicting in a process whose death or hanging costs nobody else, to find the rows that cause it."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowcast.errors import ModelRefused, RowcastError
from rowcast.jobs.records.leases import ChunkLease, RowLease
from rowcast.scoring.predict import Outcome, Values, Wanted, no_values, predict_good, rows_of
from rowcast.scoring.table import Table
from worker.isolation.__main__ import MOST_EXCUSED, Answer, ending
from worker.isolation.bisection import Fatal, OutOfMemory, search
from worker.isolation.pipe import receive, send

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

CHUNK_STRIKES = 2
"""Strikes against a chunk from which on it is scored isolated: one death is mostly not its fault, two may be."""

ROW_STRIKES = 1
"""As much for a single row: others wait beside it, and to isolate one call costs little."""

_SEARCH_LIMITS = 20
"""How many times a chunk's limit a search may take: 30 minutes, as set by default. One row that hangs takes three."""

_LEAST_SHARE = 0.1
"""Of the chunk's limit, for a call over few of its rows; the others have a limit by their number."""

_LEAST_SECONDS = 1.0
"""No call's limit is shorter, if a chunk's is not: a busy machine is no fault of a row."""

_SLACK_SECONDS = 10.0
"""How much longer than a call may take we wait for the answer."""

_START_SECONDS = 120.0
"""For the process to come up and open the model: as long as Celery gives a worker process (`celery_queues.py`)."""

_END_SECONDS = 3.0


ModelFiles = tuple[bytes, Mapping[str, bytes]]
"""A model's pickle, and its own modules: path to content."""


def is_suspect(lease: ChunkLease | RowLease) -> bool:
    """Whether so much stands against these rows that they are to be predicted isolated."""
    return lease.strikes >= (CHUNK_STRIKES if isinstance(lease, ChunkLease) else ROW_STRIKES)


class NotStarted(RowcastError):
    """The isolated process did not come up; no row's fault."""


class Raised(Exception):
    """What `predict` raised in the isolated process, by its text."""


class IsolatedProcess:
    """`predict_good` in a process of its own, which starts when it is first needed and stays until `close`."""

    def __init__(self, files_of: Callable[["LoadedModel"], ModelFiles], limit_seconds: float) -> None:
        self._files_of = files_of
        self._limit_seconds = limit_seconds
        self._child: _Child | None = None
        self.longest_seconds = _START_SECONDS + (_SEARCH_LIMITS + 2 + MOST_EXCUSED) * limit_seconds
        """What `predict_good` may take in all, with the start, the last call of a search, and some room."""

    def predict_good(self, model: "LoadedModel", table: Table, wanted: Wanted) -> Outcome:
        """As `rowcast.scoring.predict.predict_good`, and gives the same values.

        Raises:
            NotStarted: see there. Others: see `halving.search`.
        """
        rows = len(table)
        if not rows:
            return predict_good(model, table, wanted)

        def call(which: NDArray[np.int64]) -> Values:
            if not len(which):
                return no_values(model, wanted)
            some = table if len(which) == rows else rows_of(table, which)
            return self._child_of(model).predict(some, wanted, self._share(len(which) / rows))

        self._child_of(model)  # its start has a limit of its own, and is no part of the search
        return search(call, rows, _SEARCH_LIMITS * self._limit_seconds)

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._child:
            self._child.close()
            self._child = None

    def _share(self, share: float) -> float:
        least = max(_LEAST_SECONDS, _LEAST_SHARE * self._limit_seconds)
        return min(self._limit_seconds, max(least, share * self._limit_seconds))

    def _child_of(self, model: "LoadedModel") -> "_Child":
        if self._child and (self._child.model is not model or not self._child.lives):
            self.close()
        if not self._child:
            self._child = _Child(model, *self._files_of(model))
        return self._child


class _Child:
    """An isolated process with its model open (`__main__.py`). NotStarted where it does not come up."""

    def __init__(self, model: "LoadedModel", file: bytes, code: Mapping[str, bytes]) -> None:
        self.model = model
        theirs_in, self._input = os.pipe()
        self._output, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.isolation"],
            stdin=theirs_in,
            stdout=theirs_out,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # what we can import, it can
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            send(self._input, model.manifest.model_dump_json().encode())
            send(self._input, file)
            send(self._input, pickle.dumps(dict(code)))
            receive(self._output, _START_SECONDS)
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            why = "took too long" if isinstance(error, TimeoutError) else self._ending()
            self.close()
            raise NotStarted(f"the isolated process did not start ({why})") from None

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def predict(self, table: Table, wanted: Wanted, limit_seconds: float) -> Values:
        """One call of `predict`.

        Raises:
            Fatal, ModelRefused, Raised: how it ended.
        """
        try:
            send(self._input, repr(limit_seconds).encode())
            send(self._input, pickle.dumps((table, wanted)))
            packed = receive(self._output, (1 + MOST_EXCUSED) * limit_seconds + _SLACK_SECONDS)
        except (BrokenPipeError, EOFError):  # it was ended in its fork's stead
            raise Fatal(f"predict ended its process ({self._ending()})") from None
        except TimeoutError:
            self._process.kill()
            raise Fatal(f"predict took longer than {limit_seconds:g} s") from None
        with self.model.code.active():  # labels may be objects of its classes
            answer: Answer = pickle.loads(packed)
        match answer:
            case ("values", values):
                return values  # type: ignore[no-any-return]
            case ("refused", detail):
                raise ModelRefused(detail)
            case ("memory", message):
                raise OutOfMemory(message)
            case ("fatal", message):
                raise Fatal(message)
            case (_, message):
                raise Raised(message)

    def close(self) -> None:
        """Ends it: asked first, by the end of its input, so that it ends its fork."""
        os.close(self._input)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._process.kill()
        self._process.wait()
        os.close(self._output)

    def _ending(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.poll()
        return "it hangs" if code is None else ending(code)
