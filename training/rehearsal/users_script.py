"""The user's script: `model.predict(pandas.read_csv(file)[features])`. Predictions are compared with it."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.errors import Unprocessable
from rowcast.models.cells import LEADING_ZERO
from rowcast.models.loading.load import Container, components
from rowcast.models.model_manifest import Kind
from rowcast.scoring.predict import as_array, called
from rowcast.wording.exception_text import one_line_with_type
from rowcast.wording.quantity import counted
from training.sample.sample import Dialect, Sample

METHODS = ("predict", "predict_proba", "decision_function")

Answers = Mapping[str, NDArray[Any]]
"""The result of each method by its name: arrays with the rows as their first dimension."""


@dataclass(frozen=True)
class Script:
    """How the user's script reads the file and calls the model."""

    estimator: Any
    features: tuple[str, ...]
    dialect: Dialect
    container: Container = "frame"
    methods: tuple[str, ...] = ("predict",)

    def read(self, data: bytes) -> pd.DataFrame:
        """Returns the frame of the features, with the types that pandas finds in this file."""
        return self.dialect.read(data, self.features)

    def answers(self, frame: pd.DataFrame) -> Answers:
        """Calls each method of the estimator once. Raises whatever the estimator raises."""
        table = self.table(frame)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._shaped({method: getattr(self.estimator, method)(table) for method in self.methods}, len(frame))

    def shared_answers(self, frame: pd.DataFrame) -> Answers:
        """Returns the same as `answers`, but the steps of a pipeline run once for all methods.

        It is for comparisons with `answers` for other rows, or with itself. So a difference between both would show.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._shaped(called(self.estimator, self.table(frame), self.methods), len(frame))

    def works(self, frame: pd.DataFrame) -> bool:
        """Returns whether no method raises. `SVC` without probabilities does, and a row without a value may."""
        try:
            self.shared_answers(frame)
        except Exception:
            return False
        return True

    def table(self, frame: pd.DataFrame) -> Any:
        """Returns the argument of `predict`."""
        if self.container == "series":
            return frame[self.features[0]]
        return frame if self.container == "frame" else frame.to_numpy()

    def _shaped(self, answers: Mapping[str, Any], rows: int) -> Answers:
        """Returns the answers as arrays. One column becomes an array of one dimension."""
        shaped = {}
        for method, answer in answers.items():
            values = as_array(answer, self.estimator)
            if values.ndim == 2 and values.shape[1] == 1:
                values = values.ravel()
            if values.ndim not in (1, 2) or len(values) != rows:
                raise ValueError(f"`{method}` returns an array of the shape {values.shape} for {counted(rows, 'row')}")
            shaped[method] = values
        return shaped


def find_script(
    estimator: Any, sample: Sample, features: Sequence[str], say: Any
) -> tuple[Script, pd.DataFrame, Answers]:
    """Finds the script that works: with pandas' default types first, then as text, dates or categories.

    Returns:
        The script, the frame of the sample's rows that it can predict, and the script's answers for it.

    Raises:
        Unprocessable: no script works. It says what the first one raised.
    """
    texts = _kinds_of_digits(estimator, sample, features)
    bases = [sample.dialect.with_kinds(texts), *([sample.dialect] if texts else [])]
    first: Exception | None = None
    readings = ((base, *reading) for base in bases for reading in _readings(estimator, sample, base, features))
    for dialect, kinds, said in readings:
        for names, container in _containers(estimator, sample, features):
            script = Script(estimator, names, dialect.with_kinds(kinds), container)
            try:
                frame, answers = _predictable(script, sample)
            except Exception as error:
                first = first or error
                continue
            for name in texts if dialect is bases[0] else ():
                say(f"{name!r} is read as text (dtype='str'), because some of its cells have leading zeros.")
            if said:
                say(said)
            if len(names) < len(features):
                say(f"The model takes one column of text: {names[0]!r}.")
            answers |= _of_other_methods(script, frame) if answers["predict"].ndim == 1 else {}
            return replace(script, methods=tuple(answers)), frame, answers
    raise Unprocessable(_why_not(first, sample, features)) from first


def _predictable(script: Script, sample: Sample) -> tuple[pd.DataFrame, dict[str, NDArray[Any]]]:
    """Returns the frame of all rows, or of the complete ones if the model does not accept missing values."""
    frame = script.read(sample.csv(columns=script.features))
    try:
        return frame, dict(script.answers(frame))
    except Exception:
        rows = np.flatnonzero(frame.notna().all(axis=1).to_numpy())
        if len(rows) in (0, len(frame)):
            raise
    frame = script.read(sample.csv(rows.tolist(), script.features))
    return frame.set_axis(rows, axis=0), dict(script.answers(frame))


def _of_other_methods(script: Script, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Returns the answers of every other method that the estimator has and that works for these rows."""
    found: dict[str, NDArray[Any]] = {}
    for method in METHODS[1:]:
        with suppress(Exception):  # for example `SVC` without probabilities
            found |= replace(script, methods=(method,)).answers(frame)
    return found


def _containers(estimator: Any, sample: Sample, features: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Container]]:
    names = tuple(features)
    yield names, "frame"
    if hasattr(estimator, "feature_names_in_"):
        return
    if len(names) == 1:
        yield names, "series"
    else:
        texts = [name for name in names if sample.dialect.read(sample.csv(columns=[name]))[name].dtype == "str"]
        if len(texts) == 1:
            yield (texts[0],), "series"
    yield names, "array"


def _readings(
    estimator: Any, sample: Sample, base: Dialect, features: Sequence[str]
) -> Iterator[tuple[dict[str, Kind], str]]:
    """Yields the readings to try, each with a sentence: pandas' default, then dates, categories, digits as text."""
    yield {}, ""
    frame = base.read(sample.csv(columns=features))
    texts = [name for name in features if frame[name].dtype == "str" and name not in base.kinds]
    dates = [name for name in texts if _are_dates(frame[name], dayfirst=base.dayfirst)]
    others = [name for name in texts if name not in dates]
    learned = _learned_types(estimator)
    digits = [name for name in features if frame[name].dtype == "int64" and name not in base.kinds]
    whole = [name for name in digits if learned.get(name) == "text"] or digits
    if dates:
        yield dict.fromkeys(dates, "date"), f"Read as dates (parse_dates): {', '.join(dates)}."
    if texts:
        yield dict.fromkeys(texts, "category"), f"Read as categories (dtype='category'): {', '.join(texts)}."
    if dates and others:
        yield (
            {**dict.fromkeys(dates, "date"), **dict.fromkeys(others, "category")},
            f"Read as dates: {', '.join(dates)}; as categories: {', '.join(others)}.",
        )
    if whole:
        yield dict.fromkeys(whole, "text"), f"Read as text (dtype='str'): {', '.join(whole)}."


def _are_dates(column: "pd.Series[Any]", *, dayfirst: bool) -> bool:
    cells = column.dropna()
    if cells.empty or not cells.str.contains(r"[0-9]").all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(cells, errors="coerce", dayfirst=dayfirst).notna().all())


def _kinds_of_digits(estimator: Any, sample: Sample, features: Sequence[str]) -> dict[str, Kind]:
    """Returns the columns of digits that are text because of leading zeros, unless an encoder learned numbers.

    An encoder behind another step does not know the names of columns, so what it learned is compared with the cells.
    """
    columns = {name: sample.cells[name] for name in features if name not in sample.dialect.kinds}
    zeros = {name: set(cells[cells.str.fullmatch(LEADING_ZERO)]) for name, cells in columns.items()}
    if not any(zeros.values()):
        return {}
    learned = _learned_types(estimator)
    values = list(_values_without_names(estimator, features))
    numbers = {value for value in values if isinstance(value, int | float)}
    texts = {value for value in values if isinstance(value, str)}
    kinds: dict[str, Kind] = {}
    for name, digits in zeros.items():
        is_number = learned.get(name) == "number" or (
            name not in learned and not digits & texts and not numbers.isdisjoint(map(int, digits))
        )
        if digits and not is_number:
            kinds[name] = "text"
    return kinds


def _learned_types(estimator: Any) -> dict[str, str]:
    """Returns for each column that an encoder in the model knows by name whether it learned text or numbers."""
    found: dict[str, str] = {}
    for part in components(estimator):
        names, categories = vars(part).get("feature_names_in_"), vars(part).get("categories_")
        if names is None or categories is None or len(names) != len(categories):
            continue
        for name, values in zip(names, categories, strict=True):
            is_text = any(isinstance(value, str) for value in np.asarray(values).tolist())
            found[str(name)] = "text" if is_text else "number"
    return found


def _values_without_names(estimator: Any, features: Sequence[str]) -> Iterator[Any]:
    """Yields every category that an encoder learned which does not know its columns by the features' names."""
    for part in components(estimator):
        names, categories = vars(part).get("feature_names_in_"), vars(part).get("categories_")
        if names is not None and not set(map(str, names)).isdisjoint(features):
            continue
        for values in categories if isinstance(categories, list) else ():
            yield from np.asarray(values).tolist()


def _why_not(error: Exception | None, sample: Sample, features: Sequence[str]) -> str:
    shown = ", ".join(features[:5]) + (", ..." if len(features) > 5 else "")
    what = one_line_with_type(error, characters=500)
    return (
        f"model.predict(pandas.read_csv({sample.name!r})[[{shown}]]) fails: the estimator does not accept these "
        f"columns: {what}. If your script reads the file with other options, pass them here too: "
        "--kind NAME=text|category|date|boolean, --na-values, --decimal, --features."
    )
