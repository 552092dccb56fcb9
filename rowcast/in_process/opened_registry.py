"""The registry that a script scores with, and the models of it that this process has open."""

import os
from functools import cache, lru_cache
from os import PathLike
from pathlib import Path
from threading import Lock

from rowcast.csv import number_cells
from rowcast.errors import UnknownModel
from rowcast.local.running_services import FOLDER, only_instance
from rowcast.models.default_model import DefaultModel
from rowcast.models.generated_key import signing_key
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.models.registry import Registry
from rowcast.scoring.opening.open_model import open_model
from rowcast.settings import Settings
from rowcast.storage import Storage

MOST_OPEN = 8
"""Largest number of open models, as in a worker. The least recently used one is closed first."""


class OpenedRegistry:
    """A registry with its open models. A version never changes, so an open model stays valid."""

    def __init__(self, settings: Settings) -> None:
        """Opens the registry that the settings name."""
        self.settings = settings
        self._registry = Registry(Storage(settings.models), signing_key(settings))
        self._default = DefaultModel(self._registry, settings)
        self._open = lru_cache(MOST_OPEN)(self._opened)

    def find(self, model: str | None) -> ModelSet:
        """Returns the versions that `model` means now; None is the default model.

        Raises:
            UnknownModel: there is none; the message names the nearest and the registry.
            OptionValue: `model` names too many models, or the same one twice.
            NoDefaultModel: no model is named, and there is no default.
        """
        try:
            return (
                ModelSet((self._default.resolve(),))
                if model is None
                else ModelSet.resolve(model, self._registry.resolve)
            )
        except UnknownModel as error:
            raise UnknownModel(f"{error.detail.removesuffix('.')}. The registry is {self.settings.models}.") from error

    def open(self, manifest: Manifest) -> LoadedModel:
        """Returns the model, and opens it if necessary. The caller holds `process_lock`.

        Raises:
            NotFound, ModelRefused: as `open_model`.
        """
        return self._open(manifest.name, manifest.version)

    def _opened(self, name: str, version: str) -> LoadedModel:
        manifest = self._registry.manifest(name, version)
        settings = self.settings
        model = open_model(self._registry, manifest, settings.model_versions, fast_trees=settings.fast_trees)
        if model.fast:  # numba is loaded already, so that its reading of numbers costs milliseconds
            number_cells.load()
        return model


_locks: dict[int, Lock] = {}
"""The lock of this process, by its id. A forked process makes its own, because its parent's may be held."""


def process_lock() -> Lock:
    """Returns the lock that is held while a model is opened or predicts: models are made for one thread.

    Their own modules are importable only meanwhile, so two models may not predict at the same time either.
    """
    return _locks.setdefault(os.getpid(), Lock())


def opened_registry(models: str | PathLike[str] | None) -> OpenedRegistry:
    """Returns the registry `models`, which this process opens once for each combination of settings.

    Raises:
        UnknownModel: there is no such folder. SeveralServices: `models` is None, and several services run.
        BadSetting: a setting is not valid.
    """
    settings = Settings.read(**({} if models is None else {"models": os.fspath(models)}))
    if "models" not in settings.model_fields_set:
        running = only_instance("models=, the folder `models` in its data folder")
        settings = Settings.read(models=running.models if running else str(Path(FOLDER) / "models"))
    if "://" not in settings.models:
        folder = Path(settings.models).expanduser().absolute()
        if not folder.is_dir():
            raise UnknownModel(
                f"The folder {folder} does not exist. Name a registry with models=, or set ROWCAST_MODELS."
            )
        settings = settings.model_copy(update={"models": str(folder)})
    return _opened(settings.model_dump_json(exclude_unset=True), os.getpid())


@cache
def _opened(settings: str, process: int) -> OpenedRegistry:
    """Opens a registry. A forked process opens its own, because the client of a bucket has threads."""
    return OpenedRegistry(Settings.model_validate_json(settings))
