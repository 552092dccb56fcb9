"""Faster prediction for scikit-learn's trees and encoders, with the same bits: `rowcast.accelerate(model)`.

numba and scikit-learn are imported on first use, because neither the client nor the gateway has them.
`docs/fast-trees.md` explains the algorithms.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from rowcast.trees.estimator_note import EstimatorNote

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["EstimatorNote", "accelerate", "compile_all", "differences", "edge_rows", "explain"]

M = TypeVar("M")
Table = TypeVar("Table", "pd.DataFrame", "np.ndarray[Any, Any]")


def accelerate(model: M) -> M:
    """Returns a model that predicts faster, with the same bits.

    Every tree estimator, and every encoder of categories with the steps around it that act cell by cell, is replaced
    by a copy of a subclass of its class if it can be taken. Everything that is not changed is shared with the given
    model, which stays as it was. What cannot be taken is left as it is (`explain` says why), so a model without trees
    and encoders is returned itself.

    An estimator is only taken if its bits were equal on rows generated from its own thresholds or categories. It
    predicts in one thread: forests with `n_jobs` add up their trees in the order in which threads finish, so their last
    bits vary from call to call; the accelerated forest has the bits of `n_jobs=1`. If something is unexpected in a call
    (a sparse matrix, an estimator that was fitted again), scikit-learn's own code runs.

    Clones, copies and pickles of the returned model's estimators are plain scikit-learn ones again: call `accelerate`
    after loading a pickle.

    Args:
        model: A fitted scikit-learn estimator, or one that holds such estimators (a pipeline, voting, a search …).

    Raises:
        ImportError: numba or scikit-learn is not installed.
    """
    _require_libraries()
    from rowcast.trees.acceleration import accelerated

    found: M = accelerated(model)[0]
    return found


def explain(model: Any) -> tuple[EstimatorNote, ...]:
    """Returns a note for each tree estimator and encoder found in the model: taken, or why not.

    Estimators that hold others (pipelines, voting …) have no note. A model with neither, for example a linear one of
    numbers, has one note, which says so. An accelerated model has the notes of the model that it was made from.

    Raises:
        ImportError: numba or scikit-learn is not installed.
    """
    _require_libraries()
    from rowcast.trees.acceleration import accelerated

    return accelerated(model)[1]


def edge_rows(model: Any, sample: Table, rows: int, seed: int) -> Table:
    """Returns rows made from a sample, on which an inexact evaluation of the model's trees would differ.

    Cells are set to thresholds of the model's trees, to the next float64 and float32 above and below them, to NaN (if
    the model takes it), to -0.0, to denormal numbers and to huge ones. The model has to be one whose trees get the
    columns of the sample as they are; behind other steps, `differences` finds the rows of each estimator.

    Args:
        model: A tree estimator, or a model that hands its rows on unchanged, for example a voting classifier.
        sample: Rows of the model's features, shape (at least 1, features). Columns that are not numbers keep their
            values, from rows drawn at random.
        rows: Number of rows to make.
        seed: The same seed makes the same rows.

    Raises:
        ImportError: numba or scikit-learn is not installed.
    """
    _require_libraries()
    from rowcast.trees.comparison.edge_sample import edge_sample

    made: Table = edge_sample(model, sample, rows, seed)
    return made


def differences(model: Any, accelerated: Any, sample: Any, seed: int = 0) -> list[str]:
    """Returns a sentence for each method and estimator whose bits differ; an empty list if all are equal.

    Compared are `predict`, `predict_proba`, `decision_function` and `score_samples` (those that there are) of the whole
    model on the sample, and these and the raw scores of each taken estimator on its own input: the sample after the
    steps before the estimator, and rows made from that by `edge_rows`. The output of each taken encoder is compared on
    its own input, and on tables made from that with unknown, missing, infinite and odd cells. Errors are compared, too.
    Forests with `n_jobs`
    are compared with the same forest without it.

    Args:
        model: The model as it was before `accelerate`.
        accelerated: What `accelerate` returned.
        sample: Rows as the model's `predict` takes them; a few hundred are enough.
        seed: Seed of the generated rows.

    Raises:
        ImportError: numba or scikit-learn is not installed.
    """
    _require_libraries()
    from rowcast.trees.comparison.bit_differences import bit_differences

    return bit_differences(model, accelerated, sample, seed)


def compile_all() -> None:
    """Compiles every compiled function, or loads it from numba's cache (`NUMBA_CACHE_DIR`).

    Without it, the first `accelerate` of a process does so. Call it once when an image is built, or before processes
    are forked.

    Raises:
        ImportError: numba or scikit-learn is not installed.
    """
    _require_libraries()
    import rowcast.trees.contributions.contribution_kernels
    import rowcast.trees.evaluation.leaf_sweep_kernels
    import rowcast.trees.evaluation.node_walk_kernels  # noqa: F401 - the functions have signatures, so importing compiles them


def _require_libraries() -> None:
    """Raises an error that names the extra to install if a library is missing."""
    try:
        import numba  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        message = f"rowcast.accelerate needs {error.name}. Install it with: pip install 'rowcast[fast]'"
        raise ImportError(message, name=error.name) from error
