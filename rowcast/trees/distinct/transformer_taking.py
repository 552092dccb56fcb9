"""Takes a transformer: tries the fast one on cells that it knows and on odd ones, or says why not."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from rowcast.trees.comparison.outcome import difference, outcome
from rowcast.trees.distinct.cellwise_steps import encoder_of
from rowcast.trees.distinct.fast_transformers import FastTransformer, by_distinct_cells, fast_transformer
from rowcast.trees.distinct.odd_cells import odd_tables, own_table
from rowcast.trees.estimator_note import EstimatorNote
from rowcast.trees.evaluation.ensemble import Declined
from rowcast.trees.fast_copies import plain


def take_transformer(path: str, transformer: Any) -> tuple[Any, EstimatorNote]:
    """Returns a fast transformer in place of the given one, or the given one with the reason why it was not taken.

    The note names the encoder in it. The transformer is one for which `encoder_of` returns an encoder.
    """
    found = encoder_of(transformer)
    if found is None:
        raise TypeError(f"{type(transformer).__name__} has no encoder")
    place, name = path + found[0], type(found[1]).__name__
    if isinstance(transformer, FastTransformer):
        return transformer, EstimatorNote(place, name, taken=True)
    try:
        fast = fast_transformer(transformer)
        _require_same_output(transformer, fast, found[1])
    except Declined as declined:
        return transformer, EstimatorNote(place, name, taken=False, reason=str(declined))
    except (AttributeError, TypeError, ValueError, NotFittedError) as error:
        reason = f"It could not be tried ({type(error).__name__}: {error})."
        return transformer, EstimatorNote(place, name, taken=False, reason=reason)
    return fast_transformer(transformer), EstimatorNote(place, name, taken=True)


def transformer_differences(path: str, transformer: Any, fast: Any, table: Any, seed: int) -> Iterator[str]:
    """Yields a sentence for each table made from the given one for which the outputs differ.

    Each is transformed twice, because the second time the cells are known.
    """
    for name, odd in odd_tables(table, seed):
        wanted = outcome(transformer.transform, odd)
        for _ in range(2):
            yield from difference(f"{path}.transform on {name}", wanted, outcome(fast.transform, odd), order=True)


def _require_same_output(transformer: Any, fast: Any, encoder: Any) -> None:
    """Compares the outputs.

    Raises:
        Declined: a bit differs, or the transformer cannot be tried.
    """
    table = own_table(transformer, encoder)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _, own = next(odd_tables(table, seed=0))
        if by_distinct_cells(fast, own) is None:
            raise Declined("Its output for categories that it knows is not one that can be put together.")
        found = next(transformer_differences("It", plain(transformer), fast, table, seed=0), None)
    if found is not None:
        raise Declined(f"Its output differs from scikit-learn's on this machine: {found}")
