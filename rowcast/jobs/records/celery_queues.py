"""The Celery application's settings, its queues and task names. It has no tasks, so that the gateway can use it, too.

A message only says that work waits, and does not name the work: a process that receives one asks the records for what
comes next (`lua/take.lua`). The Lua script that changes a record also puts the message on the queue, so no message is
lost between the two. Celery itself makes the message, once per program (`message_template`), with a mark in place of
its identity, which the script fills in.
"""

import json
from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue

from rowcast.jobs.records.redis_keys import key, pool_key
from rowcast.redis_access.redis_url import read_redis_url
from rowcast.settings import Settings

BATCH = key("batch")
SINGLE = key("single")
CHUNK_TASK = "rowcast.score_chunk"
SINGLES_TASK = "rowcast.score_singles"

REFUSED = "messages_refused"
"""Field of `rowcast:totals`: messages that were dropped, because no script of Rowcast had put them on the queue."""

MESSAGES_SENT = "messages_sent"
"""Field of `rowcast:totals`: messages that scripts put on the queues."""

TAG_MARK = "@TAG@"
"""Stands for a message's identity until a script fills it in."""

_LATE_SECONDS = 30
"""How much later than a chunk's timeout its message is delivered again; if the chunk is busy, that changes nothing."""


def make_app(settings: Settings) -> Celery:
    """Returns the application with every setting that this design relies on. It connects to nothing."""
    # Celery only shows this address. The worker's transport connects by the setting itself.
    app = Celery("rowcast", broker=read_redis_url(settings.redis_url).shown, set_as_current=False)
    app.conf.update(
        # The job record is the result. A result backend would double the cost of a message for nothing.
        result_backend=None,
        task_ignore_result=True,
        # A pickle in a message would run code in the worker.
        task_serializer="json",
        accept_content=["json"],
        # The default exchange needs no binding table, so messages are not lost if Redis is emptied.
        task_queues=[Queue(name, exchange="", routing_key=name) for name in queues_of(settings.pool)],
        task_default_queue=pool_key("batch", settings.pool),
        task_default_exchange="",
        task_create_missing_queues=False,
        # A message is acknowledged when its work is done. If the process dies, it is delivered again at once.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_lost_wait=0.5,
        # One message for each process: work goes to a process that is free, even if its worker joined later.
        worker_prefetch_multiplier=1,
        broker_transport_options=_transport_options(settings),
        visibility_timeout=_visibility_seconds(settings),
        # No time limit here: each chunk has its own (worker/lease_watchdog.py), and one task may score many of them.
        # A model may take long to load. With the default of 4 s, Celery would kill each new process, for ever.
        worker_proc_alive_timeout=120,
        # Remote control and events leave lists behind in Redis and take part in its reconnect bugs.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A Redis that is full, or still loads its file, refuses commands. That is handled as a lost connection.
        broker_channel_error_retry=True,
        # A running chunk continues if the connection is lost: its commit does not go through the broker.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def queues_of(pool: str) -> tuple[str, str]:
    """Returns the queues of a pool, for rows and for chunks. Only its workers receive their messages."""
    return pool_key("single", pool), pool_key("batch", pool)


def _visibility_seconds(settings: Settings) -> int:
    """Returns the seconds after which a message that was not acknowledged goes back to its queue."""
    return int(settings.chunk_timeout_seconds) + _LATE_SECONDS


def _transport_options(settings: Settings) -> dict[str, Any]:
    """Returns the options of kombu's Redis transport."""
    return {
        # The order of the queues has no effect: after any message, a process takes the work that comes next.
        "queue_order_strategy": "priority",
        "priority_steps": [0],
        # Leases bring work back in seconds. This only brings back the message that a dead worker held.
        "visibility_timeout": _visibility_seconds(settings),
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
        # kombu's default is to wait for ever on a dead socket, while an acknowledgement blocks the whole worker.
        # The slowest answer of Redis is that of BRPOP, after a second.
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
    }


def message_template(app: Celery, task: str, queue: str) -> str:
    """Returns the message for `task`, without arguments, as JSON in the form in which kombu keeps it in Redis.

    It has `TAG_MARK` in place of the message's identity.
    """
    headers, properties, body, _ = app.amqp.as_task_v2(
        TAG_MARK, task, [], {}, origin="rowcast", argsrepr="", kwargsrepr=""
    )
    with Connection("memory://") as connection:  # any virtual channel shapes a message as the Redis transport does
        message: dict[str, Any] = connection.default_channel.prepare_message(
            json.dumps(body), 0, "application/json", "utf-8", headers, properties
        )
    message["properties"] |= {
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "delivery_tag": TAG_MARK,
        "delivery_mode": 2,
    }
    return json.dumps(message)
