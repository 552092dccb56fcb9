"""The manifests of a registry. Each is parsed once, and looked up again each second, because it may be removed."""

import time

from pydantic import ValidationError

from rowcast.errors import ModelRefused, Unavailable
from rowcast.models.model_manifest import Manifest
from rowcast.storage import Storage

FRESH_SECONDS = 1.0
"""How long a manifest counts as present without another look."""


class Manifests:
    """Reads `NAME/VERSION/manifest.json`. The caller has checked names and versions."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[tuple[str, str], Manifest] = {}
        self._seen_at: dict[tuple[str, str], float] = {}
        """Time at which each was last found in the storage, on the monotonic clock."""

    def read(self, name: str, version: str) -> Manifest:
        """Returns the manifest, at most a second old.

        Raises:
            FileNotFoundError: it does not exist.
            ModelRefused: the file is damaged, or is that of another model or version.
        """
        known = self._known.get((name, version))
        if known is None:
            known = self._parse(name, version)
        elif time.monotonic() - self._seen_at[name, version] >= FRESH_SECONDS:
            self._look_again(name, version)
        return known

    def remove(self, name: str, version: str) -> None:
        """Removes the manifest, and with it the version from all lists."""
        self._storage.delete(manifest_key(name, version))
        self._known.pop((name, version), None)

    def _parse(self, name: str, version: str) -> Manifest:
        key = manifest_key(name, version)
        try:
            manifest = Manifest.model_validate_json(self._storage.get(key))
        except ValidationError as error:
            raise ModelRefused(f"The manifest {key} is damaged: {error.errors()[0]['msg']}.") from None
        if (manifest.name, manifest.version) != (name, version):
            raise ModelRefused(f"The manifest {key} is that of {manifest.name}@{manifest.version}.")
        self._known[name, version] = manifest
        self._seen_at[name, version] = time.monotonic()
        return manifest

    def _look_again(self, name: str, version: str) -> None:
        try:
            self._storage.get(manifest_key(name, version))
        except FileNotFoundError:
            self._known.pop((name, version), None)
            raise
        except Unavailable:  # what was read before is still true
            return
        self._seen_at[name, version] = time.monotonic()


def manifest_key(name: str, version: str) -> str:
    """Returns the key of a version's manifest."""
    return f"{name}/{version}/manifest.json"
