"""The drift of a batch: how far its columns and predictions are from the sample of its model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import TypedDict

from rowcast.jobs.drift.drift_figures import WARN_FROM


@dataclass(frozen=True)
class ColumnDrift:
    """One feature, or one output of the model."""

    #: Name of the feature; `prediction` or `prediction_OUTPUT` of an output.
    name: str
    #: Whether it is a column of the file, or what the model predicted.
    of: Literal["feature", "prediction"]
    #: The population stability index (docs/drift.md).
    psi: float
    #: Rows in each bin of the profile, the last one of missing values.
    counts: Sequence[int]
    #: Rows whose value the sample did not have; None if that is not known.
    unseen: int | None


@dataclass(frozen=True)
class BatchDrift:
    """The drift of one batch."""

    #: The version with whose sample it was compared, `NAME@VERSION`.
    model: str
    #: The job's id.
    job: str
    #: When it was compared, in milliseconds since 1970.
    at_ms: int
    #: Rows that were compared: those with a prediction.
    rows: int
    #: Rows of the sample.
    sample_rows: int
    #: Columns that were compared: features and outputs.
    compared: int
    #: Those with the largest PSI, the largest first.
    columns: Sequence[ColumnDrift]


class PublicColumnDrift(TypedDict):
    """How far one column of a batch is from the sample of the model."""

    #: Name of the feature; `prediction` or `prediction_OUTPUT` of what the model predicted.
    feature: str
    #: Whether it is a column of the file, or what the model predicted.
    of: Literal["feature", "prediction"]
    #: The population stability index: 0 if both are distributed alike.
    psi: float
    #: Share of missing values, 0 to 1.
    missing: float
    #: Share of values that the sample did not have, 0 to 1; null if that is not known.
    unseen: float | None


class PublicDrift(TypedDict):
    """How far a batch is from the sample of its model; of two models the first."""

    #: Rows that were compared: those with a prediction. Rows that were corrected later are not among them.
    rows: int
    #: Rows of the sample.
    sample_rows: int
    #: Number of columns that were compared: features and outputs.
    compared: int
    #: Those with the largest PSI, the largest first; at most 50.
    columns: list[PublicColumnDrift]


class DriftWarning(TypedDict):
    """A warning: a column of the file, or the predictions, are not distributed like the model's sample."""

    type: Literal["drift"]
    #: Name of the feature; `prediction` or `prediction_OUTPUT` of what the model predicted.
    feature: str
    #: The population stability index, 0.2 or more.
    psi: float
    #: The warning as a sentence.
    message: str


def read_drift(document: bytes) -> BatchDrift:
    """Returns what a script has written as JSON (`lua/shared/drift.lua`)."""
    found: Mapping[str, Any] = json.loads(document)
    columns = [
        ColumnDrift(one["name"], one["of"], one["psi"], one["counts"], one["unseen"] if one["unseen"] >= 0 else None)
        for one in found["columns"]
    ]
    facts = {name: found[name] for name in ("model", "job", "rows", "sample_rows", "compared")}
    return BatchDrift(at_ms=int(found["at_ms"]), columns=columns, **facts)


def public_drift(drift: BatchDrift | None) -> PublicDrift | None:
    """Returns what a job shows."""
    if drift is None:
        return None
    columns: list[PublicColumnDrift] = [
        {
            "feature": one.name,
            "of": one.of,
            "psi": round(one.psi, 6),
            "missing": round(one.counts[-1] / drift.rows, 6),
            "unseen": None if one.unseen is None else round(one.unseen / drift.rows, 6),
        }
        for one in drift.columns
    ]
    return {"rows": drift.rows, "sample_rows": drift.sample_rows, "compared": drift.compared, "columns": columns}


def drift_warnings(drift: BatchDrift | None) -> list[DriftWarning]:
    """Returns a warning for each column with a large PSI."""
    return [
        {
            "type": "drift",
            "feature": one.name,
            "psi": round(one.psi, 6),
            "message": f"{one.name!r} is not distributed like in the model's sample (PSI {one.psi:.3f})",
        }
        for one in (drift.columns if drift else ())
        if one.psi >= WARN_FROM
    ]
