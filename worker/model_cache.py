"""The model cache: the open models of one worker process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from rowcast.errors import ModelRefused, NotFound
from rowcast.jobs.records.workers import OpenModel
from rowcast.logs import logger
from rowcast.models.loading.load import LoadedModel, why_not_here
from rowcast.models.model_manifest import Manifest
from rowcast.models.naming.aliases import LATEST, PRODUCTION
from rowcast.models.registry import Registry
from rowcast.scoring.drift.bin_counter import BinCounter
from rowcast.scoring.opening.open_model import open_model
from worker.sharing.shared_models import SharedModels

MOST_OPEN = 8
"""Largest number of open models. The least recently used one is closed first."""


class ModelCache:
    """Open models by name and version. A version never changes, so an open model stays valid."""

    def __init__(
        self,
        registry: Registry,
        versions: Literal["strict", "warn"],
        *,
        fast_trees: bool = True,
        shared: SharedModels | None = None,
    ) -> None:
        """`shared` has the large models that the worker's processes share; without it, each process has its own."""
        self._registry = registry
        self._shared = shared
        self._versions = versions
        self._fast_trees = fast_trees
        self._open: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()
        #: Models that were opened and not yet reported: `NAME@VERSION` and the time it took, in seconds.
        self.loads: list[tuple[str, float]] = []
        self._counters: dict[tuple[str, str], BinCounter | None] = {}
        #: When each model was last asked for, in `time.monotonic()` seconds.
        self._used: dict[tuple[str, str], float] = {}

    def get(self, name: str, version: str) -> LoadedModel:
        """Returns the model, and opens it if necessary.

        Raises:
            NotFound: the registry has no such version.
            ModelRefused: its file must not be opened, or it predicts differently here than at its registration.
        """
        wanted = (name, version)
        if wanted not in self._open:
            self._open[wanted] = self._opened(name, version)
            if len(self._open) > MOST_OPEN:
                closed, _ = self._open.popitem(last=False)
                del self._used[closed]
                self._counters.pop(closed, None)
        self._open.move_to_end(wanted)
        self._used[wanted] = time.monotonic()
        return self._open[wanted]

    def manifest(self, name: str, version: str) -> Manifest:
        """Returns the manifest of a version, which need not be open. Raises as `Registry.manifest`."""
        return self._registry.manifest(name, version)

    def bin_counter(self, name: str, version: str) -> BinCounter | None:
        """Returns what counts rows into the bins of a model's profile; None if it has none.

        Raises:
            NotFound, ModelRefused: as `get`.
        """
        wanted = (name, version)
        if wanted not in self._counters:
            manifest = self.get(name, version).manifest
            profile = self._registry.profile(manifest)
            if profile is None:
                logger("models").info("model_without_profile", model=manifest.reference)
            self._counters[wanted] = None if profile is None else BinCounter(profile)
        return self._counters[wanted]

    @property
    def versions(self) -> frozenset[tuple[str, str]]:
        """Name and version of each open model."""
        return frozenset(self._open)

    def open_models(self) -> dict[str, OpenModel]:
        """Returns the models that are open, by `NAME@VERSION`."""
        now = time.monotonic()
        return {
            model.manifest.reference: OpenModel(now - self._used[known_as], model.file_bytes)
            for known_as, model in self._open.items()
        }

    def _opened(self, name: str, version: str) -> LoadedModel:
        started = time.monotonic()
        manifest = self._registry.manifest(name, version)
        model = self._shared.get(manifest, self._loaded) if self._shared else self._loaded(manifest)
        self.loads.append((manifest.reference, time.monotonic() - started))
        return model

    def _loaded(self, manifest: Manifest) -> LoadedModel:
        return open_model(self._registry, manifest, self._versions, fast_trees=self._fast_trees)

    def files(self, model: LoadedModel) -> tuple[bytes, dict[str, bytes]]:
        """Returns the pickle and the code of an open model, for another process. Their digests are checked again."""
        return self._registry.model_bytes(model.manifest), self._registry.code_files(model.manifest)

    def unopenable(self, is_served: Callable[[str], bool] = lambda name: True) -> dict[str, str]:
        """Returns why the `latest` and `production` versions of models cannot be opened here, by `NAME@VERSION`.

        It only looks at models whose names `is_served` takes, and only at their manifests; no pickle is opened.
        """
        found = {}
        for name in filter(is_served, self._registry.names()):
            aliases = self._registry.aliases(name)
            for version in {aliases[alias] for alias in (LATEST, PRODUCTION) if alias in aliases}:
                known_as = f"{name}@{version}"
                try:
                    fault = why_not_here(self._registry.manifest(name, version), self._versions)
                except (ModelRefused, NotFound) as error:
                    found[known_as] = error.detail
                else:
                    if fault:
                        found[known_as] = f"The model {known_as} {fault}."
        return found
