"""The Celery application's settings, its queues and task names; no task bodies, so that the gateway can share it.

A message is a hint that work waits, and names none: a process that receives one asks the records for what comes next
(`lua/take.lua`). Hints are put on the queue by the same Lua script that changes the record, so none is forgotten
between the two; they are made here, once a process, by Celery itself (`hint`), with a mark that the script fills in.
"""

import json
from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue

from rowcast.jobs.records.redis_keys import key
from rowcast.settings import Settings

BATCH = key("batch")
SINGLE = key("single")
CHUNK_TASK = "rowcast.score_chunk"
SINGLES_TASK = "rowcast.score_singles"

REFUSED = "messages_refused"
"""Among the totals: messages that nobody of ours had put on the queue."""

TAG_MARK = "@TAG@"
"""What a hint's message has in place of its identity until a script fills it in."""

_LATE_SECONDS = 30
"""How much later than a chunk's own limit its hint is sent again; where the chunk is busy, that does nothing."""


def make_app(settings: Settings) -> Celery:
    """The application with every setting that this design rests on; connects to nothing."""
    app = Celery("rowcast", broker=settings.redis_url, set_as_current=False)
    app.conf.update(
        # The job record is the result: a result backend would double the cost of a message and keep nothing of use.
        result_backend=None,
        task_ignore_result=True,
        # A pickle in a message would run code in the worker.
        task_serializer="json",
        accept_content=["json"],
        # The nameless exchange needs no binding table, so an emptied Redis does not make messages vanish.
        task_queues=[Queue(name, exchange="", routing_key=name) for name in (SINGLE, BATCH)],
        task_default_queue=BATCH,
        task_default_exchange="",
        task_create_missing_queues=False,
        # A hint is acknowledged when the work that it led to is done; one whose process died comes back at once.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_lost_wait=0.5,
        # One message for each process: work goes to whichever is free, also to workers that join later.
        worker_prefetch_multiplier=1,
        broker_transport_options=_transport_options(settings),
        visibility_timeout=_visibility_seconds(settings),
        # No time limit here: each piece of work has its own (worker/lease_watchdog.py), and a task may do many of them.
        # A model may take long to load; the default of 4 s makes an endless loop of kills.
        worker_proc_alive_timeout=120,
        # Remote control and events leave lists behind in Redis and take part in its reconnect bugs.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A Redis that is full, or still reads its file, refuses commands: as good as a lost connection.
        broker_channel_error_retry=True,
        # A running chunk outlives a lost connection: its commit does not go through the broker.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def _visibility_seconds(settings: Settings) -> int:
    """Seconds after which a message that was not acknowledged goes back to its queue."""
    return int(settings.chunk_timeout) + _LATE_SECONDS


def _transport_options(settings: Settings) -> dict[str, Any]:
    """The options of kombu's Redis transport."""
    return {
        # The order decides nothing: whichever message comes, the process takes the work whose turn it is.
        "queue_order_strategy": "priority",
        "priority_steps": [0],
        # Our leases bring work back in seconds; this only catches a hint that a dead worker held.
        "visibility_timeout": _visibility_seconds(settings),
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
        # kombu's default is to wait for ever on a dead socket, and an acknowledgement holds up the whole worker
        # meanwhile. The longest that Redis itself takes is BRPOP's second.
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
    }


def hint(app: Celery, task: str, queue: str) -> str:
    """The message for `task`, without arguments, as the transport stores it; with `TAG_MARK` for its identity."""
    headers, properties, body, _ = app.amqp.as_task_v2(
        TAG_MARK, task, [], {}, origin="rowcast", argsrepr="", kwargsrepr=""
    )
    with Connection("memory://") as nowhere:  # any virtual channel shapes a message as the Redis transport does
        message: dict[str, Any] = nowhere.default_channel.prepare_message(
            json.dumps(body), 0, "application/json", "utf-8", headers, properties
        )
    message["properties"] |= {
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "delivery_tag": TAG_MARK,
        "delivery_mode": 2,
    }
    return json.dumps(message)
