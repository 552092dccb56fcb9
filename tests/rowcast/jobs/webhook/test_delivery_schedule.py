"""When attempts are made."""

from rowcast.jobs.webhook.delivery_schedule import GIVE_UP_SECONDS, pause_seconds


def test_pauses_grow_from_five_seconds_to_three_hours() -> None:
    assert [pause_seconds(attempt) for attempt in (1, 2, 3, 4)] == [5, 15, 45, 135]
    assert pause_seconds(9) == pause_seconds(10_000) == 3 * 3600


def test_a_pause_is_spread_by_a_tenth_at_most() -> None:
    assert pause_seconds(1, spread=1) == 5.5


def test_a_receiver_may_ask_for_a_longer_pause_within_limits() -> None:
    assert pause_seconds(1, retry_after_seconds=60) == 60
    assert pause_seconds(3, retry_after_seconds=1) == 45
    assert pause_seconds(1, retry_after_seconds=10**9) == 3 * 3600


def test_attempts_are_made_for_a_day() -> None:
    total, attempt = 0.0, 0
    while total <= GIVE_UP_SECONDS == 86_400:
        attempt += 1
        total += pause_seconds(attempt)
    assert 10 <= attempt <= 20
