"""Adding a model: registers a model that was trained elsewhere, after a rehearsal with a sample."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import SKLEARN, library_version
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.own_code_files import read_code
from rowcast.models.model_manifest import Draft, Kind, Manifest
from rowcast.models.naming.valid_names import require_description, require_name
from rowcast.models.registry import Registry
from training.add_options import NO_OPTIONS, AddOptions
from training.explanation_trial import with_explanations
from training.findings import Say, silent
from training.fitting.metrics import measure
from training.fitting.target import Task, read_target
from training.formats.read_model import ReadModel, read_model
from training.registration import Training, draft, register
from training.rehearsal.rehearsal import Progress, no_progress, rehearse
from training.rehearsal.trial import Rehearsal
from training.sample.sample import Sample, read_sample
from training.sample.sample_features import feature_names
from training.source.find_source import opened_source
from training.source.model_file import ModelFile
from training.thresholds import own_threshold, require_suitable_threshold

KINDS: tuple[Kind, ...] = get_args(Kind)


def add(
    given: Path | str,
    name: str,
    registry: Registry,
    features_from: Path | None,
    options: AddOptions = NO_OPTIONS,
    *,
    say: Say = silent,
    progress: Progress = no_progress,
) -> Manifest:
    """Registers a trained model as the next version of `name`; the alias `latest` moves to it.

    It may run the code of the model's file, so that must come from a source that the caller trusts. A file of another
    format than pickle is stored as a plain pickle.

    Args:
        given: The model file, a folder of MLflow, or `mlflow:models:/NAME@ALIAS`.
        name: The name to register it under.
        registry: Where it is registered.
        features_from: The sample: a CSV of rows like those that will be sent. None: the example that MLflow keeps.
        options: What the caller says about the model.
        say: Gets each finding as a sentence.
        progress: Gets how far the rehearsal is.

    Raises:
        NotFound: one of the files is not there.
        Unreadable: one of them cannot be read.
        Unprocessable: it is not a model, a worker like this process could not open it, or the service cannot
            guarantee the predictions of the user's script.
        RowcastError: an MLflow server does not give the model; see `MlflowServer.fetch`.
    """
    require_name(name)
    require_description(options.description)
    with opened_source(given) as source:
        own = ModelCode(read_code([*source.code, *options.code]))
        with own.active():
            read = read_model(source.name, source.content, own, options.versions, options.classes)
            sample = _sample_for(read.estimator, features_from, options, source)
            rehearsal = rehearse(
                read.estimator,
                sample,
                feature_names(read.estimator, sample, options.targets, _features(read.estimator, options, source)),
                lambda **found: draft(
                    read.estimator,
                    training=_facts(source, read, sample, options.target),
                    description=options.description,
                    **found,
                ),
                targets=options.targets,
                say=say,
                progress=progress,
                alone=options.alone,
            )
            measured = _with_metrics(rehearsal, options.targets, read.trained_with, say)
            completed = with_explanations(_with_threshold(measured, rehearsal, options), rehearsal)
            found, profile = rehearsal.golden, rehearsal.profile
            manifest = register(registry, name, read.pickled, completed, found, profile=profile, own=own)
            _say_findings(sample, manifest, say)
            return manifest


def _features(estimator: Any, options: AddOptions, source: ModelFile) -> Sequence[str] | None:
    """Returns the named features. MLflow's are used for an estimator that does not know its own."""
    if options.features is not None or hasattr(estimator, "feature_names_in_"):
        return options.features
    return source.features


def _sample_for(estimator: Any, path: Path | None, options: AddOptions, source: ModelFile) -> Sample:
    """Reads the sample. The delimiter is the one under which its header has most of the model's columns."""
    if path is None and source.example is None:
        what = "The MLflow model has no example of a DataFrame" if source.facts else "A model needs a sample"
        raise Unprocessable(
            f"{what}: name a CSV file of rows like those that will be sent, with the model's columns "
            "(--features-from data.csv)."
        )
    wanted = [str(column) for column in getattr(estimator, "feature_names_in_", options.features or [])]
    sample = read_sample(path or source.example or Path(), options.dialect, wanted)
    known = {column: kind for column, kind in source.kinds.items() if column in sample.cells}
    return _with_kinds(sample, {**known, **options.named_kinds})


def _say_findings(sample: Sample, manifest: Manifest, say: Say) -> None:
    """Says which cells of the sample, other than empty ones, mean missing, and what the manifest notes."""
    known = set(manifest.na_values) - {""}
    found = {cell for feature in manifest.features for cell in sample.cells[feature.name].unique() if cell in known}
    if found:
        say(f"These cells count as missing values, as in pandas: {', '.join(sorted(map(repr, found)))}.")
    for note in manifest.notes:
        say(note)


def _with_metrics(rehearsal: Rehearsal, targets: Sequence[str], trained_with: str | None, say: Say) -> Draft:
    """Returns the draft with the metrics, if one target was named, and with the scikit-learn of the training."""
    completed = rehearsal.draft
    if len(targets) == 1:
        completed = completed.model_copy(update={"metrics": _measured(rehearsal, targets[0])})
    if trained_with is not None:
        say(f"The model was trained with scikit-learn {trained_with}; {library_version(SKLEARN)} is installed here.")
        libraries = completed.libraries | {SKLEARN: trained_with}
        completed = completed.model_copy(update={"libraries": libraries})
    return completed


def _with_threshold(completed: Draft, rehearsal: Rehearsal, options: AddOptions) -> Draft:
    """Returns the draft with the threshold that the caller names, or with the estimator's own."""
    if options.threshold is not None:
        require_suitable_threshold(options.threshold, completed)
        return completed.model_copy(update={"threshold": options.threshold})
    if not completed.has_two_classes:
        return completed
    script = rehearsal.script
    table = script.table(script.read(rehearsal.trials[0].data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return completed.model_copy(update={"threshold": own_threshold(script.estimator, table)})


def _with_kinds(sample: Sample, kinds: Mapping[str, Kind]) -> Sample:
    for column, kind in kinds.items():
        sample.require(column, "kind")
        if kind not in KINDS:
            raise Unprocessable.at("kind", f"{column}={kind}: {kind!r} is not a kind; use one of {', '.join(KINDS)}")
    read = Sample(sample.name, sample.cells, sample.dialect.with_kinds(kinds))
    for column, kind in kinds.items():
        _require_readable(read, column, kind)
    return read


def _require_readable(sample: Sample, column: str, kind: Kind) -> None:
    """Reads the column by itself as the named kind, so that the message can name the column.

    Raises:
        Unprocessable: pandas cannot read its cells as this kind.
    """
    try:
        values = sample.dialect.read(sample.csv(columns=[column]))[column]
        if kind == "integer" and not pd.api.types.is_numeric_dtype(values):
            raise ValueError("some cells are not numbers")
    except ValueError as error:
        raise Unprocessable.at("kind", f"{column}={kind} does not fit {sample.name}: {error}") from error


def _facts(source: ModelFile, read: ReadModel, sample: Sample, target: str | None) -> Training:
    """Returns what the manifest says about where the model comes from."""
    return {
        "added_from": source.name,
        "format": read.format.name,
        "file_sha256": hashlib.sha256(source.content).hexdigest(),
        "features_from": sample.name,
        "sample_rows": len(sample.cells),
        "target": target,
        "estimator": type(read.estimator).__name__,
        **source.facts,
    }


def _measured(rehearsal: Rehearsal, target: str) -> dict[str, float]:
    """Returns the metrics on the rows of the sample that the script can predict and that have a target."""
    script, sample, trial = rehearsal.script, rehearsal.sample, rehearsal.trials[0]
    sample.require(target, "target")
    classes = rehearsal.draft.classes
    task: Task = "regression" if rehearsal.draft.task == "regression" else "classification"
    missing = set(script.dialect.na_texts())
    cells = [None if cell in missing else cell for cell in sample.cells[target].iloc[list(trial.rows)]]
    learned = read_target(target, cells, task)
    unknown = set() if classes is None else set(learned.values.tolist()) - set(classes)
    if unknown:
        raise Unprocessable.at(
            "target", f"it has the value {min(map(repr, unknown))}, which is not a class of the estimator"
        )
    frame: pd.DataFrame = script.read(trial.data).iloc[np.asarray(learned.rows)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure(script.estimator, script.table(frame), learned.values)
