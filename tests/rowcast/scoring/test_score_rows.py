import json
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from loaded_models import Answering, loaded, numbers

from rowcast.jobs.options import RowExtras
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.score_rows import predict_rows


def test_single_rows_answer_in_plain_json(models: Mapping[str, LoadedModel], training: pd.DataFrame) -> None:
    for name in ("logistic", "labels", "truth"):
        model = models[name]
        answers = predict_rows(model, training.to_numpy().tolist(), [RowExtras(probabilities=True)] * len(training))
        assert json.loads(json.dumps(answers, allow_nan=False)) == answers
        assert [answer["prediction"] for answer in answers] == model.estimator.predict(training).tolist()
        shares = [list(answer["probabilities"].values()) for answer in answers]
        assert shares == model.estimator.predict_proba(training).tolist()
        assert list(answers[0]["probabilities"]) == [str(label) for label in model.manifest.classes]


def test_a_single_row_that_raises_leaves_the_others_alone(models: Mapping[str, LoadedModel]) -> None:
    answers = predict_rows(models["strict"], [[0.5, "Aix"], [0.5, "Atlantis"], [1, "Bonn"]], [RowExtras()] * 3)
    assert isinstance(answers[0], dict)
    assert "Atlantis" in answers[1]
    assert isinstance(answers[2], dict)


def test_rows_of_one_call_get_what_each_of_them_asks_for(
    models: Mapping[str, LoadedModel], training: pd.DataFrame
) -> None:
    extras = [RowExtras(), RowExtras(threshold=0.999), RowExtras(True, top=1), RowExtras(threshold=0.001, top=2)] * 25
    answers = predict_rows(models["trees"], training.head(100).to_numpy().tolist(), extras)
    estimator = models["trees"].estimator
    shares, labels = estimator.predict_proba(training.head(100)), estimator.predict(training.head(100))
    for answer, asked, share, label in zip(answers, extras, shares.tolist(), labels.tolist(), strict=True):
        ordered = sorted(zip([0, 1], share, strict=True), key=lambda pair: -pair[1])
        wanted = {"prediction": label if asked.threshold is None else int(share[1] >= asked.threshold)}
        if asked.probabilities:
            wanted["probabilities"] = dict(zip(["0", "1"], share, strict=True))
        if asked.top:
            wanted["top"] = [{"class": one, "probability": chance} for one, chance in ordered][: asked.top]
        assert answer == wanted


def test_a_prediction_that_json_cannot_write_is_null_and_says_so() -> None:
    model = loaded(Answering(np.array([math.nan, math.inf, 1.5])), numbers("a"))
    assert predict_rows(model, [[1], [2], [3]], [RowExtras()] * 3) == [
        {"prediction": None, "warning": "the prediction is not a number (NaN)"},
        {"prediction": None, "warning": "the prediction is infinite"},
        {"prediction": 1.5},
    ]
    narrow = loaded(Answering(np.array([0.1], np.float32)), numbers("a"))
    assert predict_rows(narrow, [[1]], [RowExtras()]) == [{"prediction": 0.1}]
    several = loaded(Answering(np.array([[1.5, math.inf, math.nan]])), numbers("a"), outputs=["x", "y", "z"])
    assert predict_rows(several, [[1]], [RowExtras()]) == [
        {
            "prediction": [1.5, None, None],
            "warning": "the prediction of 'y' is infinite; the prediction of 'z' is not a number (NaN)",
        }
    ]
