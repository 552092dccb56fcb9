"""Joined calls: calls of one script that come while another one is under way share the next round trip.

With many callers, most of the time of such a call goes into sending it and reading its answer, and Redis writes its
file once for each round trip (`appendfsync always`).
"""

import threading
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from rowcast.errors import RedisRefuses
from rowcast.jobs.records.redis_client import RedisClient

_REPLICAS_MS = 1000
"""How long a call waits for the replicas, in milliseconds. With its round trip it stays below a command's timeout."""


class _Call:
    """A call that waits for its turn, or for the round trip that it is part of."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.arguments = arguments
        self.goes_on = threading.Event()
        """Is set when the call has an answer, or when it is its turn to send what waits."""
        self.answer: Any = None
        """The script's answer, which is not None, or the exception that the call led to; None before."""


class JoinedCalls:
    """Calls one script for many threads or greenlets. A call by itself is sent at once."""

    def __init__(self, redis: RedisClient, script: str, replicas: int = 0) -> None:
        """`replicas` of Redis must have what a call wrote before it is answered; otherwise it raises `RedisRefuses`."""
        self._redis, self._replicas = redis, replicas
        self._script = redis.register_script(script)
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._is_sending = False

    def call(self, *arguments: Any) -> Any:
        """Returns the script's answer.

        Raises:
            RedisError: the call failed, or the round trip that it was part of.
            RedisRefuses: the script ran, but too few replicas have what it wrote.
        """
        call = _Call(arguments)
        with self._lock:
            self._waiting.append(call)
            is_first = not self._is_sending
            self._is_sending = True
        if not is_first:
            self._wait(call)
        if call.answer is None:
            self._send_waiting()
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer

    def _wait(self, call: _Call) -> None:
        """Returns when the call has an answer, or when it is its turn to send what waits."""
        try:
            call.goes_on.wait()
        except BaseException:  # this greenlet is killed: it may have been its turn
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                    if call.goes_on.is_set():
                        self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        """Lets the first call that waits send the next round trip. Call it with the lock."""
        self._is_sending = bool(self._waiting)
        if self._waiting:
            self._waiting[0].goes_on.set()

    def _send_waiting(self) -> None:
        """Sends all calls that wait, and lets the first one that has come meanwhile send the next."""
        with self._lock:
            calls, self._waiting = self._waiting, []
        answers: Sequence[Any] = ()
        try:
            answers = self._answers([call.arguments for call in calls])
        except BaseException as error:  # also if this greenlet is killed: the other calls must not wait for ever
            broken = error if isinstance(error, Exception) else RedisConnectionError("the round trip was broken off")
            answers = [broken] * len(calls)
            raise
        finally:
            for call, answer in zip(calls, answers, strict=True):
                call.answer = answer
                call.goes_on.set()
            with self._lock:
                self._pass_turn()

    def _answers(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Returns the answer to each call, or the exception that it led to."""
        if len(calls) == 1 and not self._replicas:
            return [self._script(keys=[], args=calls[0])]
        answers = self._round_trip(calls)
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # Redis has restarted
            again = self._round_trip([calls[index] for index in unknown], loads=True)
            for index, answer in zip(unknown, again, strict=True):
                answers[index] = answer
        return answers

    def _round_trip(self, calls: Sequence[Sequence[Any]], *, loads: bool = False) -> list[Any]:
        """Sends the calls on one connection, and waits for the replicas. `loads` gives Redis the script first."""
        with self._redis.pipeline(transaction=False) as pipe:
            if loads:
                pipe.execute_command("SCRIPT LOAD", self._script.script)
            for arguments in calls:
                pipe.execute_command("EVALSHA", self._script.sha, 0, *arguments)
            if self._replicas:
                pipe.execute_command("WAIT", self._replicas, _REPLICAS_MS)
            answers: list[Any] = pipe.execute(raise_on_error=False)[1 if loads else 0 :]
        if not self._replicas:
            return answers
        count = answers.pop()
        if isinstance(count, Exception):
            raise count
        if count >= self._replicas:
            return answers
        lacking = RedisRefuses(
            f"{count} of {self._replicas} replicas of Redis (ROWCAST_REDIS_REPLICAS) had the row within "
            f"{_REPLICAS_MS / 1000:g} s. The row may still be predicted.",
            public="Redis refuses work.",
        )
        return [answer if isinstance(answer, Exception) else lacking for answer in answers]
