"""The options of `rowcast models add`: how the sample is read, and what is known about the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rowcast.models.model_manifest import Kind
from training.rehearsal.checks.single_rows import SINGLE_ROWS, SingleRows
from training.sample.sample import Dialect

Versions = Literal["strict", "warn"]


@dataclass(frozen=True)
class AddOptions:
    """What the caller may say about a model. The defaults suit a sample that `pandas.read_csv` reads by itself."""

    target: str | None = None
    """The sample's column with the true values, to measure the model on; several, as `a,b`, name its outputs."""

    features: Sequence[str] | None = None
    """The model's columns in its order; by default its own (`feature_names_in_`), or all but the target."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The types of columns that the user's script names (`dtype`, `parse_dates`), for example `{"zip": "text"}`."""

    na_values: Sequence[str] = ()
    """Cells that mean missing, in addition to pandas' own, for example `("-", "?")`."""

    keep_default_na: bool = True
    """Whether the cells that mean missing for pandas do so here, too."""

    parse_dates: Sequence[str] = ()
    """Columns that are dates; the same as the kind `date`."""

    decimal: str = "."
    """The decimal mark of the sample, `.` or `,`."""

    dayfirst: bool = False
    """Whether `05/06/2026` is 5 June, as with `dayfirst=True` in `read_csv`."""

    code: Sequence[Path] = ()
    """The model's own modules (`NAME.py`) and packages (folders), which are stored with it."""

    classes: Sequence[str] = ()
    """The class labels, for a file that does not keep them (LightGBM's own format)."""

    description: str | None = None
    """What the model is for; it stands in the manifest."""

    versions: Versions = "strict"
    """With "warn", a pickle of another scikit-learn `MAJOR.MINOR` is registered too."""

    threshold: float | None = None
    """What `threshold=auto` is for this model; None takes that of scikit-learn's classifiers with a threshold."""

    alone: SingleRows = SINGLE_ROWS
    """How many rows of the sample the script, and then the service, predicts one by one."""

    @property
    def targets(self) -> list[str]:
        """The names in `target`."""
        return [column for column in (self.target or "").split(",") if column]

    @property
    def named_kinds(self) -> dict[str, Kind]:
        """Returns the kind of each named column, including `date` for those in `parse_dates`."""
        return {**self.kinds, **dict.fromkeys(self.parse_dates, "date")}

    @property
    def dialect(self) -> Dialect:
        """How pandas reads the sample. The delimiter is found later, in the header line."""
        return Dialect(",", self.decimal, tuple(self.na_values), self.keep_default_na, self.dayfirst)


NO_OPTIONS = AddOptions()
