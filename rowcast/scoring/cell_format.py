"""The format of a job's cells, which is the same for all features."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rowcast.models import cells
from rowcast.models.model_manifest import Manifest


@dataclass(frozen=True)
class Reading:
    """Delimiter, decimal mark, and the cells that mean missing, for example `("", "NA", "-")`."""

    delimiter: str = ","
    decimal: str = "."
    na_texts: frozenset[str] = frozenset({""})
    na_numbers: frozenset[float] = field(default=frozenset())
    """The same as numbers: if `-999` is named, `-999.00` in a column of numbers is missing, too, as in pandas."""

    @classmethod
    def of(
        cls, manifest: Manifest, delimiter: str, decimal: str = ".", na_values: Sequence[str] | None = None
    ) -> "Reading":
        """Returns the reading of a job: `na_values` are those of the job; None means those of the model."""
        texts = manifest.na_texts(na_values)
        return cls(delimiter, decimal, frozenset(cells.na_spellings(texts)), frozenset(cells.na_numbers(texts)))
