"""Calls of one script by many threads, which share round trips, against a real server."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.scripts.joined_calls import JoinedCalls

SCRIPT = "if ARGV[1] == '13' then error('thirteen') end return {redis.call('INCR', 'calls'), ARGV[1]}"
THREADS = 32


def answers_of_many(calls: JoinedCalls) -> list[object]:
    """Returns the answer to each of many calls at the same time, or its exception."""
    all_together = Barrier(THREADS)

    def call(number: int) -> object:
        all_together.wait()
        try:
            return calls.call(str(number))
        except Exception as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def test_each_caller_gets_its_own_answer_or_its_own_error(redis: RedisClient) -> None:
    calls = JoinedCalls(redis, SCRIPT)
    for _ in range(3):
        answers = answers_of_many(calls)
        assert isinstance(answers.pop(13), ResponseError)
        assert [answer[1] for answer in answers] == [str(number).encode() for number in range(THREADS) if number != 13]
    assert redis.get("calls") == str(3 * (THREADS - 1)).encode()  # each was run once


def test_calls_that_come_during_a_round_trip_share_the_next(redis: RedisClient, monkeypatch) -> None:
    calls = JoinedCalls(redis, SCRIPT)
    sent: list[int] = []
    answer = calls._answers

    def counted(waiting):
        if not sent:
            everyone_waits.wait()
        sent.append(len(waiting))
        return answer(waiting)

    monkeypatch.setattr(calls, "_answers", counted)
    everyone_waits = Barrier(2)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(calls.call, "0")
        others = [pool.submit(calls.call, str(number)) for number in range(1, 5)]
        while len(calls._waiting) < 4:
            assert not first.done()
        everyone_waits.wait()
        assert [future.result()[1] for future in [first, *others]] == [b"0", b"1", b"2", b"3", b"4"]
    assert sent == [1, 4]


def test_a_server_that_has_lost_the_script_gets_it_again(redis: RedisClient) -> None:
    calls = JoinedCalls(redis, SCRIPT)
    calls.call("0")
    redis.script_flush()  # type: ignore[attr-defined]  # only tests do this
    answers = answers_of_many(calls)
    assert sum(isinstance(answer, list) for answer in answers) == THREADS - 1


def test_without_a_server_every_caller_gets_an_error() -> None:
    answers = answers_of_many(JoinedCalls(connect("redis://127.0.0.1:1/0"), SCRIPT))
    assert all(isinstance(answer, RedisConnectionError) for answer in answers)
