"""The message filter: our own messages reach Celery; any other message is logged, counted and dropped.

Celery trusts the headers of a message. A message whose time limit is not a number ends the worker, and a few messages
that it cannot read fill its prefetch window for ever. Therefore only the task and the delivery tag of a message are
kept; everything else comes from `message_template`.
"""

import json
from typing import Any, cast

from celery import Celery
from kombu.transport import redis as kombu_redis
from redis import BlockingConnectionPool

from rowcast.jobs.records.celery_queues import CHUNK_TASK, REFUSED, SINGLES_TASK, message_template, queues_of
from rowcast.jobs.records.redis_keys import key
from rowcast.logs import logger
from rowcast.redis_access.connection_pools import open_pool

_SHOWN_CHARACTERS = 300
_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)
"""What kombu raises if a message is not JSON."""


def filtered_transport(app: Celery, redis_url: str, pool: str) -> type[kombu_redis.Transport]:
    """Returns the transport of a pool's worker with the filter, for Celery's setting `broker_transport`."""
    tasks = zip((SINGLES_TASK, CHUNK_TASK), queues_of(pool), strict=True)
    templates = {task: json.loads(message_template(app, task, queue)) for task, queue in tasks}

    class Channel(kombu_redis.Channel):
        def _get_pool(self, asynchronous: bool = False) -> BlockingConnectionPool:
            """Connects as all of Rowcast does: kombu reads addresses in another way, and asks Sentinels too often."""

            def poll_no_longer(connection: Any) -> None:
                if self._registered:
                    self._on_connection_disconnect(connection)

            return open_pool(
                redis_url,
                on_disconnect=poll_no_longer if asynchronous else None,
                socket_timeout=self.socket_timeout,
                socket_connect_timeout=self.socket_connect_timeout,
                socket_keepalive=self.socket_keepalive,
                health_check_interval=self.health_check_interval,
                retry_on_timeout=self.retry_on_timeout,
            )

        def _brpop_read(self, **options: Any) -> Any:
            try:
                return super()._brpop_read(**options)
            except _UNREADABLE as error:
                self.refuse(f"not JSON: {error}")
                return None

        def refuse(self, message: object) -> None:
            logger("worker").error("message_refused", message=repr(message)[:_SHOWN_CHARACTERS])
            with self.conn_or_acquire() as redis:
                redis.hincrby(key("totals"), REFUSED, 1)

    class Transport(kombu_redis.Transport):
        def _deliver(self, message: Any, queue: str) -> None:
            passed = rebuild_message(message, templates)
            if passed is None:
                cast(Channel, self.channels[0]).refuse(message)
            else:
                super()._deliver(passed, queue)

    Transport.Channel = Channel
    return Transport


def rebuild_message(message: Any, templates: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the message, rebuilt from the template of its task. Returns None if it is not one of our messages."""
    match message:
        case {"headers": {"task": str(task)}, "body": str(body), "properties": {"delivery_tag": str(tag)}}:
            if task not in templates or not _has_no_arguments(body):
                return None
        case _:
            return None
    template = templates[task]
    headers = {**template["headers"], "id": tag, "root_id": tag}
    properties = {
        **template["properties"],
        "correlation_id": tag,
        "delivery_tag": tag,
        "delivery_info": {**template["properties"]["delivery_info"]},
    }
    return {**template, "headers": headers, "properties": properties}


def _has_no_arguments(body: str) -> bool:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, list) and parsed[:1] == [[]]
