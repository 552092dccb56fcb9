"""The isolated process: predicts for a worker process, each call in a separate fork.

It has one thread, no connection, and the model, which it never calls itself. So its forks find OpenMP and BLAS unused,
start in milliseconds, and may die or hang without harm. `pipe.py` has the format of the messages.

Its requests: the manifest as JSON, `FAST` or nothing, the model's file, and a pickle of its code (path to content).
Then, for each call, its limit in seconds and a pickle of the table and a `Wanted`. The process exits when their pipe is
closed. Its answers: an empty message when the model is open, then a pickle of an `Answer` for each call.
"""

import faulthandler
import os
import pickle
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NoReturn

from rowcast.errors import RowcastError
from rowcast.logs import set_up
from rowcast.models.loading.fast_model import accelerated
from rowcast.models.loading.load import LoadedModel, as_loaded, unpickle, without_names
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.model_manifest import Manifest
from rowcast.scoring.predict import predict
from rowcast.settings import Settings
from rowcast.wording.exception_text import one_line
from rowcast.wording.exit_reason import exit_reason
from worker.isolation.pipe import receive, send

Answer = tuple[Literal["values", "raised", "refused", "memory", "fatal"], Any]
"""How a call ended, and its `Values` or a message."""

MOST_EXCUSED = 5
"""A call may wait for a processor for up to five times its limit, in addition to the limit."""

FAST = b"fast"
"""What the worker process sends if it predicts the model with the fast path, so that this process does the same."""

_ORPHANED_SECONDS = 5
"""Time after its total limit at which a fork ends itself, if its parent process is gone."""


def run(requests: int, answers: int) -> int:
    """Runs until the pipe of its requests is closed. Returns the exit code."""
    with suppress(OSError):  # not on macOS
        Path("/proc/self/comm").write_text("isolated")
    _let_the_model_print_to_the_log()
    faulthandler.enable()  # a crash in a library's native code then logs a traceback
    set_up(Settings.read(), "isolated")
    model = _open(receive(requests), receive(requests), receive(requests), pickle.loads(receive(requests)))
    send(answers, b"")
    while True:
        try:
            limit_seconds, request = float(receive(requests)), receive(requests)
            send(answers, _attempt(model, request, limit_seconds, requests))
        except (EOFError, ConnectionAbortedError, BrokenPipeError):
            return 0


def _let_the_model_print_to_the_log() -> None:
    """Makes standard input empty, and standard output the same as standard error."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)


def _open(manifest: bytes, fast: bytes, file: bytes, files: dict[str, bytes]) -> LoadedModel:
    """Returns the model as `ModelCache` prepares it. The process that sent it has verified it."""
    code = ModelCode(files)
    estimator, _ = unpickle(file, code=code)
    model = without_names(as_loaded(Manifest.model_validate_json(manifest), estimator, code))
    return accelerated(model) if fast == FAST else model


def _attempt(model: LoadedModel, request: bytes, limit_seconds: float, requests: int) -> bytes:
    """Returns the answer of one fork, or how the fork ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _predict_and_exit(model, request, limit_seconds, writing)
    os.close(writing)
    answer = None
    try:
        answer = receive(
            reading,
            limit_seconds,
            leaving=requests,
            excused=lambda: min(waited_seconds(child), MOST_EXCUSED * limit_seconds),
        )
    except TimeoutError:
        answer = _packed("fatal", f"predict took longer than {limit_seconds:g} s")
    except EOFError:
        pass  # its exit status says how it ended
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return answer or _packed("fatal", f"predict ended its process ({exit_reason(code)})")


def waited_seconds(process: int) -> float:
    """Returns how long a process was ready to run without a processor: a row is not at fault for that time.

    If it has several threads, the longest wait counts. Returns 0 on systems without schedstat in /proc (not Linux).
    """
    waited = [0.0]
    for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # the thread has ended meanwhile
            waited.append(int(file.read_text().split()[1]) / 1e9)
    return max(waited)


def _predict_and_exit(model: LoadedModel, request: bytes, limit_seconds: float, writing: int) -> NoReturn:
    code = 1
    try:
        signal.setitimer(signal.ITIMER_REAL, (1 + MOST_EXCUSED) * limit_seconds + _ORPHANED_SECONDS)
        _be_the_first_to_go()
        send(writing, _predicted(model, request))
        code = 0
    finally:
        os._exit(code)


def _be_the_first_to_go() -> None:
    """Makes the kernel end this process before any other if memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _predicted(model: LoadedModel, request: bytes) -> bytes:
    try:
        table, wanted = pickle.loads(request)
        with model.code.active():
            return _packed("values", predict(model, table, wanted))
    except MemoryError:
        return _packed("memory", "predict ran out of memory")
    except RowcastError as error:
        return _packed("refused", error.detail)
    except Exception as error:
        return _packed("raised", one_line(error))


def _packed(*answer: Any) -> bytes:
    return pickle.dumps(answer)
