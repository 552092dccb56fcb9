r"""The golden sample: rows with their predictions at registration, with which a worker checks its own.

It is the file `golden.json` next to a version's manifest, for example

    {"columns": ["age"], "delimiter": ",", "decimal": ".", "rows": "25\n40\n", "result": "0,0.75\n1,0.5\n"}
"""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from rowcast.errors import ModelRefused
from rowcast.jobs.options import Options
from rowcast.logs import logger
from rowcast.scoring.score_chunk import ChunkSpec, score
from rowcast.scoring.table import Table, read

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


class GoldenSample(BaseModel):
    """Rows as CSV, and the columns that a job adds to them."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...]
    delimiter: Literal[",", ";", "|", "\t"]
    decimal: Literal[".", ","]
    rows: str
    """The rows as CSV, without a header line."""
    result: str
    """For each row its prediction, probabilities and scores, as far as the model has them."""


def make_golden(
    model: "LoadedModel", columns: tuple[str, ...], rows: bytes, delimiter: str, decimal: str
) -> GoldenSample:
    """Predicts the rows. Returns both as a sample."""
    sample = GoldenSample(
        columns=columns,
        delimiter=delimiter,  # type: ignore[arg-type]
        decimal=decimal,  # type: ignore[arg-type]
        rows=rows.decode(),
        result="",
    )
    return sample.model_copy(update={"result": _result(model, sample)})


def check_golden(model: "LoadedModel", document: bytes, versions: Literal["strict", "warn"]) -> str:
    """Predicts the golden rows again. Returns what the model predicts here, in the form of `GoldenSample.result`.

    Raises:
        ModelRefused: a prediction differs in any bit. With `warn` that is only logged.
    """
    sample = GoldenSample.model_validate_json(document)
    result = _result(model, sample)
    for number, (before, now) in enumerate(zip(sample.result.split("\n"), result.split("\n"), strict=True), 1):
        if before != now:
            known_as = f"{model.manifest.name}@{model.manifest.version}"
            detail = (
                f"The model {known_as} makes other predictions here than when it was registered: for row {number} of "
                f"its golden sample it now gives {now}; it gave {before}. The reason may be another processor (its "
                "BLAS kernel) or another version of a library. Register the model again on a machine like this one, "
                "or set ROWCAST_MODEL_VERSIONS=warn to use it anyway."
            )
            if versions == "strict":
                raise ModelRefused(detail)
            logger("models").warning("golden_sample_differs", model=known_as, detail=detail)
            break
    return result


def same_on_golden(model: "LoadedModel", other: "LoadedModel", document: bytes) -> bool:
    """Returns whether both models predict the same for the golden rows, in every bit."""
    sample = GoldenSample.model_validate_json(document)
    return _result(model, sample) == _result(other, sample)


def golden_result(model: "LoadedModel", document: bytes) -> str:
    """Returns what the model predicts for the golden rows, in the form of `GoldenSample.result`."""
    return _result(model, GoldenSample.model_validate_json(document))


def predicted_rows(model: "LoadedModel", sample: GoldenSample) -> list[str]:
    """Returns the cells that a job would add to each row: only the predictions. Those of a bad row are empty."""
    options = Options(output="predictions", delimiter=sample.delimiter, decimal=sample.decimal)
    return score(sample.rows.encode(), 1, model, ChunkSpec(sample.columns, b"\n", options)).data.decode().splitlines()


def golden_table(model: "LoadedModel", document: bytes) -> Table:
    """Returns the golden rows as the model's `predict` takes them."""
    sample = GoldenSample.model_validate_json(document)
    return read(sample.rows.encode(), sample.columns, model, _options(model, sample)).table


def _result(model: "LoadedModel", sample: GoldenSample) -> str:
    spec = ChunkSpec(sample.columns, b"\n", _options(model, sample))
    return score(sample.rows.encode(), 1, model, spec).data.decode()


def _options(model: "LoadedModel", sample: GoldenSample) -> Options:
    return Options(
        output="predictions",
        delimiter=sample.delimiter,
        decimal=sample.decimal,
        probabilities=model.manifest.probabilities,
        scores=model.manifest.scores is not None,
    )
