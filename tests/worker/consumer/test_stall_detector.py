"""When a worker is taken for deaf: on numbers alone; tests/stack/test_redis_faults.py makes real ones deaf."""

from worker.consumer.stall_detector import STALLED_LOOKS, QueueSnapshot, StallDetector

IGNORED = QueueSnapshot(waiting=1, reserved=0, received=0)


def test_hints_that_wait_while_a_process_is_free_say_that_it_is_stalled() -> None:
    detector = StallDetector(2)
    assert [detector.is_stalled(IGNORED) for _ in range(2 * STALLED_LOOKS)] == 2 * [
        *(STALLED_LOOKS - 1) * [False],
        True,
    ]
    assert detector.reconnects == 2


def test_a_worker_that_receives_is_not_deaf_however_much_waits() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(9, 1, look // 2)) for look in range(9 * STALLED_LOOKS))


def test_a_worker_whose_processes_are_all_busy_is_not_deaf() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(9, 2, 2)) for _ in range(9 * STALLED_LOOKS))


def test_an_empty_queue_is_silence_and_no_deafness() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(look % STALLED_LOOKS, 0, 2)) for look in range(9 * STALLED_LOOKS))


def test_one_hint_heard_makes_it_well_again() -> None:
    detector = StallDetector(2)
    for _ in range(STALLED_LOOKS):
        detector.is_stalled(IGNORED)
    detector.is_stalled(QueueSnapshot(1, 0, 1))
    assert detector.reconnects == 0
