"""Isolation: rows that kill, hang or need too much memory are found, and other rows keep their exact results."""

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import estimators
import numpy as np
import pandas as pd
import psutil
import pytest
from loaded_models import loaded, numbers
from own_code import pickle_here
from programs import ROOT, SUPPORT, until

from rowcast.errors import ModelRefused, Unavailable
from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel, unpickle
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.model_manifest import ExplanationFacts
from rowcast.scoring.predict import SearchAborted, Wanted, predict_good
from rowcast.scoring.score_chunk import ChunkSpec, score
from worker.isolation.bisection import MOST_FATAL_ROWS, Fatal
from worker.isolation.child import IsolatedProcess, NotStarted
from worker.isolation.fork_server import ForkServer
from worker.isolation.isolated_process import waited_seconds
from worker.isolation.pipe import receive, send

KILLED = "predict ended its process (killed by SIGKILL)"


def files_of(model: LoadedModel) -> tuple[bytes, dict[str, bytes]]:
    with model.code.active():
        return pickle.dumps(model.estimator), model.code.files


@pytest.fixture(scope="module")
def isolated(fork_server: ForkServer) -> Iterator[IsolatedProcess]:
    """One for all tests. Its process runs until the model changes."""
    with closing(IsolatedProcess(files_of, 30, fork_server)) as isolated:
        yield isolated


@pytest.fixture
def impatient(fork_server: ForkServer) -> Iterator[IsolatedProcess]:
    with closing(IsolatedProcess(files_of, 0.5, fork_server)) as isolated:
        yield isolated


@cache
def misbehaving(kind: type[estimators.Fixed], folder: object = "") -> LoadedModel:
    return loaded(kind(str(folder)).fit(np.zeros((2, 1)), [0, 1]), numbers("age"), [0, 1])


def column(*values: float) -> np.ndarray:
    return np.array(values, float).reshape(-1, 1)


def spec(*columns: str, **options: object) -> ChunkSpec:
    return ChunkSpec(columns, b"\n", Options(**{"delimiter": ","} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "options"), [("logistic", {"probabilities": True}), ("nameless", {})])
def test_isolated_scoring_returns_exactly_the_same_part(
    models: Mapping[str, LoadedModel], training: pd.DataFrame, isolated: IsolatedProcess, name: str, options: dict
) -> None:
    data = training.to_csv(index=False, header=False).encode() + b"1,x,2\n1,2\n"
    arguments = (data, 1, models[name], spec("a", "b", "c", **options))
    assert score(*arguments, isolated.predict_good) == score(*arguments)


def test_isolated_scoring_explains_the_rows(
    models: Mapping[str, LoadedModel], training: pd.DataFrame, isolated: IsolatedProcess
) -> None:
    trees = models["trees"]
    manifest = trees.manifest.model_copy(update={"explanations": ExplanationFacts(family="boosting")})
    data = training.to_csv(index=False, header=False).encode()
    arguments = (data, 1, replace(trees, manifest=manifest), spec("a", "b", "c", explain=2))
    assert score(*arguments, isolated.predict_good) == score(*arguments)


def test_isolated_scoring_takes_text_and_missing_values_too(
    models: Mapping[str, LoadedModel], isolated: IsolatedProcess
) -> None:
    arguments = (b"1,Aix,true\n,,\n0.5,Bonn,0\n", 1, models["mixed"], spec("a", "town", "flag"))
    assert score(*arguments, isolated.predict_good) == score(*arguments)


def test_rows_that_kill_are_found_among_other_bad_rows_and_the_rest_is_scored(isolated: IsolatedProcess) -> None:
    cells = [str(number % 60) for number in range(500)]
    innocent = score("\n".join(cells).encode(), 1001, misbehaving(estimators.Fixed), spec("age"))
    for row in (3, 4, 250, 499):
        cells[row] = "66"
    cells[5] = "x"
    part = score("\n".join(cells).encode(), 1001, misbehaving(estimators.Deadly), spec("age"), isolated.predict_good)
    assert [(fault.row, fault.message) for fault in part.faults] == [
        (1004, KILLED),
        (1005, KILLED),
        (1006, "not a number"),
        (1251, KILLED),
        (1500, KILLED),
    ]
    wanted = innocent.data.splitlines()
    for row in (3, 4, 5, 250, 499):
        wanted[row] = f"{cells[row]},".encode()
    assert part.data.splitlines() == wanted


def test_a_single_row_that_kills_is_a_bad_row(isolated: IsolatedProcess) -> None:
    outcome = isolated.predict_good(misbehaving(estimators.Deadly), column(66), Wanted())
    assert outcome.faults == {0: KILLED}
    assert len(outcome.values.predictions) == len(outcome.good) == 0


def test_too_many_rows_that_kill_end_the_search_and_are_listed(isolated: IsolatedProcess) -> None:
    data = b"1\n66\n" * 80
    with pytest.raises(SearchAborted, match=r"more than 64, after these rows: 12, 14, 16, .*, 140$") as caught:
        score(data, 11, misbehaving(estimators.Deadly), spec("age"), isolated.predict_good)
    assert len(caught.value.rows) == MOST_FATAL_ROWS + 1


def test_rows_are_not_blamed_if_each_of_them_kills(isolated: IsolatedProcess) -> None:
    with pytest.raises(Fatal, match="ended its process"):
        isolated.predict_good(misbehaving(estimators.Deadly), column(*[66] * 100), Wanted())
    with pytest.raises(MemoryError, match="ran out of memory"):
        isolated.predict_good(misbehaving(estimators.Greedy), column(*[66] * 100), Wanted())


def test_a_row_that_needs_too_much_memory_is_found(isolated: IsolatedProcess) -> None:
    outcome = isolated.predict_good(misbehaving(estimators.Greedy), column(20, 66, 40), Wanted())
    assert outcome.faults == {1: "predict ran out of memory"}
    assert outcome.values.predictions.tolist() == [0, 1]


def test_a_row_that_raises_is_a_bad_row_with_the_usual_message(isolated: IsolatedProcess) -> None:
    model, table = misbehaving(estimators.Picky), column(1, 66, 40)
    outcome = isolated.predict_good(model, table, Wanted())
    assert outcome.faults == predict_good(model, table, Wanted()).faults == {1: "66 is not for me"}
    assert outcome.values.predictions.tolist() == [0, 1]


def test_a_row_at_which_predict_hangs_is_found(impatient: IsolatedProcess, tmp_path: Path) -> None:
    outcome = impatient.predict_good(misbehaving(estimators.Hanging, tmp_path), column(20, 40, 66), Wanted())
    assert outcome.faults == {2: "predict took longer than 0.5 s"}
    assert outcome.values.predictions.tolist() == [0, 1]
    assert not psutil.pid_exists(int((tmp_path / "hangs").read_text()))


def test_waiting_for_a_processor_is_counted_and_sleeping_is_not() -> None:
    hog = [sys.executable, "-c", "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"]
    with ExitStack() as at_end:

        def start(*command: str) -> subprocess.Popen[bytes]:
            process = at_end.enter_context(subprocess.Popen(command))
            at_end.callback(process.kill)  # runs before the process is waited for, however the test ends
            return process

        sleeper, one, other = start("sleep", "600"), start(*hog), start(*hog)
        until(lambda: waited_seconds(one.pid) + waited_seconds(other.pid) > 1, "the two processes wait for each other")
        assert waited_seconds(sleeper.pid) < 0.5
    assert waited_seconds(sleeper.pid) == 0


def test_excused_time_extends_a_limit() -> None:
    reading, writing = os.pipe()
    asked: list[float] = []

    def excused() -> float:
        asked.append(0.1 * (len(asked) + 1))
        if len(asked) == 3:
            send(writing, b"at last")
        return asked[-1]

    assert receive(reading, 0.05, excused=excused) == b"at last"
    with pytest.raises(TimeoutError):
        receive(reading, 0.05, excused=lambda: 0.05)
    os.close(reading)
    os.close(writing)


def test_a_model_with_its_own_code_predicts_the_same_in_isolation(isolated: IsolatedProcess, tmp_path: Path) -> None:
    for limit in (10, 50):
        data, files = pickle_here(tmp_path / str(limit), limit, "Deadly")
        code = ModelCode(files)
        model = replace(loaded(unpickle(data, code=code)[0], numbers("age"), [0, 1]), code=code)
        outcome = isolated.predict_good(model, column(5, 30, 66, 60), Wanted())
        assert outcome.faults == {2: KILLED}
        assert outcome.values.predictions.tolist() == [0, int(limit < 30), 1]


def test_a_model_without_a_declared_method_is_refused(isolated: IsolatedProcess) -> None:
    with pytest.raises(ModelRefused, match="has no `predict_proba`"):
        isolated.predict_good(misbehaving(estimators.Fixed), column(1, 2), Wanted(True))


def test_rows_are_not_blamed_if_the_model_cannot_be_opened(fork_server: ForkServer) -> None:
    broken = IsolatedProcess(lambda model: (b"no pickle", {}), 30, fork_server)
    with closing(broken), pytest.raises(NotStarted, match="exit code 1"):
        broken.predict_good(misbehaving(estimators.Fixed), column(1), Wanted())


def test_the_process_has_one_thread_and_no_sockets_and_can_change_models(
    isolated: IsolatedProcess,
) -> None:
    for model, answer in ((misbehaving(estimators.Nosy), 1), (misbehaving(estimators.Fixed), 0)):
        assert isolated.predict_good(model, column(7), Wanted()).values.predictions.tolist() == [answer]


def test_an_isolated_process_that_was_killed_is_started_again(isolated: IsolatedProcess) -> None:
    model = misbehaving(estimators.Forked)
    (process,) = isolated.predict_good(model, column(1), Wanted()).values.predictions
    os.kill(process, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(process), "the isolated process has ended")
    again = isolated.predict_good(model, column(*range(20)), Wanted())
    assert again.faults == {}
    assert process not in again.values.predictions


def test_without_its_fork_server_no_process_starts_and_no_row_is_blamed() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    server = ForkServer(ours)
    alone = IsolatedProcess(files_of, 30, server)
    assert not server.lives
    with ours, closing(alone), pytest.raises(Unavailable, match="fork server has ended"):
        alone.predict_good(misbehaving(estimators.Fixed), column(1), Wanted())


def test_its_processes_end_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path[:0] = [{str(SUPPORT)!r}]
from test_child import *
from worker.isolation.isolated_process import run
with ForkServer.started(run) as server:
    isolated = IsolatedProcess(files_of, 60, server)
    isolated.predict_good(misbehaving(estimators.Hanging, {str(tmp_path)!r}), column(66), Wanted())
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as asking:
        until(lambda: (tmp_path / "hangs").exists() and (tmp_path / "hangs").read_text(), "predict hangs")
        processes = psutil.Process(asking.pid).children(recursive=True)
        assert len(processes) == 3  # the fork server, the isolated process, and its fork
        asking.kill()
    psutil.wait_procs(processes, timeout=10)
    assert not any(process.is_running() for process in processes)
