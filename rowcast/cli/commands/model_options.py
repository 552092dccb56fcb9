"""The options of `rowcast models add`: the file, its name, how the sample is read, and how their texts are split."""

from pathlib import Path
from typing import Annotated, Any

import typer

_KINDS = "number, integer, text, boolean, date or category"
_CODE = (
    "Python file, for example mytransforms.py, or package folder that defines the model's classes. It is stored with "
    "this version and used for it only. Repeatable."
)

_FILE = (
    "Model file (pickle, joblib, cloudpickle, skops, or XGBoost's or LightGBM's own format), a folder that MLflow "
    "wrote, or a model on the server MLFLOW_TRACKING_URI: mlflow:models:/NAME@ALIAS or mlflow:models:/NAME/VERSION. "
    "Loading a pickle runs code: add only models you trust."
)
_CLASSES = "Class labels in order, as a,b: for a classifier in LightGBM's own format, which does not keep them."

ModelSource = Annotated[str, typer.Argument(metavar="FILE", help=_FILE)]
ModelName = Annotated[str, typer.Option("--name", help="Name of the model.")]
FeaturesFrom = Annotated[
    Path | None,
    typer.Option(
        "--features-from",
        help="Sample: a CSV file like those to score, with the model's columns.",
        show_default="the input example of an MLflow model",
    ),
]
TargetColumn = Annotated[
    str | None, typer.Option("--target", help="Column of the sample with the true values, to measure the model.")
]
FeatureColumns = Annotated[
    str | None,
    typer.Option("--features", help="The model's columns in order, as a,b.", show_default="the model's, or all"),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", metavar="NAME=KIND", help=f"Type of a column, for example zip=text. Types: {_KINDS}. Repeatable."
    ),
]
NaValues = Annotated[
    str | None, typer.Option("--na-values", help="More cells that mean a missing value, for example '-,?'.")
]
DefaultNa = Annotated[
    bool,
    typer.Option(
        "--default-na/--no-default-na",
        help="Whether NA, null and similar cells mean a missing value, as in pandas.",
    ),
]
ParseDates = Annotated[str | None, typer.Option("--parse-dates", help="Columns that are dates, as a,b.")]
DayFirst = Annotated[
    bool, typer.Option("--dayfirst", help="05/06/2026 is 5 June, as with dayfirst=True in pandas.read_csv.")
]
Decimal = Annotated[str, typer.Option("--decimal", help="Decimal mark of the sample: . or ,")]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        help="Of a model with two classes: what threshold=auto is for it.",
        show_default="the classifier's, if it has one",
    ),
]
Classes = Annotated[str | None, typer.Option("--classes", help=_CLASSES, show_default=False)]
CodeFiles = Annotated[list[Path] | None, typer.Option("--code", metavar="PATH", help=_CODE, show_default=False)]
Description = Annotated[
    str | None, typer.Option("--description", help="What the model is for; shown by `models show` and on its page.")
]


def listed(names: str | None) -> list[str]:
    """Splits `a,b`; None is an empty list."""
    return [name for name in (names or "").split(",") if name]


def kinds_by_column(given: list[str]) -> dict[str, Any]:
    """Splits `NAME=KIND` texts; `training.add_model` checks the kinds."""
    for one in given:
        if "=" not in one:
            raise typer.BadParameter(f"{one!r} is not NAME=KIND, for example zip=text", param_hint="--kind")
    return dict(one.rsplit("=", 1) for one in given)
