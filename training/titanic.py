"""The default model, from the passengers of the Titanic, so that a first request works without a model of the user's.

`python -m training.titanic` trains it if the registry is empty. It makes the key that signs models, too.
"""

import sys
from importlib.resources import as_file, files

from rowcast.compiled_cache import cache_folder
from rowcast.errors import RowcastError
from rowcast.logs import logger, set_up
from rowcast.models.generated_key import make_key, signing_key
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage

NAME = "titanic"


def train_default(registry: Registry) -> Manifest | None:
    """Trains `titanic` on `age` and `pclass` with the alias `production`. Returns None if it exists already."""
    if registry.versions(NAME):
        return None
    # Imported only when needed: a start that finds the model does not wait for scikit-learn.
    from training.train import train

    with as_file(files("training.data") / "titanic.csv") as data:
        return train(data, "survived", NAME, registry, features=["age", "pclass"], aliases=["production"])


def main() -> int:
    """Trains into the registry that the settings name, if it is empty: an operator with models gets no other."""
    try:
        settings = Settings.read()
        set_up(settings, "training")
        if (count := make_key(settings)) is not None:
            logger("training").info("model_key_made", file=settings.generated_model_key_file, signed=count)
        registry = Registry(Storage(settings.models), signing_key(settings))
        if names := registry.names():
            logger("training").info("registry_has_models", models=names)
            return 0
        with cache_folder():
            train_default(registry)
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        return 2
    logger("training").info("default_model_trained", model=NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
