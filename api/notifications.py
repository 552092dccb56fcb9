"""Callers that wait for a job's end: one Redis subscription for the whole process wakes them, nobody polls."""

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

PART = "/part"
"""Behind a job's id: one part more is stored."""

_PAUSE_SECONDS = 1.0
"""Between attempts to subscribe where Redis is away; and how long it may be silent before it is asked for a word."""

_DEAF_SECONDS = 5.0
"""A subscription that is silent for so long, though Redis was asked, is dead, and nothing else would ever tell."""


class Waiter:
    """What a caller that waits for a job holds: it is woken when the job may have ended, or has a part more."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.outcome: dict[str, Any] | None = None
        """Of a single job, unless it is long: its result, or the problem that ended it (which has a `type`)."""

    def wait(self, seconds: float) -> None:
        """Returns when the job may have ended, after so many seconds at most; each call waits anew."""
        self._event.wait(seconds)
        self._event.clear()

    def wake(self, told: str) -> None:
        """Takes what Redis told beside the id: nothing, or `succeeded {...}` or `failed {...}`."""
        if told:
            self.outcome = json.loads(told.partition(" ")[2])
        self._event.set()


class Notifications:
    """The waiting callers of one process. The subscription starts with the first of them."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._lock = threading.Lock()
        self._callers: dict[str, set[Waiter]] = defaultdict(set)
        self._subscribed = threading.Event()
        self._started = False
        self._log = logger("waiting")

    @contextmanager
    def expect(self, id: str, *, parts: bool = False) -> Iterator[Waiter]:
        """Enter before you look at the job; look again when you are woken, by its end, or with `parts` by each part."""
        self._start()
        waiter, name = Waiter(), id + PART if parts else id
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
                self._log.warning("subscription_lost", reason=str(error))
                time.sleep(_PAUSE_SECONDS)

    def _listen_once(self) -> None:
        with connect(self._url).pubsub(ignore_subscribe_messages=False) as pubsub:
            pubsub.subscribe(ENDED_CHANNEL)
            heard = time.monotonic()
            while True:
                message = pubsub.get_message(timeout=_PAUSE_SECONDS)
                if message is None:
                    if time.monotonic() - heard > _DEAF_SECONDS:
                        raise RedisConnectionError(f"nothing was heard for {_DEAF_SECONDS:g} s")
                    pubsub.ping()
                    continue
                heard = time.monotonic()
                if message["type"] == "subscribe":
                    self._subscribed.set()
                    self._wake(list(self._callers))  # what ended while nobody listened
                elif message["type"] == "message":
                    self._wake(message["data"].decode().split("\n"))

    def _wake(self, lines: list[str]) -> None:
        """Each line is a job's id, and what else is told of it; or `ID/part`."""
        with self._lock:
            for line in lines:
                name, _, told = line.partition(" ")
                for waiter in (*self._callers.get(name, ()), *self._callers.get(name + PART, ())):
                    waiter.wake(told)
