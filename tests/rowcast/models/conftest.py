import pytest
from traps import trap as trap_at

from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage


@pytest.fixture
def registry(tmp_path):
    return Registry(Storage(str(tmp_path / "models")))


@pytest.fixture
def draft():
    return Draft(
        task="classification",
        features=[Feature(name="age", kind="number", missing=True)],
        classes=[0, 1],
        metrics={"accuracy": 0.5},
        libraries={"scikit-learn": "1.9.1"},
    )


@pytest.fixture
def trap(tmp_path):
    """Returns the file that the hostile pickle writes, and the pickle."""
    path = tmp_path / "written-by-a-pickle"
    return path, trap_at(path)
