"""Missing values: whether script and service agree on rows in which one feature is missing, for each in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from sklearn.utils import get_tags

from rowcast.csv.write import csv_cell
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature, Kind
from training.findings import Say
from training.rehearsal.as_the_service import score_csv
from training.rehearsal.compare import is_rounding, taken
from training.rehearsal.trial import Rehearsal
from training.rehearsal.users_script import Answers, Script
from training.sample.sample import Sample

_TRIED = 3
FILE_ROWS = 512
"""Rows with a gap in one file. For five thousand features, a single file would have 25 million cells."""


@dataclass(frozen=True)
class GapFile:
    """A file with a complete first row. Row i + 1 is the same row without the feature `features[i]`."""

    base: int
    """The row of the sample that all rows are copies of, from 0."""
    features: tuple[str, ...]
    data: bytes
    answers: Answers


def gap_files(
    script: Script, sample: Sample, frame: pd.DataFrame, names: Sequence[str], show: Callable[[int, int], None]
) -> list[GapFile]:
    """Returns files for those of the features `names` that the script can predict without.

    `frame` has the rows of the sample that the script can predict, by their numbers. `show` gets the number of features
    that are done.
    """
    complete = frame.index[frame.notna().all(axis=1)]
    base = int(complete[0]) if len(complete) else int(frame.index[0])
    found: list[GapFile] = []
    if _refuses_every_gap(script, sample, base, names):
        return found
    for start in range(0, len(names), FILE_ROWS):
        show(start, len(names))
        found += _files(script, sample, base, names[start : start + FILE_ROWS])
    show(len(names), len(names))
    return found


def gap_file(script: Script, sample: Sample, base: int, names: Sequence[str]) -> GapFile:
    """Makes one file. Raises whatever the script raises."""
    data = _with_gaps(script, sample, base, names)
    return GapFile(base, tuple(names), data, script.answers(script.read(data)))


def _files(script: Script, sample: Sample, base: int, names: Sequence[str]) -> list[GapFile]:
    """Returns the file of these features. If the script raises, leaves out those that make it raise."""
    try:
        return [gap_file(script, sample, base, names)]
    except Exception:
        frame = script.read(_with_gaps(script, sample, base, names)).copy()  # in one block: its rows are cheap then
    kept = [name for row, name in enumerate(names, 1) if script.works(frame.iloc[[row]])]
    if not kept:
        return []
    try:
        return [gap_file(script, sample, base, kept)]
    except Exception:
        if len(kept) == 1:
            return []
        half = len(kept) // 2
        return _files(script, sample, base, kept[:half]) + _files(script, sample, base, kept[half:])


def _refuses_every_gap(script: Script, sample: Sample, base: int, names: Sequence[str]) -> bool:
    """Returns whether scikit-learn's tags say that the model does not accept NaN, and the first features confirm it.

    Trying each of a thousand features by itself would take a minute.
    """
    try:
        allows = get_tags(script.estimator).input_tags.allow_nan
    except Exception:  # a plain class, which has no tags
        return False
    frame = script.read(_with_gaps(script, sample, base, names[:_TRIED]))
    numbers = all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)
    return numbers and not allows and not any(script.works(frame.iloc[[row]]) for row in range(1, len(frame)))


def _with_gaps(script: Script, sample: Sample, base: int, names: Sequence[str]) -> bytes:
    """Returns the base row, and copies that each lack one of the features. pandas' writer would take a minute."""
    delimiter, texts = script.dialect.delimiter, script.dialect.na_texts()
    gap = texts[0] if texts and len(script.features) > 1 else '""'  # a blank line would not be a row
    row = [csv_cell(cell, delimiter) for cell in sample.cells[list(script.features)].iloc[base]]
    lines = [[csv_cell(name, delimiter) for name in script.features], row]
    places = {name: place for place, name in enumerate(script.features)}
    for name in names:
        lines.append([*row[: places[name]], gap.encode(), *row[places[name] + 1 :]])
    return b"".join(delimiter.encode().join(line) + b"\n" for line in lines)


def allow_gaps(rehearsal: Rehearsal, frame: pd.DataFrame, say: Say, show: Callable[[int, int], None]) -> None:
    """Marks the features that may be missing: those for which script and service predict the same without them."""
    features = rehearsal.draft.features
    if not rehearsal.script.dialect.na_texts():  # no cell means missing: an empty one is text, or bad
        frame = rehearsal.frame()
        texts = {one.name for one in features if one.kind == "text" and (frame[one.name] == "").any()}
        known = [one.model_copy(update={"missing": one.name in texts}) for one in features]
        rehearsal.take(known, rehearsal.draft.container or "frame")
        return
    script = _with_types_of(rehearsal.script, features)  # in a file of few rows pandas might find other types
    container = rehearsal.draft.container or "frame"
    model = rehearsal.model(features, container)
    names = [feature.name for feature in features if feature.missing]
    agreed: set[str] = set()
    predicted: set[str] = set()
    for file in gap_files(script, rehearsal.sample, frame, names, show):
        predicted |= set(file.features)
        agreed |= set(_agreeing(rehearsal, script, model, file))
    for name in sorted(predicted - agreed):
        say(f"A row without {name!r} will be a bad row, because the service cannot predict it as your script does.")
    rehearsal.take([one.model_copy(update={"missing": one.name in agreed}) for one in features], container)


def _with_types_of(script: Script, features: Sequence[Feature]) -> Script:
    """Returns the script with the types that the columns have in the sample, or in a similar file with a gap."""
    kinds: dict[str, Kind] = {
        feature.name: feature.kind for feature in features if feature.kind in ("number", "text", "boolean")
    }
    dialect = script.dialect.with_kinds({**kinds, **script.dialect.kinds})
    categories = {one.name: one.categories for one in features if one.kind == "category" and one.categories}
    return replace(script, dialect=replace(dialect, categories=categories))


def _agreeing(rehearsal: Rehearsal, script: Script, model: LoadedModel, file: GapFile) -> list[str]:
    """Returns the file's features for which the service predicts what the script predicts."""
    try:
        scored = score_csv(model, file.data, script.dialect, script.methods)
        same = [
            is_rounding(taken(file.answers, [row]), taken(scored.answers, [row]))
            for row in range(len(file.features) + 1)
        ]
    except Exception:  # as if every row differed
        same = [False]
    if same[0]:
        return [name for name, agrees in zip(file.features, same[1:], strict=True) if agrees]
    if len(file.features) == 1:
        return []
    half = len(file.features) // 2
    halves = (file.features[:half], file.features[half:])
    return [
        name
        for names in halves
        for part in _files(script, rehearsal.sample, file.base, names)
        for name in _agreeing(rehearsal, script, model, part)
    ]
