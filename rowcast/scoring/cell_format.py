"""Reading: how the cells of one job are written, apart from what each feature takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan

from rowcast.models.model_manifest import Manifest


@dataclass(frozen=True)
class Reading:
    """Delimiter, decimal mark, and the cells that mean missing, for example `("", "NA", "-")`."""

    delimiter: str = ","
    decimal: str = "."
    na_texts: frozenset[str] = frozenset({""})
    na_numbers: frozenset[float] = field(default=frozenset())
    """The same as numbers: with `-999` named, `-999.00` is missing in a column of numbers, too, as in pandas."""

    @classmethod
    def of(
        cls, manifest: Manifest, delimiter: str, decimal: str = ".", na_values: Sequence[str] | None = None
    ) -> "Reading":
        """The reading of a job: `na_values` are the job's own, None for those of the model."""
        texts = manifest.na_texts(na_values)
        return cls(delimiter, decimal, frozenset(_spellings(texts)), frozenset(_numbers(texts)))


def _numbers(texts: Iterable[str]) -> Iterable[float]:
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            continue
        if not isnan(value):
            yield value


def _spellings(texts: Iterable[str]) -> Iterable[str]:
    """The texts, and of numbers the spellings that pandas adds (`_stringify_na_values`): `-999` and `-999.0`."""
    for text in texts:
        yield text
        for value in _numbers([text]):
            yield str(value)
            if value.is_integer():
                yield f"{int(value)}.0"
                yield str(int(value))
