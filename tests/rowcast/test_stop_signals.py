import os
import signal
import threading
from collections.abc import Iterator

import pytest

from rowcast.stop_signals import StopSignals


def test_a_signal_is_waited_for_and_stays_heard() -> None:
    with StopSignals() as signals:
        assert not signals.wait(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(30)
        assert signals.wait(0)


@pytest.fixture
def another_thread() -> Iterator[threading.Thread]:
    """A second thread; the supervisor has one for each program."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread
    end.set()
    thread.join()


def test_a_signal_that_arrives_in_another_thread_ends_the_wait(another_thread: threading.Thread) -> None:
    """The kernel may choose any thread. The Python handler cannot run before the main thread's wait has ended."""
    with StopSignals() as signals:
        arrival = threading.Timer(0.2, signal.pthread_kill, (another_thread.ident, signal.SIGTERM))
        arrival.start()
        assert signals.wait(30)
        arrival.join()


def test_further_signals_press() -> None:
    pressed: list[bool] = []
    with StopSignals(lambda: pressed.append(True)) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.wait(30)
        assert not pressed
        os.kill(os.getpid(), signal.SIGINT)
        assert pressed


def test_what_held_before_holds_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSignals():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
