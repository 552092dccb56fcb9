"""Training: from a CSV file to a registered model."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.estimator_names import DEFAULT_FAMILY, FAMILIES
from rowcast.models.facts.fold_metrics import CrossValidation
from rowcast.models.model_manifest import Feature, Label, Manifest
from rowcast.models.naming.valid_names import require_alias, require_description, require_name
from rowcast.models.registry import Registry
from rowcast.wording.quantity import counted
from training.explanation_trial import with_explanations
from training.findings import Say, silent
from training.fitting.column_kinds import feature, is_empty, odd_cell, table
from training.fitting.cross_validation import cross_validated, folds
from training.fitting.fit import fit
from training.fitting.held_out import HeldOut, Positions, measure_held_out, split_rows
from training.fitting.leakage import leakage_notes
from training.fitting.learner import Learner
from training.fitting.pipelines import asked_task
from training.fitting.target import Target, Task, read_target
from training.fitting.time_order import time_order
from training.fitting.training_file import CsvFile, read_csv
from training.registration import Training, draft, register
from training.rehearsal.checks.single_rows import SINGLE_ROWS, SingleRows
from training.rehearsal.rehearsal import Progress, no_progress, rehearse
from training.sample.sample import Dialect, read_sample
from training.search.search import FOLDS as SEARCH_FOLDS
from training.search.search import Searched, search, shown
from training.train_options import NO_OPTIONS, TrainOptions


def train(
    data: Path | str,
    target: str,
    name: str,
    registry: Registry,
    *,
    features: Sequence[str] | None = None,
    estimator: str | None = None,
    aliases: Sequence[str] = (),
    description: str | None = None,
    options: TrainOptions = NO_OPTIONS,
    say: Say = silent,
    progress: Progress = no_progress,
    alone: SingleRows = SINGLE_ROWS,
) -> Manifest:
    """Fits a pipeline to predict the column `target`, measures it, and registers it as the next version.

    It is measured on a fifth of the rows, which are held out, and then fitted again on all of them. If no `features`
    are named, all other columns are features. `say` gets each step, and what is unusual about the data, as a sentence.
    The alias `latest` moves to the new version, and so do `aliases`. `alone` is as in `rehearse`,
    and `description` says what the model is for. `progress` gets how far a search and the rehearsal are.

    Raises:
        NotFound: there is no such file.
        Unreadable: the file cannot be read.
        Unprocessable: a column, the target's values, the estimator or an option do not fit; nothing is registered then.
    """
    require_name(name)
    require_description(description)
    for alias in aliases:
        require_alias(alias)
    options.require_valid()
    file = read_csv(Path(data))
    rows = _training_rows(file, target, features, task=asked_task(estimator or ""), options=options, say=say)
    chosen = _learner(estimator, rows, options, say, progress)
    pipeline = chosen.learner.pipeline
    say(f"Fitting {chosen.learner.estimator} ({rows.learned.task}) to {rows.size}.")
    held_out = measure_held_out(pipeline(), rows.table, rows.learned, rows.parts, say)
    validated = _cross_validated(pipeline(), rows, options, say)
    fitted = fit(pipeline(), rows.table, rows.learned.values, say)
    facts = _facts_of_training(file, target, chosen, rows=rows, held_out=held_out, options=options)
    names = [feature.name for feature in rows.features]
    rehearsal = rehearse(
        fitted,
        read_sample(Path(data), Dialect(), names),
        names,
        lambda notes, **found: draft(
            fitted,
            training=facts,
            metrics=held_out.metrics,
            threshold=held_out.threshold,
            cross_validation=validated,
            description=description,
            notes=[*rows.notes, *notes],
            **found,
        ),
        say=silent,
        progress=progress,
        alone=alone,
    )
    data_bytes = pickle.dumps(fitted, protocol=5)
    completed = with_explanations(rehearsal.draft, rehearsal)
    manifest = register(registry, name, data_bytes, completed, rehearsal.golden, profile=rehearsal.profile)
    for alias in aliases:
        registry.set_alias(name, alias, manifest.version)
    if options.report is not None:
        _write_report(options.report, manifest, held_out, rows, say)
    return manifest


def _write_report(path: Path, manifest: Manifest, held_out: HeldOut, rows: "_Rows", say: Say) -> None:
    """Writes the report. The model is registered already, so a fault is only said."""
    from training.report.report import TrainingReport

    findings = list(dict.fromkeys([*rows.findings, *manifest.notes]))
    try:
        TrainingReport(manifest, held_out, rows.table, findings).write(path)
    except OSError as error:
        say(f"The report could not be written: {error}")
    else:
        say(f"The report is in {path}.")


class _Chosen(NamedTuple):
    """The learner that is fitted, and the search that found it, if there was one."""

    learner: Learner
    searched: Searched | None = None


@dataclass(frozen=True)
class _Rows:
    """The rows to learn from, and how they are split."""

    learned: Target
    features: list[Feature]
    #: What a pipeline gets, shape (rows, features).
    table: pd.DataFrame
    #: Positions of the rows, the oldest first; None if they have no times.
    order: Positions | None
    #: Positions of the rows to fit on, and of those that are held out.
    parts: tuple[Positions, Positions]
    #: What is suspicious about the features.
    notes: list[str]
    #: What was said about the file and its columns.
    findings: list[str]

    @property
    def size(self) -> str:
        """The size in words, for example `1,309 rows and 3 features`."""
        return f"{counted(len(self.table), 'row')} and {counted(len(self.features), 'feature')}"


def _training_rows(
    file: CsvFile, target: str, features: Sequence[str] | None, *, task: Task | None, options: TrainOptions, say: Say
) -> _Rows:
    findings: list[str] = []

    def note(finding: str) -> None:
        findings.append(finding)
        say(finding)

    learned = read_target(target, file.column(target, "target"), task)
    order = None
    if options.time is not None:
        if options.time == target:
            raise Unprocessable.at("time", f"{target!r} is the target")
        order = time_order(options.time, file.column(options.time, "time"), learned.rows)
    described = _features(file, target, features, options.time, note)
    if learned.dropped:
        note(f"Left out {learned.dropped:,} of {counted(file.rows, 'row')}: they have no {target!r}.")
    rows = table(file.columns, described).iloc[learned.rows].reset_index(drop=True)
    parts = split_rows(rows, learned, order)
    notes = leakage_notes(file.columns, described, rows, learned)
    for leak in notes:
        note(leak)
    return _Rows(learned, described, rows, order, parts, notes, findings)


def _learner(estimator: str | None, rows: _Rows, options: TrainOptions, say: Say, progress: Progress) -> _Chosen:
    """Returns the learner of the named estimator, or the best one that a search finds.

    Raises:
        Unprocessable: there is no such estimator, or class weights are asked for and the target has no classes.
    """
    names = [estimator] if estimator else FAMILIES if options.search else [DEFAULT_FAMILY]
    task = rows.learned.task
    learners = [Learner(name, task, rows.features, len(rows.table), options.weights) for name in names]
    for learner in learners:
        learner.pipeline()
    if not options.search:
        return _Chosen(learners[0])
    # Without the held-out rows: they measure the winner.
    seen = rows.parts[0]
    say(f"Searching {', '.join(names)} in {counted(len(seen), 'row')}.")
    splitter = folds(SEARCH_FOLDS, task, rows.order)
    found = search(learners, rows.table.iloc[seen], rows.learned.values[seen], splitter, progress)
    for line in found.table():
        say(line)
    progress("Fitting the best one", 0, 1)
    return _Chosen(found.best.learner, found)


def _cross_validated(pipeline: Pipeline, rows: _Rows, options: TrainOptions, say: Say) -> CrossValidation | None:
    if options.cross_validate is None:
        return None
    return cross_validated(pipeline, rows.table, rows.learned, count=options.cross_validate, order=rows.order, say=say)


def _facts_of_training(
    file: CsvFile, target: str, chosen: _Chosen, *, rows: _Rows, held_out: HeldOut, options: TrainOptions
) -> Training:
    """Returns what the manifest says about the training."""
    facts: dict[str, Label | list[str] | None] = {
        "data": file.name,
        "target": target,
        "estimator": chosen.learner.estimator,
        "rows": len(rows.learned.rows),
        "rows_without_target": rows.learned.dropped,
        "rows_held_out": held_out.count,
    }
    if options.weights is not None:
        facts["class_weight"] = options.weights
    if options.time is not None:
        facts["time"] = options.time
    if chosen.searched is not None:
        facts["parameters"] = shown(chosen.learner.parameters)
        facts["searched"] = str(chosen.searched)
    return facts


def _features(file: CsvFile, target: str, wanted: Sequence[str] | None, time: str | None, say: Say) -> list[Feature]:
    """The features that were asked for, or all columns that say something, without the rows' times."""
    others = [column for column in file.columns if column not in (target, time)]
    names = others if wanted is None else list(wanted)
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
