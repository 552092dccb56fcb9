"""The rehearsal: finds the representation in which the service predicts what the user's script predicts, bit for bit.

The script (`users_script.py`) is `model.predict(pandas.read_csv(sample)[features])`. The service
(`as_the_service.py`) is a worker's own reading and prediction. Both predict the sample, its complete rows, and
rows in which each feature in turn is missing. Each of these is a separate file, because pandas may read a column as
another type in another file.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import as_loaded, predict_in_one_thread, without_names
from rowcast.models.model_manifest import Draft
from training.estimator_facts import describe
from training.rehearsal.as_the_service import manifest_of, table_of
from training.rehearsal.checks.batch_dependence import require_independent_rows
from training.rehearsal.checks.chunk_cuts import BLOCK_ROWS, chunk_cuts
from training.rehearsal.checks.missing_values import allow_gaps
from training.rehearsal.checks.other_files import allow_for_other_types
from training.rehearsal.checks.row_time import row_seconds
from training.rehearsal.checks.rows_as_json import require_same_as_json
from training.rehearsal.checks.same_bits import fast_path
from training.rehearsal.checks.single_rows import SINGLE_ROWS, SingleRows, in_time, rows_alone
from training.rehearsal.checks.unseen_categories import allow_unseen
from training.rehearsal.golden_rows import golden_sample
from training.rehearsal.profiled_rows import sample_profile
from training.rehearsal.representation import choose
from training.rehearsal.trial import Rehearsal, Trial, compared
from training.rehearsal.users_script import Answers, Script, find_script
from training.sample.sample import Sample
from training.sample.sample_features import describe_features
from training.sample.unused_columns import unused_features

MAX_ROWS = 10_000
"""Maximum rows of the sample that are predicted. The types of its columns come from all rows."""

Progress = Callable[[str, int, int], None]
"""Is called with the name of the task, the number of steps done, and the number of all steps."""


def no_progress(_what: str, _done: int, _all: int) -> None:
    """Shows nothing."""


def rehearse(
    estimator: Any,
    sample: Sample,
    features: Sequence[str],
    draft: Callable[..., Draft],
    *,
    targets: Sequence[str] = (),
    say: Callable[[str], None],
    progress: Progress = no_progress,
    alone: SingleRows = SINGLE_ROWS,
) -> Rehearsal:
    """Finds a representation in which script and service agree.

    `draft` makes a manifest's draft from keyword arguments of `Draft`. `alone` says how many
    single rows of the sample the script and the service predict.

    Raises:
        Unprocessable: no script works, no representation agrees, or predictions depend on the neighbouring rows.
    """
    predict_in_one_thread(estimator)
    with threadpool_limits(1):
        script, frame, answers = find_script(estimator, sample, features, say)
        some = frame if len(frame) <= MAX_ROWS else frame.head(MAX_ROWS)
        if len(some) < len(frame):
            say(f"Rehearsing with the first {MAX_ROWS:,} of {len(frame):,} rows.")
            answers = script.answers(some)
        notes = require_independent_rows(script, some, answers, alone)
        described = describe_features(script, sample)
        facts = describe(estimator, answers, targets)
        made = draft(
            features=described,
            na_values=script.dialect.na_texts(),
            keep_default_na=script.dialect.keep_default_na,
            notes=notes,
            **facts,
        )
        rehearsal = Rehearsal(
            script, sample, made, list(_trials(script, sample, some, answers if some is frame else None))
        )
        choose(rehearsal, say)
        allow_for_other_types(rehearsal)
        allow_gaps(rehearsal, some, say, lambda done, every: progress("Rows with a missing value", done, every))
        allow_unseen(rehearsal)
        _allow_absence(rehearsal, say)
        _finish(rehearsal, alone)
    return rehearsal


def _trials(script: Script, sample: Sample, frame: pd.DataFrame, known: Answers | None) -> Iterator[Trial]:
    """Yields the sample's rows, then only the complete ones: pandas may read their columns as other types.

    `known` are the script's answers for the frame; None if a file of its rows may have other types than the frame.
    """
    sets = [frame.index.to_numpy()]
    complete = frame.index[frame.notna().all(axis=1)].to_numpy()
    if 0 < len(complete) < len(frame):
        sets.append(complete)
    for number, rows in enumerate(sets):
        data = sample.csv(rows.tolist(), script.features)
        try:
            answers = known if number == 0 and known is not None else script.answers(script.read(data))
        except Exception:
            if number == 0:
                raise
            continue  # such a file is one that the script cannot predict
        yield Trial(data, rows.tolist(), answers)


def _allow_absence(rehearsal: Rehearsal, say: Callable[[str], None]) -> None:
    """Marks the features that the model does not use, for example those that a ColumnTransformer drops."""
    unused = unused_features(rehearsal.script, rehearsal.frame())
    if not unused:
        return
    features = [
        feature.model_copy(update={"required": feature.name not in unused}) for feature in rehearsal.draft.features
    ]
    container = rehearsal.draft.container or "frame"
    if container == "frame" and rehearsal.compare(rehearsal.model(features, container)) is None:
        rehearsal.take(features, container)
        say(f"The model does not use {', '.join(map(repr, sorted(unused)))}: files need not have them.")


_IF_LOADED = (
    "The model makes other predictions after it was saved and loaded. Compare `predict` of "
    "`pickle.loads(pickle.dumps(model))` with that of the model: what it needs must be among the attributes that are "
    "pickled, and loading must not change them."
)
_IF_CUT = (
    "A step of the model returns other values if it gets fewer rows at once. Find it by comparing its `transform` for "
    "the whole sample with that for the first 64 rows, and replace it."
)


def _finish(rehearsal: Rehearsal, alone: SingleRows) -> None:
    """Compares again, with the model and the chunks as a worker has them, and predicts the golden sample."""
    model = without_names(as_loaded(manifest_of(rehearsal.draft), copy.deepcopy(rehearsal.script.estimator)))
    found, name = rehearsal.compare(model, rounding_from=1), rehearsal.sample.name
    if found is not None:
        raise Unprocessable(f"The service cannot predict what your script predicts: {found.said(name)}. {_IF_LOADED}")
    script, trial = rehearsal.script, rehearsal.trials[0]
    ordered = rows_alone(rehearsal.frame(), trial.answers["predict"])
    single = in_time(ordered, alone.seconds, alone.by_service)
    served = []
    for start, stop in chain(_chunks(len(trial.rows)), ((row, row + 1) for row in single)):
        if stop - start == 1:
            served.append(start)
        found = compared(model, trial.cut(np.arange(start, stop), script.dialect.delimiter), script)
        if found is not None and not (found.is_rounding and stop - start == 1):
            raise Unprocessable(
                f"The service cannot predict what your script predicts: cut into chunks, {found.said(name)}. {_IF_CUT}"
            )
    require_same_as_json(rehearsal, model, served)
    table = table_of(model, trial.data, script.dialect)
    rehearsal.take_time(row_seconds(model, table))
    rehearsal.take_fast_path(fast_path(model, table))
    rehearsal.golden = golden_sample(rehearsal, model)
    rehearsal.profile = sample_profile(rehearsal, model)


def _chunks(rows: int) -> list[tuple[int, int]]:
    """Returns the chunks to compare, as (start, stop). A last piece under 64 rows may differ in the last bit."""
    return [(start, stop) for start, stop in chunk_cuts(rows) if stop - start >= BLOCK_ROWS or rows <= BLOCK_ROWS]
