"""The child process in which suspect rows are predicted. If it dies or hangs, the worker and other rows are safe."""

import os
import pickle
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowcast.errors import ModelRefused, RowcastError, Unavailable
from rowcast.jobs.records.leases import ChunkLease, RowLease
from rowcast.scoring.predict import Predicted, Values, Wanted, no_values, predict_good, rows_of, without_unexplained
from rowcast.scoring.table import Table
from rowcast.wording.exit_reason import exit_reason
from worker.isolation.bisection import Fatal, OutOfMemory, search
from worker.isolation.fork_server import ForkServer
from worker.isolation.isolated_process import FAST, MOST_EXCUSED, Answer
from worker.isolation.pipe import receive, send

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

CHUNK_STRIKES = 2
"""Strikes at which a chunk is scored in isolation. One death is usually not the chunk's fault; two may be."""

ROW_STRIKES = 1
"""Strikes at which a single row is isolated. Other rows share its call, and isolating one call costs little."""

_SEARCH_LIMITS = 20
"""Limit of a search, in limits of a chunk: 30 minutes with default settings. One row that hangs takes three of them."""

_LEAST_SHARE = 0.1
"""Minimum share of the chunk's limit for a call with few rows. Other calls get a share by their number of rows."""

_LEAST_SECONDS = 1.0
"""Minimum limit of a call, unless a chunk's is shorter: a row is not at fault if the machine is busy."""

_SLACK_SECONDS = 10.0
"""Time that the worker waits for the answer after the limit of the call."""

_START_SECONDS = 120.0
"""Limit for the process to start and open the model, equal to Celery's for a worker process (`celery_queues.py`)."""

_END_SECONDS = 3.0
"""Time that the process has to end by itself before it is killed."""


ModelFiles = tuple[bytes, Mapping[str, bytes]]
"""A model's pickle, and the modules of its code: path to content."""


def is_suspect(lease: ChunkLease | RowLease) -> bool:
    """Returns whether the rows have enough strikes to be predicted in isolation."""
    return lease.strikes >= (CHUNK_STRIKES if isinstance(lease, ChunkLease) else ROW_STRIKES)


class NotStarted(RowcastError):
    """The isolated process did not start; the rows are not at fault."""


class Raised(Exception):
    """`predict` raised in the isolated process; the text is that of its exception."""


class IsolatedProcess:
    """Runs `predict_good` in a separate process, which starts when it is first needed and runs until `close`."""

    def __init__(
        self, files_of: Callable[["LoadedModel"], ModelFiles], limit_seconds: float, fork_server: ForkServer
    ) -> None:
        self._files_of = files_of
        self._fork_server = fork_server
        self._limit_seconds = limit_seconds
        self._child: _Child | None = None
        self.longest_seconds = _START_SECONDS + (_SEARCH_LIMITS + 2 + MOST_EXCUSED) * limit_seconds
        """Limit of `predict_good`, including the start, the last call of a search, and a reserve."""

    def predict_good(self, model: "LoadedModel", table: Table, wanted: Wanted) -> Predicted:
        """Does what `rowcast.scoring.predict.predict_good` does, and returns the same values.

        Raises:
            NotStarted: the process did not start.
            Unavailable: there is no fork server.
            Others: see `bisection.search`.
        """
        rows = len(table)
        if not rows:
            return predict_good(model, table, wanted)

        def call(which: NDArray[np.int64]) -> Values:
            if not len(which):
                return no_values(model, wanted)
            some = table if len(which) == rows else rows_of(table, which)
            return self._child_of(model).predict(some, wanted, self._share(len(which) / rows))

        self._child_of(model)  # the start has a separate limit, and is not part of the search
        return without_unexplained(search(call, rows, _SEARCH_LIMITS * self._limit_seconds))

    def close(self) -> None:
        """Ends the process if it runs."""
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
            self._child = _Child(self._fork_server, model, *self._files_of(model))
        return self._child


class _Child:
    """An isolated process with its model open. Raises NotStarted or Unavailable if it does not start."""

    def __init__(self, fork_server: ForkServer, model: "LoadedModel", file: bytes, code: Mapping[str, bytes]) -> None:
        self.model = model
        theirs_in, self._input = os.pipe()
        self._output, theirs_out = os.pipe()
        try:
            self._process = fork_server.fork(theirs_in, theirs_out)
        except BrokenPipeError:
            os.close(self._input)
            os.close(self._output)
            raise Unavailable("The worker's fork server has ended; the worker starts again.") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            send(self._input, model.manifest.model_dump_json().encode())
            send(self._input, FAST if model.fast else b"")
            send(self._input, file)
            send(self._input, pickle.dumps(dict(code)))
            receive(self._output, _START_SECONDS)
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            why = "took too long" if isinstance(error, TimeoutError) else self._ending()
            self.close()
            raise NotStarted(f"the isolated process did not start ({why})") from None

    @property
    def lives(self) -> bool:
        return self._process.wait(0) is None

    def predict(self, table: Table, wanted: Wanted, limit_seconds: float) -> Values:
        """Calls `predict` once and returns its values.

        Raises:
            Fatal, ModelRefused, Raised: the call failed; the class and the text say how.
        """
        try:
            send(self._input, repr(limit_seconds).encode())
            send(self._input, pickle.dumps((table, wanted)))
            packed = receive(self._output, (1 + MOST_EXCUSED) * limit_seconds + _SLACK_SECONDS)
        except (BrokenPipeError, EOFError):  # it was killed instead of its fork
            raise Fatal(f"predict ended its process ({self._ending()})") from None
        except TimeoutError:
            self._process.kill()
            raise Fatal(f"predict took longer than {limit_seconds:g} s") from None
        with self.model.code.active():  # labels may be instances of the model's classes
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
        """Ends the process. Its input is closed first, so that it can end its fork."""
        os.close(self._input)
        if self._process.wait(_END_SECONDS) is None:
            self._process.kill()
        self._process.close()
        os.close(self._output)

    def _ending(self) -> str:
        code = self._process.wait(_END_SECONDS)
        return "it does not end" if code is None else exit_reason(code)
