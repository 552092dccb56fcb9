"""Delivers the ends of jobs to their webhooks, in the background of a gateway.

What is due is in Redis. Each gateway claims some deliveries at a time, so that a second gateway does not attempt the
same. If a gateway dies or stops, its claims run out, and another attempt is made with the same `webhook-id`.
"""

import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass

import gevent
from gevent.pool import Pool
from structlog.contextvars import bind_contextvars

from api.output.responses import job_document, now_ms
from api.services import Services
from api.webhooks.webhook_post import PostOutcome, WebhookPost
from api.webhooks.webhook_signature import signed_headers
from rowcast.errors import JobDeleted, Unavailable, UnknownJob
from rowcast.jobs.job import Job
from rowcast.jobs.records.scripts.script_results import ClaimedDelivery
from rowcast.jobs.webhook.delivery import Attempt, DeliveryState
from rowcast.jobs.webhook.delivery_schedule import pause_seconds
from rowcast.jobs.webhook.shown_url import origin
from rowcast.logs import logger

MOST_AT_ONCE = 32
"""Attempts of one gateway that run at the same time."""

MOST_PER_HOST = 4
"""Attempts of one gateway to the same host at the same time, so that a slow one leaves room for others."""

PUT_BACK_SECONDS = 0.25
"""Space between deliveries that are put back because their host is busy: each waits so long after the one before."""

_LONGEST_PUT_BACK_SECONDS = 600.0
_POLL_SECONDS = 0.5


@dataclass
class _Host:
    """The attempts to one host in this process."""

    #: Attempts that run.
    running: int = 0
    #: Deliveries that were put back since the host had none running.
    put_back: int = 0


class Deliveries:
    """The deliveries of one gateway, which needs `ROWCAST_WEBHOOK_SECRET` for them."""

    def __init__(self, services: Services) -> None:
        self._settings, self._records, self._scripts = services.settings, services.records, services.scripts
        self._post = WebhookPost(services.webhook_guard)
        self._pool = Pool(MOST_AT_ONCE)
        self._hosts: dict[str, _Host] = defaultdict(_Host)
        self._log = logger("webhooks")

    def start(self) -> None:
        """Delivers in the background until the process ends."""
        gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            claimed = self._claim()
            for one in claimed:
                self._pool.spawn(self._deliver, one)
            gevent.sleep(0 if claimed else _POLL_SECONDS)
            self._pool.wait_available()

    def _claim(self) -> list[ClaimedDelivery]:
        try:
            return self._scripts.claim_deliveries(self._pool.free_count())
        except Unavailable as error:
            self._log.debug("deliveries_wait", reason=error.detail)
        except Exception:  # the gateway goes on, and so must this
            self._log.exception("deliveries_error")
        return []

    def _deliver(self, claimed: ClaimedDelivery) -> None:
        """Makes one attempt. Whatever fails here, the claim runs out, and the delivery is attempted again."""
        try:
            job = self._records.get(claimed.id)
            bind_contextvars(**job.spec.origin.fields(job.id))
            if not job.status.is_terminal:  # it was queued again in this moment, and its next end is delivered
                return
            webhook = job.spec.options.webhook or ""
            host = self._hosts[origin(webhook)]
            if host.running >= MOST_PER_HOST:
                self._put_back(claimed, host)
                return
            host.running += 1
            try:
                self._attempt(claimed, job, webhook)
            finally:
                host.running -= 1
                if not host.running:
                    self._hosts.pop(origin(webhook), None)
        except (UnknownJob, JobDeleted):
            self._log.info("webhook_dropped", job=claimed.id, detail="The job was deleted before the delivery.")
        except Unavailable as error:
            self._log.warning("webhook_not_settled", job=claimed.id, reason=error.detail)
        except Exception:
            self._log.exception("webhook_error", job=claimed.id)

    def _put_back(self, claimed: ClaimedDelivery, host: _Host) -> None:
        host.put_back += 1
        delay_seconds = min(host.put_back * PUT_BACK_SECONDS, _LONGEST_PUT_BACK_SECONDS)
        self._scripts.settle_delivery(claimed, DeliveryState.PENDING, delay_ms=int(delay_seconds * 1000))

    def _attempt(self, claimed: ClaimedDelivery, job: Job, webhook: str) -> None:
        began_ms = now_ms()
        body = json.dumps(job_document(job, self._settings.url_prefix or job.spec.url_prefix)).encode()
        id = f"{job.id}-{claimed.end}"
        headers = signed_headers(self._settings.webhook_keys, id, int(time.time()), body)
        try:
            answer = self._post.attempt(webhook, headers, body)
        except Exception:  # whatever a receiver sends, the schedule of attempts goes on
            self._log.exception("webhook_error", job=job.id)
            answer = PostOutcome(None, "an internal error, whose cause is in the gateway's log")
        self._settle(claimed, answer, began_ms, webhook_id=id, to=origin(webhook))

    def _settle(self, claimed: ClaimedDelivery, answer: PostOutcome, began_ms: int, **logged: str) -> None:
        wanted = DeliveryState.DELIVERED if answer.is_accepted else DeliveryState.PENDING
        if answer.is_final:
            wanted = DeliveryState.FAILED
        pause = pause_seconds(claimed.attempt, answer.retry_after_seconds, random.random())  # noqa: S311 - no secret
        attempt = json.dumps(Attempt(at_ms=began_ms, status=answer.status, error=answer.error))
        noted = self._scripts.settle_delivery(claimed, wanted, attempt, int(pause * 1000))
        state = noted or wanted
        level = "info" if state is DeliveryState.DELIVERED else "warning"
        getattr(self._log, level)(
            f"webhook_{state if state.is_settled else 'attempt_failed'}",
            job=claimed.id,
            **logged,
            attempt=claimed.attempt,
            status=answer.status,
            reason=answer.error,
            seconds=round((now_ms() - began_ms) / 1000, 3),
            next_in_seconds=None if state.is_settled else round(pause, 1),
            noted=noted is not None,
        )
