"""What two models need of a frame together, and what their columns are called."""

from typing import Any

import pytest

from rowcast.client import WrongUse
from rowcast.client.frames.frame_features import gap_of, missing_features, na_texts_of
from rowcast.client.frames.models_together import label_columns, needed_together


def model(name: str, version: str = "1", na_values: tuple[str, ...] = ("", "NaN"), **kinds: Any) -> dict[str, Any]:
    features = [{"name": one, **(kind if isinstance(kind, dict) else {"kind": kind})} for one, kind in kinds.items()]
    return {"name": name, "version": version, "features": features, "na_values": list(na_values)}


def test_columns_are_named_after_the_models_and_their_versions_if_need_be() -> None:
    one, other, again = model("m"), model("n"), model("m", "2")
    assert list(label_columns([one], {"prediction_column": "p"})) == ["p"]
    assert list(label_columns([one, other], {"prediction_column": "p"})) == ["p_m", "p_n"]
    assert list(label_columns([one, again], {"prediction_column": "p"})) == ["p_m@1", "p_m@2"]
    assert list(label_columns([one, other], {"top": 1})) == ["prediction_m", "top_m_1", "prediction_n", "top_n_1"]
    chosen = "prediction_n : label, score_m:s,top_m_1"
    for columns in (chosen, chosen.split(","), {"prediction_n": "label", "score_m": "s", "top_m_1": "top_m_1"}):
        found = label_columns([one, other], {"top": 1, "columns": columns})
        assert found == {"top_m_1": one, "label": other}


def test_a_frame_needs_the_features_of_both_and_a_gap_that_both_read_as_missing() -> None:
    optional = {"kind": "number", "required": False}
    together = needed_together(
        [model("m", a=optional, b="number"), model("n", na_values=("", "-"), a="integer", c="text")]
    )
    assert missing_features(["b"], together) == ["a", "c"]
    assert na_texts_of(together) == {"", "NaN", "-"}
    assert gap_of(together) == ""
    assert together["features"][0]["kind"] == "integer"


def test_a_feature_that_two_models_take_in_different_forms_cannot_be_sent() -> None:
    yes = {"kind": "boolean", "true_values": ["yes"], "false_values": ["no"]}
    with pytest.raises(WrongUse, match="m@1 and n@1 take the feature 'a' in different forms"):
        needed_together([model("m", a=yes), model("n", a="boolean")])
