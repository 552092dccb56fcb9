"""The gate before Celery: hints of ours pass, whatever else is put on the queue is logged, counted and dropped.

Celery trusts a message's headers: one whose time limits are no numbers ends the worker, and a few that it cannot read
fill its prefetch window for good. So nothing of a message comes through but its task and its tag; the rest is made
anew, as `message_template` makes it.
"""

import json
from typing import Any, cast

from celery import Celery
from kombu.transport import redis as kombu_redis

from rowcast.jobs.records.celery_queues import BATCH, CHUNK_TASK, REFUSED, SINGLE, SINGLES_TASK, message_template
from rowcast.jobs.records.redis_keys import key
from rowcast.logs import logger

_SHOWN_CHARACTERS = 300
_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)
"""What kombu raises over bytes that are no JSON."""


def filtered_transport(app: Celery) -> type[kombu_redis.Transport]:
    """The transport behind the gate, for Celery's setting `broker_transport`."""
    templates = {
        task: json.loads(message_template(app, task, queue))
        for task, queue in ((CHUNK_TASK, BATCH), (SINGLES_TASK, SINGLE))
    }

    class Channel(kombu_redis.Channel):
        def _brpop_read(self, **options: Any) -> Any:
            try:
                return super()._brpop_read(**options)
            except _UNREADABLE as error:
                self.refuse(f"no JSON: {error}")
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
    """The hint that `message` is, made anew from the template of its task; None where it is none."""
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
