"""The model cache of a worker: the report of models that it cannot open."""

from rowcast.models.model_manifest import Draft, Feature, Requirement
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage
from worker.model_cache import ModelCache


def test_latest_and_production_versions_that_cannot_be_opened_are_reported(settings: Settings) -> None:
    registry = Registry(Storage(settings.models))
    good = Draft(task="regression", features=[Feature(name="a", kind="number", missing=False)], libraries={})
    lacks = {"some_boost": Requirement(distribution="some-boost", version="4.7.0")}
    for requires in (lacks, {}, lacks, {}):
        registry.register("m", b"never read", good.model_copy(update={"requires": requires}))
    registry.set_alias("m", "production", "3")
    assert ModelCache(registry, "warn").unopenable() == {
        "m@3": "The model m@3 needs some-boost 4.7.0, which is not installed here: pip install some-boost==4.7.0."
    }
    assert "m@4 was trained with scikit-learn unknown" in ModelCache(registry, "strict").unopenable()["m@4"]
