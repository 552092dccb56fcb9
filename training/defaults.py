"""The model that ships: the passengers of the Titanic, so that the first request has something to ask."""

from importlib.resources import as_file, files

from rowcast.models.manifest import Manifest
from rowcast.models.registry import Registry

NAME = "titanic"


def train_default(registry: Registry) -> Manifest | None:
    """Trains `titanic` on `age` and `pclass` with the alias `production`; None where it is there already."""
    if registry.versions(NAME):
        return None
    # Imported where it is needed: a start that finds the model does not wait for scikit-learn.
    from training.train import train

    with as_file(files("training.data") / "titanic.csv") as data:
        return train(data, "survived", NAME, registry, features=["age", "pclass"], aliases=["production"])
