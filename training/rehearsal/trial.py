"""Trials: files on which the user's script and the service are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.models.drift.profile import Profile
from rowcast.models.loading.load import Container, LoadedModel
from rowcast.models.model_manifest import Draft, FastPath, Feature
from rowcast.scoring.golden_sample import GoldenSample
from rowcast.wording.exception_text import one_line_with_type
from training.rehearsal.as_the_service import Scored, manifest_of, score_csv
from training.rehearsal.compare import Difference, difference, shown, taken
from training.rehearsal.users_script import Answers, Script
from training.sample.sample import Sample


@dataclass(frozen=True)
class Trial:
    """A file to compare on: its bytes, and the script's predictions for it."""

    data: bytes
    rows: Sequence[int]
    """The rows' numbers in the sample, from 0."""
    answers: Answers

    def cut(self, which: NDArray[np.int64], delimiter: str) -> "Trial":
        """Returns a file of some rows, by their places in this one, with the predictions for the whole file."""
        lines = scan.lines(self.data, scan.quoted(self.data, delimiter), delimiter, final=True)
        data = b"".join(self.data[lines.starts[line] : lines.stops[line]] for line in (0, *(which + 1)))
        return Trial(data, [self.rows[place] for place in which], taken(self.answers, which))


@dataclass
class Rehearsal:
    """One estimator and its sample on the way to a draft of the manifest."""

    script: Script
    sample: Sample
    draft: Draft
    trials: list[Trial]
    golden: GoldenSample | None = None
    profile: Profile | None = None

    def frame(self) -> pd.DataFrame:
        """Returns the first trial as the script reads it. It is a copy, because a model may change what it gets."""
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return self.script.read(self.trials[0].data)

    def model(self, features: Sequence[Feature], container: Container) -> LoadedModel:
        """Returns the estimator with this representation."""
        draft = self.draft.model_copy(update={"features": list(features), "container": container})
        return LoadedModel(manifest_of(draft), self.script.estimator, container)

    def take(self, features: Sequence[Feature], container: Container) -> None:
        """Puts this representation into the draft."""
        self.draft = self.draft.model_copy(update={"features": list(features), "container": container})

    def take_fast_path(self, found: FastPath | None) -> None:
        """Puts into the draft whether workers may use the fast path."""
        self.draft = self.draft.model_copy(update={"fast_path": found})

    def take_time(self, row_seconds: float | None) -> None:
        """Puts the time of a row into the draft."""
        self.draft = self.draft.model_copy(update={"row_seconds": row_seconds})

    def note(self, sentence: str) -> None:
        """Adds to the manifest's notes."""
        self.draft = self.draft.model_copy(update={"notes": [*self.draft.notes, sentence]})

    def compare(self, model: LoadedModel, rounding_from: int | None = None) -> Difference | None:
        """Returns the first row of all trials for which the service predicts something else or says that it is bad.

        From the trial `rounding_from` on, counted from 0, floats may differ in their last bits.
        """
        for number, trial in enumerate(self.trials):
            found = compared(model, trial, self.script)
            if found is not None and not (found.is_rounding and rounding_from is not None and number >= rounding_from):
                return found
        return None


def compared(model: LoadedModel, trial: Trial, script: Script) -> Difference | None:
    """Returns the first row of one trial that differs."""
    return compared_answers(
        lambda: score_csv(model, trial.data, script.dialect, script.methods), trial.answers, trial.rows
    )


def compared_answers(score: Callable[[], Scored], wanted: Answers, rows: Sequence[int]) -> Difference | None:
    """Returns the first row with another answer than `wanted`, or with none. `rows` are numbers in the sample."""
    try:
        scored = score()
    except Exception as error:
        return Difference(rows[0], "predict", shown(wanted["predict"][0]), one_line_with_type(error, 200))
    if scored.faults:
        fault = scored.faults[0]
        what = f"{fault.column}: {fault.message}" if fault.column else fault.message
        return Difference(rows[fault.row], "predict", shown(wanted["predict"][fault.row]), f"a bad row ({what})")
    return difference(wanted, scored.answers, rows)
