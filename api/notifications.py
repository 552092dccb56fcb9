"""Notifications for callers that wait for a job. One Redis subscription per process wakes them, without polling."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.redis_keys import ENDED_CHANNEL
from rowcast.logs import logger
from rowcast.redis_access.connection_faults import operators_fault

_PART_SUFFIX = "/part"
"""Follows a job's id in a message that says: another part is stored."""

_PAUSE_SECONDS = 1.0
"""Pause between attempts to subscribe, and the silence after which the subscription pings Redis."""

_LOST_SECONDS = 5.0
"""If Redis sends nothing for this time, in spite of pings, the connection is lost. TCP would not report it."""


class Waiter:
    """Wakes a caller when the job that it waits for may have ended, or has another part."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.outcome: dict[str, Any] | None = None
        """Outcome of a single job: its result, or the problem that ended it (which has a `type`).

        It is None for batches, and for outcomes too long to send with the notification.
        """

    def wait(self, seconds: float) -> None:
        """Returns when the job may have ended, or after `seconds`. Each call waits for a new notification."""
        self._event.wait(seconds)
        self._event.clear()

    def wake(self, message: str) -> None:
        """Wakes the caller. `message` is empty, or for example `succeeded {"prediction": 1}` or `failed {...}`."""
        if message:
            self.outcome = json.loads(message.partition(" ")[2])
        self._event.set()


class Notifications:
    """The waiting callers of one process. The first of them starts the subscription."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._lock = threading.Lock()
        self._callers: dict[str, set[Waiter]] = defaultdict(set)
        self._subscribed = threading.Event()
        self._started = False
        self._log = logger("waiting")

    @contextmanager
    def expect(self, id: str, *, parts: bool = False) -> Iterator[Waiter]:
        """Returns a waiter for a job's end, and with `parts` also for each part.

        Enter this context before you read the job, and read it again when the waiter is woken: otherwise a notification
        between the two is lost.
        """
        self._start()
        waiter, name = Waiter(), id + _PART_SUFFIX if parts else id
        with self._lock:
            self._callers[name].add(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._callers[name].discard(waiter)
                if not self._callers[name]:
                    del self._callers[name]

    def _start(self) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._listen, name="waiting", daemon=True).start()
        self._subscribed.wait(timeout=_PAUSE_SECONDS)

    def _listen(self) -> None:
        while True:
            try:
                self._listen_once()
            except RedisError as error:
                self._subscribed.clear()
                self._log.warning("subscription_lost", reason=operators_fault(error) or str(error))
                time.sleep(_PAUSE_SECONDS)

    def _listen_once(self) -> None:
        with connect(self._url).pubsub(ignore_subscribe_messages=False) as pubsub:
            pubsub.subscribe(ENDED_CHANNEL)
            last_message_at = time.monotonic()
            while True:
                message = pubsub.get_message(timeout=_PAUSE_SECONDS)
                if message is None:
                    if time.monotonic() - last_message_at > _LOST_SECONDS:
                        raise RedisConnectionError(f"no message from Redis for {_LOST_SECONDS:g} s")
                    pubsub.ping()
                    continue
                last_message_at = time.monotonic()
                if message["type"] == "subscribe":
                    self._subscribed.set()
                    self._wake(list(self._callers))  # jobs may have ended before the subscription
                elif message["type"] == "message":
                    self._wake(message["data"].decode().split("\n"))

    def _wake(self, lines: list[str]) -> None:
        """Wakes the waiters of each line, which is `ID`, `ID succeeded {...}`, `ID failed {...}` or `ID/part`."""
        with self._lock:
            for line in lines:
                name, _, message = line.partition(" ")
                for waiter in (*self._callers.get(name, ()), *self._callers.get(name + _PART_SUFFIX, ())):
                    waiter.wake(message)
