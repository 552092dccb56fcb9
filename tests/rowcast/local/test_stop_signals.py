import os
import signal

from rowcast.local.stop_signals import StopSignals


def test_a_signal_is_waited_for_and_stays_heard() -> None:
    with StopSignals() as signals:
        assert not signals.wait(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(30)
        assert signals.wait(0)


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
