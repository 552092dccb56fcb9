"""Training: from a CSV file to a registered model."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.estimator_names import DEFAULT_FAMILY
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.models.naming.valid_names import require_alias, require_description, require_name
from rowcast.models.registry import Registry
from rowcast.wording.quantity import counted
from training.explanation_trial import with_explanations
from training.findings import Say, silent
from training.fitting.column_kinds import feature, is_empty, odd_cell, table
from training.fitting.fit import fit
from training.fitting.metrics import measure, split
from training.fitting.pipelines import asked_task, recipe
from training.fitting.target import Target, read_target
from training.fitting.training_file import CsvFile, read_csv
from training.registration import Training, draft, register
from training.rehearsal.checks.single_rows import SINGLE_ROWS, SingleRows
from training.rehearsal.rehearsal import rehearse
from training.sample.sample import Dialect, read_sample
from training.thresholds import best_threshold


def train(
    data: Path | str,
    target: str,
    name: str,
    registry: Registry,
    *,
    features: Sequence[str] | None = None,
    estimator: str = DEFAULT_FAMILY,
    aliases: Sequence[str] = (),
    description: str | None = None,
    say: Say = silent,
    alone: SingleRows = SINGLE_ROWS,
) -> Manifest:
    """Fits a pipeline to predict the column `target`, measures it, and registers it as the next version.

    It is measured on a fifth of the rows, which are held out, and then fitted again on all of them. If no `features`
    are named, all other columns are features. `say` gets each step, and what is unusual about the data, as a sentence.
    The alias `latest` moves to the new version, and so do `aliases`. `alone` is as in `rehearse`,
    and `description` says what the model is for.

    Raises:
        NotFound: there is no such file.
        Unreadable: the file cannot be read.
        Unprocessable: a column, the target's values or the estimator do not fit; nothing is registered then.
    """
    require_name(name)
    require_description(description)
    for alias in aliases:
        require_alias(alias)
    file = read_csv(Path(data))
    learned = read_target(target, file.column(target, "target"), asked_task(estimator))
    build = recipe(estimator, learned.task).build
    described = _features(file, target, features, say)
    if learned.dropped:
        say(f"Left out {learned.dropped:,} of {counted(file.rows, 'row')}: they have no {target!r}.")
    rows = table(file.columns, described).iloc[learned.rows].reset_index(drop=True)
    size = f"{counted(len(rows), 'row')} and {counted(len(described), 'feature')}"
    say(f"Fitting {estimator} ({learned.task}) to {size}.")
    metrics, threshold, held_out = _held_out(build(described, len(rows)), rows, learned, say)
    fitted = fit(build(described, len(rows)), rows, learned.values, say)
    facts = _facts_of_training(file, target, estimator, learned, held_out)
    names = [feature.name for feature in described]
    rehearsal = rehearse(
        fitted,
        read_sample(Path(data), Dialect(), names),
        names,
        lambda **found: draft(
            fitted, training=facts, metrics=metrics, threshold=threshold, description=description, **found
        ),
        say=silent,
        alone=alone,
    )
    data_bytes = pickle.dumps(fitted, protocol=5)
    completed = with_explanations(rehearsal.draft, rehearsal)
    manifest = register(registry, name, data_bytes, completed, rehearsal.golden, profile=rehearsal.profile)
    for alias in aliases:
        registry.set_alias(name, alias, manifest.version)
    return manifest


def _facts_of_training(file: CsvFile, target: str, estimator: str, learned: Target, held_out: int) -> Training:
    """Returns what the manifest says about the training."""
    return {
        "data": file.name,
        "target": target,
        "estimator": estimator,
        "rows": len(learned.rows),
        "rows_without_target": learned.dropped,
        "rows_held_out": held_out,
    }


def _features(file: CsvFile, target: str, wanted: Sequence[str] | None, say: Say) -> list[Feature]:
    """The features that were asked for, or all columns that say something."""
    names = [column for column in file.columns if column != target] if wanted is None else list(wanted)
    _require_usable(names, target)
    empty = [name for name in names if is_empty(file.column(name, "features"))]
    if empty and wanted is not None:
        raise Unprocessable.at("features", f"the column {empty[0]!r} of {file.name} is empty in every row")
    for name in empty:
        say(f"The column {name!r} is empty in every row; it is left out.")
    described = [feature(name, file.columns[name]) for name in names if name not in empty]
    if not described:
        raise Unprocessable.at("features", f"{file.name} has no column to predict {target!r} from")
    for one in described:
        odd = odd_cell(file.columns[one.name]) if one.kind == "text" else None
        if odd is not None:
            say(f"The column {one.name!r} is read as text: row {odd[0]:,} has {odd[1]!r}, which is not a number.")
    return described


def _require_usable(names: Sequence[str], target: str) -> None:
    for position, name in enumerate(names):
        if name == target:
            raise Unprocessable.at("features", f"{name!r} is the target, so it cannot be a feature")
        if name in names[:position]:
            raise Unprocessable.at("features", f"{name!r} is named twice")


def _held_out(
    pipeline: Pipeline, rows: pd.DataFrame, learned: Target, say: Say
) -> tuple[dict[str, float], float | None, int]:
    """Returns metrics and best threshold of the pipeline on rows that it has not been fitted to, and their number."""
    fitted_on, held_out = split(rows, learned)
    # What the libraries warn of here they say again, of all rows, in the fit that counts.
    fitted = fit(pipeline, rows.iloc[fitted_on], learned.values[fitted_on], silent)
    metrics = measure(fitted, rows.iloc[held_out], learned.values[held_out])
    shown = ", ".join(f"{metric} {value:.4g}" for metric, value in metrics.items())
    say(f"Metrics on {len(held_out):,} held-out rows: {shown}.")
    best = best_threshold(fitted, rows.iloc[held_out], learned.values[held_out])
    if best is None:
        return metrics, None, len(held_out)
    accuracy = f"balanced_accuracy {best.balanced_accuracy:.4g} on these rows"
    say(f"threshold=auto stands for {best.threshold:.4g}, with {accuracy}.")
    return metrics, best.threshold, len(held_out)
