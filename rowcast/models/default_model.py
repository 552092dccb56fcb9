"""The default model: the one that a request means if it names none."""

import time

from rowcast.errors import NoDefaultModel, NotFound
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.settings import Settings

FRESH_SECONDS = 1.0
"""How long it is remembered that the model of the setting is missing, because looking takes a round trip."""


class DefaultModel:
    """Chooses the model of requests that name none: the one in ROWCAST_DEFAULT_MODEL, or else the only one.

    A model that the setting names explicitly is never replaced by another one. Threads may share this.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._wanted = settings.default_model
        self.may_be_another = "default_model" not in settings.model_fields_set
        """Whether another model may take its place, because the setting does not name it."""
        self._seen: tuple[float, list[str]] | None = None
        """Time at which the model of the setting was found missing, and the names of all models then."""

    def resolve(self) -> Manifest:
        """Returns the version that a request without `model` gets now. Raises as `choose`."""
        return self.choose()[1]

    def choose(self) -> tuple[str, Manifest]:
        """Returns what a request without `model` means, for example `titanic@production`, and its version now.

        Raises:
            NoDefaultModel: the model of the setting is missing, and there is not exactly one other.
            ModelRefused: its manifest is damaged.
        """
        if self._seen is None or time.monotonic() - self._seen[0] >= FRESH_SECONDS:
            try:
                found = self._registry.resolve(self._wanted)
            except NotFound:
                self._seen = (time.monotonic(), self._registry.names())
            else:
                self._seen = None
                return self._wanted, found
        names = self._seen[1]
        if len(names) == 1 and self.may_be_another:
            return names[0], self._registry.resolve(names[0])
        raise NoDefaultModel(self._wanted, names)
