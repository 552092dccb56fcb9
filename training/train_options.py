"""The options of `rowcast train` that choose how a model is fitted and measured."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rowcast.errors import Unprocessable

MIN_FOLDS, MAX_FOLDS = 2, 20
"""With more folds, the model would be fitted more often without a better estimate."""


@dataclass(frozen=True)
class TrainOptions:
    """What the caller may ask for. By default, one pipeline is measured on a random fifth of the rows."""

    class_weight: str | None = None
    """`balanced` gives each class the same weight in all; None gives each row the same."""

    time: str | None = None
    """The column with the time of each row: the newest fifth is held out, and folds never look ahead."""

    cross_validate: int | None = None
    """Number of folds of a cross-validation; None leaves it out."""

    search: bool = False
    """Whether parameters are searched: of the caller's estimator, or of all families if none is named."""

    report: Path | None = None
    """The HTML file for a report."""

    @property
    def weights(self) -> Literal["balanced"] | None:
        """Returns the class weights as scikit-learn takes them.

        Raises:
            Unprocessable: there are no such class weights.
        """
        if self.class_weight not in (None, "balanced"):
            raise Unprocessable.at("class_weight", f"{self.class_weight!r} is not available; use balanced")
        return "balanced" if self.class_weight else None

    def require_valid(self) -> None:
        """Checks what can be checked without the data.

        Raises:
            Unprocessable: an option has a value that it cannot have.
        """
        _ = self.weights
        if self.cross_validate is not None and not MIN_FOLDS <= self.cross_validate <= MAX_FOLDS:
            raise Unprocessable.at("cross_validate", f"must be a number of folds from {MIN_FOLDS} to {MAX_FOLDS}")
        if self.report is None:
            return
        folder = self.report.absolute().parent
        if not folder.is_dir():
            raise Unprocessable.at("report", f"there is no folder {folder}")
        if self.report.is_dir() or not os.access(self.report if self.report.exists() else folder, os.W_OK):
            raise Unprocessable.at("report", f"{self.report} cannot be written")


NO_OPTIONS = TrainOptions()
