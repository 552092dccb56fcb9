"""Native files of XGBoost, if they were saved by its classes for scikit-learn: these say what `predict` returns."""

import json
from typing import Any

from rowcast.errors import Unprocessable
from rowcast.models.loading.pickle_scan import PickleScan
from training.formats.model_format import LoadContext, ModelFormat

_HEAD_BYTES = 64
_REMEDY = "pickle the classifier or regressor instead: pickle.dump(model, file)"


def _is_xgboost(data: bytes) -> bool:
    """Both forms, JSON and UBJSON, begin with an object whose first member is `learner`."""
    head = data[:_HEAD_BYTES].lstrip()
    return head.startswith(b"{") and b"learner" in head


def _load(data: bytes, context: LoadContext) -> Any:
    """Returns an `XGBClassifier` or `XGBRegressor`. Its classes are 0, 1, …, as `XGBClassifier.fit` requires."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(data))
    about = json.loads(booster.attr("scikit_learn") or "{}")
    kind = about.get("_estimator_type")
    kinds = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}
    if kind not in kinds:
        what = f"by a {kind}" if kind else "by a Booster, whose `predict` returns no labels"
        raise Unprocessable(
            f"{context.name} was saved {what}; only files by XGBClassifier.save_model and XGBRegressor.save_model say "
            f"what the model predicts. Save it with one of these, or {_REMEDY}."
        )
    estimator = kinds[kind](n_jobs=1)
    estimator.load_model(bytearray(data))
    return estimator


XGBOOST = ModelFormat(
    name="xgboost",
    endings=(".ubj", ".json", ".xgb"),
    written_by="`XGBClassifier.save_model(file)`, `XGBRegressor.save_model(file)`; not by a `Booster`",
    danger="crash XGBoost; reading it is tried in another process first",
    needs="xgboost",
    runs_code=False,
    recognises=_is_xgboost,
    scan=lambda _data: PickleScan(modules={"xgboost"}),
    load=_load,
    trial="import sys, xgboost; xgboost.Booster().load_model(bytearray(sys.stdin.buffer.read()))",
)
