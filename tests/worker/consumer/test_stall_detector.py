"""When a worker is taken for deaf: on numbers alone; tests/stack/test_redis_faults.py makes real ones deaf."""

from worker.consumer.stall_detector import DEAF_LOOKS, Hearing, Sounds

IGNORED = Sounds(waiting=1, reserved=0, received=0)


def test_hints_that_wait_while_a_process_is_free_say_that_it_is_deaf() -> None:
    hearing = Hearing(2)
    assert [hearing.is_deaf(IGNORED) for _ in range(2 * DEAF_LOOKS)] == 2 * [*(DEAF_LOOKS - 1) * [False], True]
    assert hearing.cures == 2


def test_a_worker_that_receives_is_not_deaf_however_much_waits() -> None:
    hearing = Hearing(2)
    assert not any(hearing.is_deaf(Sounds(9, 1, look // 2)) for look in range(9 * DEAF_LOOKS))


def test_a_worker_whose_processes_are_all_busy_is_not_deaf() -> None:
    hearing = Hearing(2)
    assert not any(hearing.is_deaf(Sounds(9, 2, 2)) for _ in range(9 * DEAF_LOOKS))


def test_an_empty_queue_is_silence_and_no_deafness() -> None:
    hearing = Hearing(2)
    assert not any(hearing.is_deaf(Sounds(look % DEAF_LOOKS, 0, 2)) for look in range(9 * DEAF_LOOKS))


def test_one_hint_heard_makes_it_well_again() -> None:
    hearing = Hearing(2)
    for _ in range(DEAF_LOOKS):
        hearing.is_deaf(IGNORED)
    hearing.is_deaf(Sounds(1, 0, 1))
    assert hearing.cures == 0
