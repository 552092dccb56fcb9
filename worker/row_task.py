"""The row task: predicts single rows of one model version in one call, and ends their jobs."""

import time
from collections.abc import Sequence
from typing import Any

from rowcast.errors import BadRow, ModelRefused, NotFound, ScoringFailed, Unavailable
from rowcast.jobs.records.leases import RowLease, RowOutcome
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.logs import logging_about
from rowcast.scoring.predict import Predict, Wanted, predict_good
from rowcast.scoring.score_rows import predict_rows_of_each
from rowcast.tracing.origin import fields_of_each
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
        with logging_about(about), resources.watchdog.holding(leases, longest_seconds):
            try:
                self._predict_and_commit(model, leases, isolated.predict_good if isolated else predict_good, log)
            except Unavailable as error:
                resources.postpone(leases, error, log)
                return False
            except Exception as error:
                log.exception("rows_raised")
                problem = ScoringFailed(f"{type(error).__name__}: {error}").recorded()
                resources.watchdog.release(leases, problem, strikes=STRIKES_OF_ERROR)
            finally:
                resources.isolated.close()
        return True

    def _predict_and_commit(self, model: str, leases: Sequence[RowLease], predict: Predict, log: Any) -> None:
        started = time.perf_counter()
        counted = self._resources.leases.commit_rows(self._outcomes(model, leases, predict))
        log.info("rows_predicted", rows=counted, seconds=round(time.perf_counter() - started, 6))

    def _outcomes(self, model: str, leases: Sequence[RowLease], predict: Predict) -> list[RowOutcome]:
        named = [one.rpartition("@") for one in model.split(",")]
        try:
            models = [self._resources.models.get(name, version) for name, _, version in named]
        except (ModelRefused, NotFound) as error:
            problem = ModelRefused(error.detail).recorded()
            return [RowOutcome(lease, "failed", problem) for lease in leases]
        wanted = Wanted(any(lease.probabilities for lease in leases), any(lease.scores for lease in leases))
        results = predict_rows_of_each(models, [lease.values for lease in leases], wanted, predict)
        return [_outcome(lease, result) for lease, result in zip(leases, results, strict=True)]


def _outcome(lease: RowLease, result: dict[str, Any] | str) -> RowOutcome:
    """Returns how a job ends, given its prediction or the message of a bad row."""
    if isinstance(result, str):
        return RowOutcome(lease, "failed", BadRow(result).recorded())
    # Rows that share a call may differ in what they ask for.
    if not lease.probabilities:
        result.pop("probabilities", None)
    if not lease.scores:
        result.pop("scores", None)
    return RowOutcome(lease, "succeeded", result)
