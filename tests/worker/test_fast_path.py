"""The fast path of a worker: when it is used, and that a difference in one bit turns it off."""

import pickle
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from registering import FEW_ALONE
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from structlog.testing import capture_logs

from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Draft, FastPath, Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import golden_table
from rowcast.scoring.opening import fast_path as use_of_fast_path
from rowcast.scoring.predict import Wanted, predict
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions
from worker.isolation.child import IsolatedProcess
from worker.isolation.fork_server import ForkServer
from worker.model_cache import ModelCache

Register = Callable[..., Manifest]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Storage(str(tmp_path / "models")))


@pytest.fixture
def register(registry: Registry, tmp_path: Path) -> Register:
    """Registers an estimator as a user does. `changes` then make a second version whose manifest is another one."""

    def run(estimator: Any, **changes: Any) -> Manifest:
        table = sample()
        estimator.fit(table, table["a"] * 2 + table["b"] > 1)
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(estimator))
        table.to_csv(tmp_path / "sample.csv", index=False)
        manifest = add(tmp_path / "model.pkl", "m", registry, tmp_path / "sample.csv", AddOptions(alone=FEW_ALONE))
        if not changes:
            return manifest
        draft = Draft(**{name: getattr(manifest, name) for name in Draft.model_fields} | changes)
        return registry.register("m", registry.model_bytes(manifest), draft, registry.golden_bytes(manifest))

    return run


def sample() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(random.normal(size=(200, 3)).round(2), columns=["a", "b", "c"])


def opened(registry: Registry, manifest: Manifest, *, fast_trees: bool = True) -> LoadedModel:
    return ModelCache(registry, "strict", fast_trees=fast_trees).get("m", manifest.version)


def test_a_model_that_was_exact_at_registration_uses_it(register: Register, registry: Registry) -> None:
    manifest = register(HistGradientBoostingClassifier(max_iter=5))
    assert str(manifest.fast_path) == "Yes, with the same bits: HistGradientBoostingClassifier."
    with capture_logs() as logs:
        fast = opened(registry, manifest)
    assert fast.fast
    assert [line["event"] for line in logs] == ["fast_path_used"]
    plain = opened(registry, manifest, fast_trees=False)
    assert not plain.fast
    table = golden_table(plain, registry.golden_bytes(manifest))
    found, wanted = (predict(model, table, Wanted(probabilities=True)) for model in (fast, plain))
    assert found.predictions.tobytes() == wanted.predictions.tobytes()
    assert found.probabilities.tobytes() == wanted.probabilities.tobytes()


@pytest.mark.parametrize(
    ("fast_path", "used"), [(None, True), (FastPath(exact=False, reason="Its bits differ."), False)]
)
def test_what_the_manifest_says_decides_and_without_a_word_the_worker_compares(
    register: Register, registry: Registry, fast_path: FastPath | None, used: bool
) -> None:
    manifest = register(RandomForestRegressor(n_estimators=3), fast_path=fast_path)
    assert opened(registry, manifest).fast is used


def test_with_other_libraries_than_at_registration_the_worker_compares(
    register: Register, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = register(RandomForestRegressor(n_estimators=3))
    compared = []

    def differences(*arguments: Any) -> list[str]:
        compared.append(arguments)
        return ["model: predict differs in row 3"]

    monkeypatch.setattr(use_of_fast_path, "differences", differences)
    assert opened(registry, manifest).fast
    assert not compared
    older = manifest.model_copy(update={"libraries": manifest.libraries | {"numpy": "2.4.0"}})
    draft = Draft(**{name: getattr(older, name) for name in Draft.model_fields})
    manifest = registry.register("m", registry.model_bytes(manifest), draft, registry.golden_bytes(manifest))
    with capture_logs() as logs:
        assert not opened(registry, manifest).fast
    assert compared
    assert {"event": "fast_path_differs", "reason": "model: predict differs in row 3"}.items() <= logs[-1].items()


def test_a_model_without_trees_stays_as_it_is(register: Register, registry: Registry) -> None:
    manifest = register(LinearRegression())
    assert manifest.fast_path.exact is False
    assert not opened(registry, manifest).fast


class Nudged:
    """Predicts the next number above what the model predicts."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, table: Any) -> np.ndarray:
        return np.nextafter(self._estimator.predict(table), np.inf)


def test_one_bit_in_the_golden_sample_turns_it_off(
    register: Register, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = register(RandomForestRegressor(n_estimators=3))
    monkeypatch.setattr(
        use_of_fast_path, "accelerated", lambda model: replace(model, estimator=Nudged(model.estimator), fast=True)
    )
    with capture_logs() as logs:
        model = opened(registry, manifest)
    assert not model.fast
    assert isinstance(model.estimator, RandomForestRegressor)
    assert logs == [
        {
            "event": "fast_path_differs",
            "log_level": "warning",
            "model": "m@1",
            "reason": "it predicts other bits for the golden sample",
        }
    ]


def test_without_numba_the_model_is_used_as_it_is(
    register: Register, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = register(RandomForestRegressor(n_estimators=3))
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    with capture_logs() as logs:
        assert not opened(registry, manifest).fast
    assert [line["event"] for line in logs] == ["fast_path_unavailable"]


def test_the_isolated_process_predicts_with_it_too(
    register: Register, registry: Registry, fork_server: ForkServer
) -> None:
    cache = ModelCache(registry, "strict")
    model = cache.get("m", register(HistGradientBoostingClassifier(max_iter=5)).version)
    table = golden_table(model, registry.golden_bytes(model.manifest))
    with closing(IsolatedProcess(cache.files, 30, fork_server)) as isolated:
        found = isolated.predict_good(model, table, Wanted(probabilities=True))
    wanted = predict(model, table, Wanted(probabilities=True))
    assert found.values.probabilities.tobytes() == wanted.probabilities.tobytes()
