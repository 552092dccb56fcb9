"""The number of workers that `rowcast up` is asked for."""

import pytest

from rowcast.local.worker_count import WorkerCount, usable_cores


def test_a_number_is_fixed_and_auto_goes_from_one_to_the_cores_or_the_given_number() -> None:
    assert WorkerCount.read("4") == WorkerCount(4, 4)
    assert WorkerCount.read("4").is_fixed
    assert WorkerCount.read("auto") == WorkerCount(1, usable_cores())
    assert WorkerCount.read("auto:8") == WorkerCount(1, 8)
    assert not WorkerCount.read("auto:8").is_fixed


@pytest.mark.parametrize("text", ["0", "-1", "", "auto:", "auto:0", "auto:x", "automatic", "2.5"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        WorkerCount.read(text)
