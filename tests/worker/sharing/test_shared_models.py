"""Models that the processes of a worker share: only the first one opens the file, and the bits are the same."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from registering import FEW_ALONE
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from structlog.testing import capture_logs

from rowcast.errors import UnknownModel
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import golden_table
from rowcast.scoring.predict import Wanted, predict
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions
from worker.model_cache import ModelCache
from worker.sharing.image_files import ImageFiles
from worker.sharing.shared_models import SharedModels

MODELS = {
    "forest": RandomForestClassifier(5),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Registers the models as a user does."""
    folder = tmp_path_factory.mktemp("shared")
    registry = Registry(Storage(str(folder / "models")))
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)).round(2), columns=["a", "b", "c"])
    table.to_csv(folder / "sample.csv", index=False)
    for name, estimator in MODELS.items():
        estimator.fit(table, table["a"] * 2 + table["b"] > 1)
        (folder / "model.pkl").write_bytes(pickle.dumps(estimator))
        add(folder / "model.pkl", name, registry, folder / "sample.csv", AddOptions(alone=FEW_ALONE))
    return registry


@pytest.fixture
def files() -> ImageFiles:
    return ImageFiles(2)


def cache(registry: Registry, files: ImageFiles) -> ModelCache:
    shared = SharedModels(files, registry, least_file_bytes=0)
    return ModelCache(registry, "strict", shared=shared)


def probabilities(model: LoadedModel, registry: Registry) -> bytes:
    golden = registry.golden_bytes(model.manifest)
    assert golden
    found = predict(model, golden_table(model, golden), Wanted(probabilities=True))
    return bytes(found.probabilities.tobytes())


@pytest.mark.parametrize("name", MODELS)
def test_a_second_cache_opens_the_image_and_not_the_file(name: str, registry: Registry, files: ImageFiles) -> None:
    alone = ModelCache(registry, "strict").get(name, "1")
    wanted = probabilities(alone, registry)
    with capture_logs() as logs:
        first = cache(registry, files).get(name, "1")
    assert [line["event"] for line in logs][-1] == "model_shared"
    assert probabilities(first, registry) == wanted
    assert (first.fast, first.container, first.file_bytes) == (alone.fast, alone.container, alone.file_bytes)
    with without_file(registry, first.manifest):
        second = cache(registry, files).get(name, "1")
    assert second is not first
    assert probabilities(second, registry) == wanted


def test_a_tree_that_only_scikit_learn_needs_is_read_from_the_file(registry: Registry, files: ImageFiles) -> None:
    shared = cache(registry, files).get("forest", "1")
    plain = ModelCache(registry, "strict", fast_trees=False).get("forest", "1")
    cells = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    with without_file(registry, shared.manifest), pytest.raises(UnknownModel):
        shared.estimator.apply(cells)
    assert shared.estimator.apply(cells).tobytes() == plain.estimator.apply(cells).tobytes()


def test_a_model_that_predicts_otherwise_as_a_copy_is_not_shared(
    registry: Registry, files: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.sharing.shared_models.same_on_golden", lambda *_: False)
    with capture_logs() as logs:
        model = cache(registry, files).get("forest", "1")
    assert model.fast
    assert logs[-1]["event"] == "model_not_shared"
    assert files.find(f"forest@1 {model.manifest.sha256}") is None


@contextmanager
def without_file(registry: Registry, manifest: Manifest) -> Iterator[None]:
    """The model's file is gone."""
    file = Path(registry.storage.location, manifest.name, manifest.version, "model.pkl")
    file.rename(file.with_suffix(".away"))
    yield
    file.with_suffix(".away").rename(file)
