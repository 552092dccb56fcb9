"""Callers that wait for a job's end: one Redis subscription for the whole process wakes them, nobody polls."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from rowcast.jobs.connection import connect
from rowcast.jobs.keys import ENDED_CHANNEL
from rowcast.logs import logger

_PAUSE_SECONDS = 1.0
"""Between attempts to subscribe where Redis is away."""


class Waiting:
    """The waiting callers of one process. The subscription starts with the first of them."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._lock = threading.Lock()
        self._callers: dict[str, set[threading.Event]] = defaultdict(set)
        self._subscribed = threading.Event()
        self._started = False
        self._log = logger("waiting")

    @contextmanager
    def expecting(self, id: str) -> Iterator[threading.Event]:
        """An event that is set when the job ends, or may have: enter before you look at the job, then look again."""
        self._start()
        event = threading.Event()
        with self._lock:
            self._callers[id].add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._callers[id].discard(event)
                if not self._callers[id]:
                    del self._callers[id]

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
            while True:
                message = pubsub.get_message(timeout=_PAUSE_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._subscribed.set()
                    self._wake(list(self._callers))  # what ended while nobody listened
                elif message["type"] == "message":
                    self._wake(message["data"].decode().split(" "))

    def _wake(self, ids: list[str]) -> None:
        with self._lock:
            for id in ids:
                for event in self._callers.get(id, ()):
                    event.set()
