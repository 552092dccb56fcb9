import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest
from programs import until

from worker.consumer import deferred_stop
from worker.consumer.deferred_stop import DeferredStop
from worker.stop_flag import StopFlag

LONG_SECONDS = 600.0


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that reached the handlers which were there before, as Celery's are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGALRM)}
    arrived: list[int] = []
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda number, _: arrived.append(number))
    yield arrived
    for number, handler in before.items():
        signal.signal(number, handler)


def deferred(grace_seconds: float, *, is_idle: bool, stop_flag: StopFlag | None = None) -> DeferredStop:
    stop = DeferredStop(grace_seconds, lambda: is_idle, stop_flag or StopFlag())
    stop.install()
    return stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_an_idle_worker_stops_when_its_loop_comes_to_it(handled: list[int], number: int) -> None:
    stop = deferred(LONG_SECONDS, is_idle=True)
    stop.check()
    assert handled == [], "nobody asked"
    os.kill(os.getpid(), number)
    assert handled == [], "not where the signal arrives"
    stop.check()
    stop.check()
    assert handled == [number]
    os.kill(os.getpid(), number)
    assert handled == [number, number], "a further signal is heeded at once"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_worker_with_work_stops_when_the_grace_is_over(handled: list[int]) -> None:
    stop = deferred(0.0, is_idle=False)
    os.kill(os.getpid(), signal.SIGTERM)
    stop.check()
    assert handled == [signal.SIGTERM]


def test_a_second_signal_ends_the_grace(handled: list[int]) -> None:
    stop = deferred(LONG_SECONDS, is_idle=False)
    os.kill(os.getpid(), signal.SIGTERM)
    stop.check()
    assert handled == []
    os.kill(os.getpid(), signal.SIGTERM)
    stop.check()
    assert handled == [signal.SIGTERM]


def test_a_worker_stops_although_its_loop_does_not_go_on(handled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_stop, "PATIENCE_SECONDS", 0.1)
    deferred(0.0, is_idle=False)
    os.kill(os.getpid(), signal.SIGTERM)
    until(lambda: handled, "the handler runs")
    assert handled == [signal.SIGTERM]


def test_processes_that_were_forked_before_see_the_signal(handled: list[int]) -> None:
    flag = StopFlag()
    deferred(LONG_SECONDS, is_idle=False, stop_flag=flag)
    process = multiprocessing.get_context("fork").Process(target=_exit_when_set, args=(flag,))
    process.start()
    assert not flag.is_set
    os.kill(os.getpid(), signal.SIGTERM)
    process.join(LONG_SECONDS)
    assert (process.exitcode, handled) == (0, [])


def _exit_when_set(flag: StopFlag) -> None:
    until(lambda: flag.is_set, "the worker stops")
