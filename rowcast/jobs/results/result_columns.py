"""The columns that a result adds: what each of them has, and what it is called."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rowcast.errors import OptionValue
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.wording.nearest import or_nearest

ERROR_COLUMN = "prediction_error"
"""The column that `on_error=column` adds."""

Content = Literal[
    "prediction", "probability", "score", "top", "top_probability", "base", "reason", "contribution", "error"
]

RANKED = ("top", "top_probability")
"""The contents that `top` adds."""

EXPLAINED = ("base", "reason", "contribution")
"""The contents that `explain` adds."""


class AddedColumn(NamedTuple):
    """One column that a result adds."""

    #: Its name in the result.
    name: str
    #: What its cells are. `top` are classes, and `top_probability` their probabilities; `reason` are features, and
    #: `contribution` how much they moved the prediction from the `base`.
    content: Content
    #: Place of its model among those of the job, from 0.
    model: int = 0
    #: Place of its output, class, score or rank in the model, from 0.
    place: int = 0


def added_columns(options: Options, models: ModelSet) -> list[AddedColumn]:
    """Returns the columns in their order: those of each model, then that of the error; or those in `options.columns`.

    Raises:
        OptionValue: `options.columns` names a column that cannot be added, or two columns get the same name.
    """
    added = _asked_for(options, models)
    if not options.columns:
        return added
    # Naming a probability or a score in `columns` asks for it.
    implied = _asked_for(options.model_copy(update={"probabilities": True, "scores": True}), models, only_possible=True)
    known = {column.name: column for column in [*implied, *added]}
    unknown = [name for name in options.columns if name not in known]
    if unknown:
        raise OptionValue.at("columns", _why_unknown(unknown[0], known, options, models))
    repeated = [name for name, count in Counter(options.columns.values()).items() if count > 1]
    if repeated:
        raise OptionValue.at("columns", f"gives two columns the name {repeated[0]!r}")
    return [known[name]._replace(name=new) for name, new in options.columns.items()]


def added_names(options: Options, models: ModelSet) -> list[str]:
    """Returns the names of the columns. Raises as `added_columns`."""
    return [column.name for column in added_columns(options, models)]


def _asked_for(options: Options, models: ModelSet, *, only_possible: bool = False) -> list[AddedColumn]:
    """Returns the columns that the options ask for, without `columns`.

    `only_possible` leaves out what a model does not have; otherwise the options have been checked against the models.
    """
    found: list[AddedColumn] = []
    for number, (manifest, label) in enumerate(zip(models.manifests, models.labels, strict=True)):
        chosen = options
        if only_possible:
            chosen = options.model_copy(
                update={
                    "probabilities": options.probabilities and manifest.probabilities,
                    "top": min(options.top or 0, len(manifest.classes or [])) if manifest.probabilities else None,
                }
            )
        found += (column._replace(model=number) for column in _of_model(chosen, manifest, label))
    return [*found, *([AddedColumn(ERROR_COLUMN, "error")] if options.has_error_column else [])]


def _of_model(options: Options, manifest: Manifest, label: str) -> Iterable[AddedColumn]:
    """Yields the columns of one model: predictions, probabilities, scores, the most likely classes, explanations.

    `label` names the model if there are two. It comes in front of outputs, classes and ranks: `prediction_LABEL`,
    `prediction_LABEL_OUTPUT`, `probability_LABEL_CLASS`, `score_LABEL`, `score_LABEL_CLASS`, `top_LABEL_1`.
    """
    of = f"_{label}" if label else ""
    if manifest.outputs is None:
        yield AddedColumn(f"{options.prediction_column}{of}", "prediction")
    for place, name in enumerate(manifest.outputs or []):
        yield AddedColumn(f"{options.prediction_column}{of}_{name}", "prediction", place=place)
    for place, one in enumerate(manifest.classes or [] if options.probabilities else []):
        yield AddedColumn(f"probability{of}_{one}", "probability", place=place)
    for place, name in enumerate(manifest.scores or [] if options.scores else []):
        yield AddedColumn(f"score{of}{name.removeprefix('score')}", "score", place=place)
    for place in range(options.top or 0):
        yield AddedColumn(f"top{of}_{place + 1}", "top", place=place)
        yield AddedColumn(f"top{of}_{place + 1}_probability", "top_probability", place=place)
    if options.explain:
        yield AddedColumn("explanation_base", "base")
    for place in range(options.explain or 0):
        yield AddedColumn(f"explanation_{place + 1}_feature", "reason", place=place)
        yield AddedColumn(f"explanation_{place + 1}_value", "contribution", place=place)


def _why_unknown(name: str, known: Iterable[str], options: Options, models: ModelSet) -> str:
    """Returns what is wrong with a name in `columns`: another option adds it, or none does."""
    if name == ERROR_COLUMN:
        return f"{name!r} is only there with on_error=column"
    most = max(len(manifest.classes or []) for manifest in models.manifests)
    ranked = _asked_for(options.model_copy(update={"top": most}), models, only_possible=True)
    for column in ranked:
        if column.name == name:
            return f"{name!r} is only there with top={column.place + 1} or more"
    if name.startswith("explanation_"):
        return f"{name!r} is only there with explain and a number that is large enough"
    return f"the result does not add {name!r}; {or_nearest(name, known)}"
