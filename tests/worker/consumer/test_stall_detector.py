"""The stall detector with given counts; tests/stack/test_redis_faults.py stalls real consumers."""

from worker.consumer.stall_detector import STALLED_LOOKS, QueueSnapshot, StallDetector

IGNORED = QueueSnapshot(waiting=1, reserved=0, received=0)


def test_messages_that_wait_while_a_process_is_free_mean_a_stall() -> None:
    detector = StallDetector(2)
    assert [detector.is_stalled(IGNORED) for _ in range(2 * STALLED_LOOKS)] == 2 * [
        *(STALLED_LOOKS - 1) * [False],
        True,
    ]
    assert detector.reconnects == 2


def test_a_worker_that_receives_messages_is_not_stalled() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(9, 1, look // 2)) for look in range(9 * STALLED_LOOKS))


def test_a_worker_with_only_busy_processes_is_not_stalled() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(9, 2, 2)) for _ in range(9 * STALLED_LOOKS))


def test_an_empty_queue_is_not_a_stall() -> None:
    detector = StallDetector(2)
    assert not any(detector.is_stalled(QueueSnapshot(look % STALLED_LOOKS, 0, 2)) for look in range(9 * STALLED_LOOKS))


def test_one_received_message_resets_the_reconnects() -> None:
    detector = StallDetector(2)
    for _ in range(STALLED_LOOKS):
        detector.is_stalled(IGNORED)
    detector.is_stalled(QueueSnapshot(1, 0, 1))
    assert detector.reconnects == 0
