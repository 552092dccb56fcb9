"""The row task: predicts single rows of one model version in one call, and ends their jobs."""

import time
from collections.abc import Sequence
from typing import Any

from rowcast.errors import BadRow, ModelRefused, NotFound, ScoringFailed, Unavailable
from rowcast.jobs.records.leases import RowLease, RowOutcome
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.logs import logging_about
from rowcast.scoring.predict import Predict, predict_good
from rowcast.scoring.score_rows import predict_rows_of_each
from rowcast.tracing.origin import fields_of_each
from rowcast.tracing.spans import Attribute, Span
from rowcast.tracing.trace_context import TraceContext
from worker.isolation.child import is_suspect
from worker.resources import Resources


class RowTask:
    """Predicts leased rows."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def predict(self, model: str, leases: Sequence[RowLease]) -> bool:
        """Predicts and commits rows of the model `NAME@VERSION`, or of two with a comma.

        Returns whether to go on with other rows; if not, Redis, the store or the registry failed.
        """
        resources = self._resources
        log = resources.log.bind(model=model)
        isolated = resources.isolated if is_suspect(leases[0]) else None
        longest_seconds = isolated.longest_seconds * len(model.split(",")) if isolated else None
        about = fields_of_each([(lease.id, lease.origin) for lease in leases])
        predict = isolated.predict_good if isolated else predict_good
        with (
            logging_about(about),
            self._span(model, leases) as span,
            resources.watchdog.holding(leases, longest_seconds),
        ):
            try:
                self._predict_and_commit(model, leases, predict, log, span)
            except Unavailable as error:
                span.fail(error.detail)
                resources.postpone(leases, error, log)
                return False
            except Exception as error:
                log.exception("rows_raised")
                span.fail(f"{type(error).__name__}: {error}")
                problem = ScoringFailed(f"{type(error).__name__}: {error}").recorded()
                resources.watchdog.release(leases, problem, strikes=STRIKES_OF_ERROR)
            finally:
                resources.isolated.close()
        return True

    def _span(self, model: str, leases: Sequence[RowLease]) -> Span:
        """Begins one span for all rows, below the request of the first one that is recorded, with links to the others.

        A span for each row would take as long as its prediction.
        """
        tracer = self._resources.tracer
        if not tracer.is_on:
            return tracer.begin("predict rows", "consumer", "")
        first, *others = [*filter(_is_recorded, leases)] or leases[:1]
        about: dict[str, Attribute] = {
            "rowcast.rows": len(leases),
            "rowcast.attempt": first.attempt,
            "rowcast.worker": self._resources.leases.holder,
            "rowcast.model": model,
        }
        if len(leases) == 1:
            about["rowcast.job.id"] = first.id
        links = [lease.origin.traceparent for lease in others]
        return tracer.begin("predict rows", "consumer", first.origin.traceparent, about, links)

    def _predict_and_commit(
        self, model: str, leases: Sequence[RowLease], predict: Predict, log: Any, span: Span
    ) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes(model, leases, predict)
        with self._resources.tracer.begin("commit rows", "internal", span.traceparent):
            counted = self._resources.leases.commit_rows(outcomes)
        log.info("rows_predicted", rows=counted, seconds=round(time.perf_counter() - started, 6))

    def _outcomes(self, model: str, leases: Sequence[RowLease], predict: Predict) -> list[RowOutcome]:
        named = [one.rpartition("@") for one in model.split(",")]
        try:
            models = [self._resources.models.get(name, version) for name, _, version in named]
        except (ModelRefused, NotFound) as error:
            problem = ModelRefused(error.detail).recorded()
            return [RowOutcome(lease, "failed", problem) for lease in leases]
        extras = [lease.extras for lease in leases]
        results = predict_rows_of_each(models, [lease.values for lease in leases], extras, predict)
        return [_outcome(lease, result) for lease, result in zip(leases, results, strict=True)]


def _outcome(lease: RowLease, result: dict[str, Any] | str) -> RowOutcome:
    """Returns how a job ends, given its prediction or the message of a bad row."""
    if isinstance(result, str):
        return RowOutcome(lease, "failed", BadRow(result).recorded())
    return RowOutcome(lease, "succeeded", result)


def _is_recorded(lease: RowLease) -> bool:
    context = TraceContext.read(lease.origin.traceparent)
    return context is not None and context.is_sampled
