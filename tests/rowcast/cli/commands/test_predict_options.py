"""The options of `POST /predict` and the estimators' names: each is declared once, and everything else agrees."""

import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from fake_service import FakeService
from flask import Flask
from typer.main import get_command

from api.input.body_types import Form, ManyRows, OneRow, option_parameters
from api.input.option_parsing import read_options
from rowcast.cli.main import app as cli
from rowcast.cli.option_names import parameter_name
from rowcast.client import Client
from rowcast.client.csv_options import CsvOptions, FrameOptions, query_of
from rowcast.jobs.option_table import OPTIONS, table
from rowcast.jobs.options import Options, RowExtras
from rowcast.models.estimator_names import DEFAULT_FAMILY, FAMILIES, SUFFIXES
from training.fitting.pipelines import RECIPES
from training.train import train

DOCS = Path(__file__).parents[4] / "docs"
FIELDS = Options.model_fields

OTHER_VALUES: dict[str, tuple[str, Any]] = {
    "model": ("--model m@2", "m@2"),
    "output": ("--output predictions", "predictions"),
    "key": ("--key a,b", ["a", "b"]),
    "probabilities": ("--probabilities", True),
    "scores": ("--scores", True),
    "threshold": ("--threshold 0.3", 0.3),
    "top": ("--top 3", 3),
    "explain": ("--explain 3", 3),
    "prediction_column": ("--prediction-column p", "p"),
    "columns": ("--columns probability_1:p,prediction", {"probability_1": "p", "prediction": "prediction"}),
    "on_error": ("--on-error fail", "fail"),
    "max_errors": ("--max-errors 3", 3),
    "fail_if_drift": ("--fail-if-drift 0.25", 0.25),
    "delimiter": ("--delimiter tab", "\t"),
    "decimal": ("--decimal ,", ","),
    "encoding": ("--encoding latin1", "latin1"),
    "na_values": ("--na-values NA,n/a", ["NA", "n/a"]),
    "header": ("--no-header", False),
    "guard_formulas": ("--guard-formulas", True),
    "priority": ("--priority low", "low"),
    "expires_in": ("--expires-in 90m", 5400),
    "reuse": ("--reuse", True),
    "tags": ("--tags run:nightly,team:risk", {"run": "nightly", "team": "risk"}),
    "webhook": ("--webhook https://example.org/hook", "https://example.org/hook"),
}
"""A value of each option that is not its default: its words on the command line, and the client's argument."""


def parsed(query: dict[str, str]) -> Options:
    """Returns what the gateway's parser reads from a query."""
    with Flask(__name__).test_request_context("/predict", query_string=query):
        return read_options()


def parameters_of(command: str) -> dict[str, Any]:
    """Returns the parameters of a command by name."""
    return {parameter.name: parameter for parameter in get_command(cli).commands[command].params}


@pytest.mark.parametrize("name", FIELDS)
def test_command_line_client_and_gateway_agree_on_an_option(rowcast, service: FakeService, name: str) -> None:
    words, value = OTHER_VALUES[name]
    wanted = Options(**{name: value})
    assert getattr(wanted, name) != FIELDS[name].default
    assert parsed(query_of(CsvOptions(**{name: value}))) == wanted
    assert rowcast("submit", __file__, *words.split()).returncode == 0
    assert list(service.seen[-1].query) == [name]
    assert parsed(service.seen[-1].query) == wanted


def test_the_table_has_the_names_and_the_values_that_the_gateway_checks() -> None:
    assert list(OPTIONS) == list(FIELDS)
    for name, option in OPTIONS.items():
        assert (option.default, option.whole_description) == (FIELDS[name].default, FIELDS[name].description)
        taken = {bool: bool, int: int | None, float: float | None}.get(option.takes)
        if isinstance(option.takes, tuple):
            taken = Literal[option.takes]
        assert taken in (None, FIELDS[name].annotation), name
        read = [getattr(Options(**{name: text}), name) for text in option.offers]
        assert not read or set(read) == set(get_args(FIELDS[name].annotation)), name


def test_options_that_are_not_given_are_left_to_the_service(rowcast, service: FakeService) -> None:
    assert rowcast("submit", __file__).returncode == 0
    assert service.seen[-1].query == {}
    assert parsed({}) == Options()


@pytest.mark.parametrize("command", ["predict", "submit"])
def test_the_command_line_has_the_options_their_defaults_and_their_help(command: str) -> None:
    parameters = parameters_of(command)
    own = {"source", "sources", "out", "format", "force", "skip_existing", "url", "api_key", "data", "json"}
    assert parameters.keys() - own == {parameter_name(name) for name in FIELDS}
    for name, field in FIELDS.items():
        parameter = parameters[parameter_name(name)]
        assert parameter.help == field.description.replace("`", "")
        assert parameter.show_default in (OPTIONS[name].default_text, False)


def test_the_schema_has_the_options_in_the_query_and_in_every_body() -> None:
    query = {parameter.name: parameter for parameter in option_parameters()}
    assert list(query) == list(FIELDS)
    assert all(query[name].about == field.description for name, field in FIELDS.items())
    for body in (OneRow, ManyRows, Form):
        properties = body.model_json_schema(mode="validation")["properties"]
        assert FIELDS.keys() <= properties.keys()
        for name, field in FIELDS.items():
            assert properties[name]["description"] == field.description
            assert properties[name]["default"] == (list(field.default) if field.default == () else field.default)


def test_the_client_has_the_options_and_their_values() -> None:
    hints = get_type_hints(CsvOptions)
    assert list(hints) == list(FIELDS)
    for name, field in FIELDS.items():
        literals = {value for part in get_args(hints[name]) if get_origin(part) is Literal for value in get_args(part)}
        assert not literals or literals == set(get_args(field.annotation)), name
        assert (hints[name] is bool) == (field.annotation is bool), name


def test_the_client_has_the_options_of_rows_and_frames_as_those_of_files() -> None:
    parameters = inspect.signature(Client.predict).parameters
    shared = parameters.keys() & FIELDS.keys()
    assert shared == {"model", *RowExtras._fields}
    assert all(parameters[name].default in (FIELDS[name].default, None) for name in shared)
    assert {*RowExtras._fields, "columns"} < get_type_hints(FrameOptions).keys()


def test_the_table_of_options_in_the_docs_is_made_from_them() -> None:
    text = (DOCS / "api.md").read_text()
    assert f"<!-- options -->\n{table()}<!-- /options -->" in text, "run: python -m rowcast.jobs.option_table"


def test_every_estimator_has_a_name_for_both_tasks_and_for_each() -> None:
    assert set(RECIPES) == {family + suffix for family in FAMILIES for suffix in SUFFIXES.values()}
    assert all(RECIPES[family + suffix].task == task for family in FAMILIES for task, suffix in SUFFIXES.items())


def test_the_command_line_and_the_docs_have_the_estimators_of_training() -> None:
    estimator = parameters_of("train")["estimator"]
    (row,) = (line for line in (DOCS / "training.md").read_text().splitlines() if line.startswith("| `--estimator` |"))
    for text in (estimator.help, row):
        assert all(name in text for name in (*FAMILIES, *SUFFIXES.values()))
    assert estimator.default is inspect.signature(train).parameters["estimator"].default is None
    assert f"| `{DEFAULT_FAMILY}`" in row
    assert estimator.show_default.startswith(DEFAULT_FAMILY)
