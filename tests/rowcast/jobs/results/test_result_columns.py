"""The added columns of a result: which there are, in which order, and what they are called."""

from typing import Any

import pytest

from rowcast.errors import OptionUnsuitable, OptionValue
from rowcast.jobs.options import Options, RowExtras, require_suitable, threshold_of
from rowcast.jobs.results.result_columns import added_names
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet


def manifest(name: str, **more: Any) -> Manifest:
    known = {"task": "classification", "features": [], "classes": ["no", "yes"], "probabilities": True} | more
    return Manifest(name=name, version="1", sha256="0" * 64, created_at="2026-01-01T00:00:00Z", libraries={}, **known)


TWO = manifest("two", scores=["score"], threshold=0.25)
THREE = manifest("three", classes=[1, 2, 3])
AMOUNT = manifest("amount", task="regression", classes=None, probabilities=False)
WIDE = manifest("wide", task="regression", classes=None, outputs=["x", "y"], probabilities=False)
BARE = manifest("bare", probabilities=False)


def names(*models: Manifest, **options: Any) -> list[str]:
    return added_names(Options(**options), ModelSet(models))


def test_top_adds_a_class_and_its_probability_for_each_rank() -> None:
    assert names(TWO, top=2, scores=True) == [
        "prediction", "score", "top_1", "top_1_probability", "top_2", "top_2_probability",
    ]  # fmt: skip
    both = names(TWO, THREE, top=1, on_error="column")
    assert both == [
        "prediction_two", "top_two_1", "top_two_1_probability",
        "prediction_three", "top_three_1", "top_three_1_probability", "prediction_error",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "columns",
    [
        "probability_yes:chance, prediction , score:s",
        ["probability_yes:chance", "prediction", "score:s"],
        {"probability_yes": "chance", "prediction": "prediction", "score": "s"},
    ],
)
def test_columns_chooses_orders_and_renames_and_asks_for_what_it_names(columns: object) -> None:
    assert names(TWO, columns=columns) == ["chance", "prediction", "s"]


def test_columns_are_chosen_from_outputs_two_models_errors_and_own_names() -> None:
    assert names(WIDE, columns="prediction_y:y") == ["y"]
    chosen = "prediction_error:fault,top_three_2:second,p_amount:sum,probability_three_2:share"
    options = {"columns": chosen, "top": 2, "on_error": "column", "prediction_column": "p"}
    with pytest.raises(OptionUnsuitable, match="amount@1 does not return probabilities"):
        require_suitable(Options(**options), ModelSet((THREE, AMOUNT)))
    assert names(THREE, AMOUNT, **options) == ["fault", "second", "sum", "share"]
    colon = manifest("colon", classes=["a:b", "a"])
    assert names(colon, columns="probability_a:b:x") == ["x"]
    assert names(colon, columns={"probability_a:b": "probability_a:b"}) == ["probability_a:b"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": "probability_ye:x"}, "the result does not add 'probability_ye'; the nearest is 'probability_yes'"),
        ({"columns": "zzz"}, "these exist: 'prediction', 'probability_no', 'probability_yes', 'score'"),
        ({"columns": "prediction_error"}, "'prediction_error' is only there with on_error=column"),
        ({"columns": "top_2:x", "top": 1}, "'top_2' is only there with top=2 or more"),
        ({"columns": "prediction:x,probability_no:x"}, "gives two columns the name 'x'"),
    ],
)
def test_columns_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionValue) as caught:
        names(TWO, **options)
    assert says in caught.value.detail
    assert caught.value.errors[0]["where"] == "columns"


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (
            AMOUNT,
            {"threshold": 0.3},
            "threshold: is only for models with two classes and probabilities, and amount@1 does",
        ),
        (BARE, {"threshold": "auto"}, "and bare@1 does not return probabilities"),
        (THREE, {"threshold": 0.3}, "and three@1 has 3 classes"),
        (manifest("m"), {"threshold": "auto"}, "give a number, for example 0.3, or register the model again with"),
        (BARE, {"top": 1}, "top: bare@1 does not return probabilities"),
        (TWO, {"top": 3}, "top: must not be more than 2: two@1 has 2 classes"),
    ],
)
def test_what_a_model_cannot_do_is_refused(model: Manifest, options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionUnsuitable) as caught:
        require_suitable(Options(**options), ModelSet((TWO, model)))
    assert says in caught.value.detail


def test_a_threshold_of_the_model_becomes_a_number_unless_two_models_differ() -> None:
    auto = Options(threshold="auto")
    assert auto.with_numbers(ModelSet((TWO,))).threshold == 0.25
    other = manifest("other", threshold=0.75)
    assert auto.with_numbers(ModelSet((TWO, other))).threshold == "auto"
    assert [threshold_of(one, "auto") for one in (TWO, other)] == [0.25, 0.75]
    assert [threshold_of(TWO, one) for one in (0.5, None)] == [0.5, None]


@pytest.mark.parametrize(
    "extras",
    [RowExtras(), RowExtras(True, True), RowExtras(threshold=0.1 + 0.2), RowExtras(True, False, "auto", 3, 2)],
)
def test_what_a_row_asks_for_is_read_as_it_was_written(extras: RowExtras) -> None:
    assert RowExtras.read(str(extras)) == extras
