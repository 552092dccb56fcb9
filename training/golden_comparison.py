"""The comparison of two versions on their golden samples: each predicts the rows of both, where the features fit."""

from typing import Literal, TypedDict

from rowcast.errors import RowcastError
from rowcast.models.loading.load import LoadedModel, load
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import GoldenSample, predicted_rows


class GoldenComparison(TypedDict):
    """Two versions on the golden rows of one of them. `reason` says why they could not be compared, or is None."""

    rows_of: str
    rows: int
    differing: int | None
    reason: str | None


def compare_on_golden(
    registry: Registry, first: Manifest, second: Manifest, versions: Literal["strict", "warn"]
) -> list[GoldenComparison]:
    """Opens both versions, which runs their code, and compares what they predict for the golden rows of each.

    A row that only one of them can predict differs. The list has an entry for each version that has a golden sample.
    """
    documents = [(one, registry.golden_bytes(one)) for one in (first, second)]
    try:
        models = [load(registry, one, versions) for one in (first, second)]
    except RowcastError as error:
        return [_not_compared(one, error.detail) for one, document in documents if document is not None]
    return [
        _compared(one, GoldenSample.model_validate_json(document), models)
        for one, document in documents
        if document is not None
    ]


def _compared(manifest: Manifest, sample: GoldenSample, models: list[LoadedModel]) -> GoldenComparison:
    for model in models:
        missing = [name for name in model.manifest.required_names if name not in sample.columns]
        if missing:
            return _not_compared(manifest, f"{model.manifest.reference} needs {', '.join(missing)}")
    predicted = [predicted_rows(model, sample) for model in models]
    differing = sum(one != other for one, other in zip(*predicted, strict=True))
    return {"rows_of": manifest.reference, "rows": len(predicted[0]), "differing": differing, "reason": None}


def _not_compared(manifest: Manifest, reason: str) -> GoldenComparison:
    rows = manifest.golden.rows if manifest.golden else 0
    return {"rows_of": manifest.reference, "rows": rows, "differing": None, "reason": reason}
