"""The options of a CSV file on the command line: what a command that sends one takes beside its own options."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any

import typer


class OutputKind(StrEnum):
    """What a result's rows hold."""

    joined = "joined"
    predictions = "predictions"


class OnError(StrEnum):
    """What a bad row does."""

    skip = "skip"
    fail = "fail"


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, **more)


def _declared(
    *,
    model: Annotated[str | None, _option("--model", "-m", help="NAME, NAME@VERSION or NAME@ALIAS.")] = None,
    output: Annotated[
        OutputKind | None,
        _option("--output", help="joined: the input's columns and the new ones. predictions: only the new ones."),
    ] = None,
    key: Annotated[str | None, _option("--key", help="Columns that --output predictions carries along: a,b.")] = None,
    probabilities: Annotated[bool, _option("--probabilities", help="Add probability_CLASS for each class.")] = False,
    scores: Annotated[bool, _option("--scores", help="Add what decision_function gives.")] = False,
    on_error: Annotated[
        OnError | None, _option("--on-error", help="Skip bad rows, or fail the job at the first.")
    ] = None,
    max_errors: Annotated[int | None, _option("--max-errors", min=0, help="Fail the job if more rows are bad.")] = None,
    delimiter: Annotated[str | None, _option("--delimiter", help="One of auto , ; | or tab.")] = None,
    decimal: Annotated[str | None, _option("--decimal", help="The decimal mark: . or ,")] = None,
    encoding: Annotated[str | None, _option("--encoding", help="auto, utf-8, utf-16, windows-1252 or latin-1.")] = None,
    na_values: Annotated[
        str | None, _option("--na-values", help="Cells that mean a missing value: NA,n/a.", show_default="the model's")
    ] = None,
    no_header: Annotated[bool, _option("--no-header", help="The columns are the model's features, in order.")] = False,
    prediction_column: Annotated[
        str | None, _option("--prediction-column", help="Name of the prediction column.", show_default="prediction")
    ] = None,
    guard_formulas: Annotated[bool, _option("--guard-formulas", help="Put ' before predicted text like =1+1.")] = False,
) -> None:
    """Only its signature is used."""


_PARAMETERS = inspect.signature(_declared).parameters


def takes_csv_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options in place of its parameter `options`, which gets them as the service names them.

    Options that were not given are left out: the service knows its defaults.
    """
    own = inspect.signature(command).parameters.values()
    parameters: list[inspect.Parameter] = []
    for parameter in own:
        parameters += _PARAMETERS.values() if parameter.name == "options" else [parameter]

    @wraps(command)
    def with_options(**given: Any) -> None:
        said = {name: given.pop(name) for name in _PARAMETERS}
        command(**given, options=_query(said))

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def _query(said: dict[str, Any]) -> dict[str, Any]:
    query = {
        name: value.value if isinstance(value, StrEnum) else value
        for name, value in said.items()
        if value is not None and value is not False
    }
    if query.pop("no_header", False):
        query["header"] = False
    return query
