"""Explanations: whether the predictions of a model can be explained, and what its manifest keeps for that."""

import warnings
from time import perf_counter
from typing import Any

import numpy as np

from rowcast.models.model_manifest import Draft, ExplanationFacts
from rowcast.scoring.explaining.explainer import Explainer
from rowcast.scoring.explaining.explanations import Inexplicable
from rowcast.scoring.explaining.linear_contributions import LinearContributions
from rowcast.scoring.predict import rows_of
from rowcast.wording.exception_text import one_line_with_type
from training.rehearsal.trial import Rehearsal

_TRIED_ROWS = 200
"""Rows of the sample that are explained as a trial."""

_MOST_MEANS = 10_000
"""Most means that a manifest keeps. The gateway reads the manifests of all models."""


def with_explanations(completed: Draft, rehearsal: Rehearsal) -> Draft:
    """Returns the draft with whether the model can be explained, found by explaining rows of its sample."""
    script = rehearsal.script
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            facts = _facts(script.estimator, completed, script.table(rehearsal.frame()))
    except Inexplicable as error:
        facts = ExplanationFacts(family=None, reason=str(error))
    except Exception as error:
        facts = ExplanationFacts(family=None, reason=f"cannot be explained: {one_line_with_type(error, 200)}")
    return completed.model_copy(update={"explanations": facts})


def _facts(estimator: Any, described: Draft, table: Any) -> ExplanationFacts:
    explainer, means = Explainer(estimator, described), None
    if isinstance(explainer.finder, LinearContributions):
        means = explainer.finder.mean_terms(explainer.encoded(table))
        if means.size > _MOST_MEANS:
            raise Inexplicable(f"has too many features and classes to be explained ({means.size:,} together)")
        if not np.isfinite(means).all():
            raise Inexplicable("has a feature without a finite mean in its sample")
        explainer = Explainer(estimator, described, means)
    rows = rows_of(table, slice(0, _TRIED_ROWS))
    explainer.of(rows_of(table, slice(0, 1)), 1)  # loads the compiled function
    started = perf_counter()
    tried = explainer.of(rows, 1)
    row_seconds = (perf_counter() - started) / max(1, len(rows))
    if tried.faults:
        raise Inexplicable(f"cannot be explained: of a row of its sample, {next(iter(tried.faults.values()))}")
    return ExplanationFacts(
        family=explainer.finder.family,
        row_seconds=float(f"{row_seconds:.2g}"),
        means=None if means is None else means.tolist(),
    )
