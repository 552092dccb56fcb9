"""Adding a model: registers a pickle that was trained elsewhere, after a rehearsal with a sample."""

import io
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import joblib
import numpy as np
import pandas as pd

from rowcast.errors import NotFound, Unprocessable, Unreadable
from rowcast.models.loading.load import SKLEARN, library_version, unpickle
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.own_code_files import read_code
from rowcast.models.loading.pickle_errors import why_unreadable
from rowcast.models.loading.vetting import require_this_sklearn, vet_pickle
from rowcast.models.model_manifest import Draft, Kind, Manifest
from rowcast.models.registry import Registry
from rowcast.models.valid_names import require_name
from training.add_options import NO_OPTIONS, AddOptions, Versions
from training.findings import Say, silent
from training.fitting.metrics import measure
from training.fitting.target import Task, read_target
from training.registration import Training, draft, register
from training.rehearsal.rehearsal import Progress, no_progress, rehearse
from training.rehearsal.trial import Rehearsal
from training.sample.sample import Sample, read_sample
from training.sample.sample_features import feature_names
from training.thresholds import own_threshold, require_suitable_threshold

KINDS: tuple[Kind, ...] = get_args(Kind)


def add(
    file: Path,
    name: str,
    registry: Registry,
    features_from: Path,
    options: AddOptions = NO_OPTIONS,
    *,
    say: Say = silent,
    progress: Progress = no_progress,
) -> Manifest:
    """Registers the pickle in `file` as the next version of `name`; the alias `latest` moves to it.

    It runs the pickle's code, so the file must come from a source that the caller trusts. A file by `joblib.dump` is
    stored as a plain pickle. `features_from` is the sample: a CSV of the rows that will be sent. `say` gets each
    finding as a sentence, `progress` gets how far the rehearsal is.

    Raises:
        NotFound: one of the files is not there.
        Unreadable: one of them cannot be read.
        Unprocessable: it is not a model, a worker like this process could not open it, or the service cannot
            guarantee the predictions of the user's script.
    """
    require_name(name)
    own = ModelCode(read_code(options.code))
    with own.active():
        data, estimator, trained_with = _read(file, own, options.versions)
        sample = _sample_for(estimator, features_from, options)
        facts = _facts_of_pickle(file, sample, options.target, estimator)
        rehearsal = rehearse(
            estimator,
            sample,
            feature_names(estimator, sample, options.targets, options.features),
            lambda **found: draft(estimator, training=facts, **found),
            targets=options.targets,
            say=say,
            progress=progress,
            alone=options.alone,
        )
        completed = _with_threshold(_with_metrics(rehearsal, options.targets, trained_with, say), rehearsal, options)
        manifest = register(registry, name, data, completed, rehearsal.golden, own=own)
        _say_findings(sample, manifest, say)
        return manifest


def _sample_for(estimator: Any, path: Path, options: AddOptions) -> Sample:
    """Reads the sample. The delimiter is the one under which its header has most of the model's columns."""
    wanted = [str(column) for column in getattr(estimator, "feature_names_in_", options.features or [])]
    return _with_kinds(read_sample(path, options.dialect, wanted), options.named_kinds)


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
    return completed.model_copy(update={"threshold": own_threshold(rehearsal.script.estimator, table)})


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


def _facts_of_pickle(file: Path, sample: Sample, target: str | None, estimator: Any) -> Training:
    """Returns what the manifest says about where the model comes from."""
    return {
        "added_from": file.name,
        "features_from": sample.name,
        "target": target,
        "estimator": type(estimator).__name__,
    }


def _read(file: Path, own: ModelCode, versions: Versions) -> tuple[bytes, Any, str | None]:
    """Returns the bytes to register, the estimator in them, and its scikit-learn version if it is another one."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound.file(file) from None
    vet_pickle(file.name, data, own, versions)
    try:
        estimator, trained_with = unpickle(data)
    except MemoryError:
        raise
    except Exception as fault:
        data, estimator, trained_with = _read_joblib(file.name, data, fault, own)
        vet_pickle(file.name, data, own, versions)
    if versions == "strict" and trained_with is not None:
        require_this_sklearn(file.name, [trained_with])
    if not callable(getattr(estimator, "predict", None)):
        raise Unprocessable(f"{file.name} contains a {type(estimator).__name__}, which has no `predict` method.")
    return data, estimator, trained_with


def _read_joblib(name: str, data: bytes, fault: Exception, own: ModelCode) -> tuple[bytes, Any, str | None]:
    """Reads a file by `joblib.dump` and makes it a plain pickle, because workers read only those."""
    try:
        estimator, trained_with = unpickle(data, lambda content: joblib.load(io.BytesIO(content)))
    except MemoryError:
        raise
    except Exception as joblib_fault:
        is_clear = isinstance(joblib_fault, ImportError | AttributeError)
        raise Unreadable(
            f"{name} cannot be read here: {why_unreadable(joblib_fault if is_clear else fault, own)}"
        ) from fault
    return pickle.dumps(estimator, protocol=5), estimator, trained_with


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
