"""The files of one version of a model, each of which is what the manifest says that it is."""

import hashlib

from rowcast.errors import ModelRefused, UnknownModel
from rowcast.models.drift.profile import Profile
from rowcast.models.model_manifest import NAME, VERSION, Manifest
from rowcast.models.naming.valid_names import shown
from rowcast.models.signature import is_signed
from rowcast.storage import Storage


def model_key(name: str, version: str) -> str:
    """Returns the key of the pickle, for example `titanic/1/model.pkl`."""
    return f"{name}/{version}/model.pkl"


def golden_key(name: str, version: str) -> str:
    """Returns the key of the golden sample."""
    return f"{name}/{version}/golden.json"


def profile_key(name: str, version: str) -> str:
    """Returns the key of the profile."""
    return f"{name}/{version}/profile.json"


def code_key(name: str, version: str, path: str) -> str:
    """Returns the key of a file of the model's own code."""
    return f"{name}/{version}/code/{path}"


def is_manifest_key(key: str) -> bool:
    """Returns whether the key is that of a manifest, which is there as soon as its version is complete."""
    parts = key.split("/")
    return (
        len(parts) == 3
        and parts[2] == "manifest.json"
        and NAME.fullmatch(parts[0]) is not None
        and VERSION.fullmatch(parts[1]) is not None
    )


class VersionFiles:
    """Reads the files of a version and compares their digests with the manifest.

    With a key, the manifest has to be signed before the pickle or the code is read.
    """

    def __init__(self, storage: Storage, key: str | None) -> None:
        self._storage, self._key = storage, key

    def remove(self, name: str, version: str, kept: str) -> None:
        """Removes the files of a version, except the one that is called `kept`."""
        for path, _ in list(self._storage.entries(f"{name}/{version}")):
            if path != f"{name}/{version}/{kept}":
                self._storage.delete(path)

    def _require_genuine(self, manifest: Manifest) -> None:
        """Checks the signature, if there is a key, and that the names can be part of a storage key."""
        if self._key is not None and not is_signed(manifest, self._key):
            fault = "has no signature" if manifest.signature is None else "is not signed by ROWCAST_MODEL_KEY"
            raise ModelRefused(f"The manifest of {manifest.reference} {fault}; the model is not opened.")
        if not NAME.fullmatch(manifest.name) or not VERSION.fullmatch(manifest.version):
            raise UnknownModel(f"The registry has no version {shown(manifest.reference)}.")

    def model(self, manifest: Manifest) -> bytes:
        """Reads the pickle.

        Raises:
            UnknownModel: the file is missing.
            ModelRefused: it has another digest.
        """
        self._require_genuine(manifest)
        try:
            data = self._storage.get(model_key(manifest.name, manifest.version))
        except FileNotFoundError:
            raise UnknownModel(f"The file of the model {manifest.reference} is missing from the registry.") from None
        _require_digest(data, manifest.sha256, f"The model file of {manifest.reference}")
        return data

    def model_length(self, manifest: Manifest) -> int:
        """Returns the length of the pickle in bytes; 0 if it is missing."""
        self._require_genuine(manifest)
        lengths = dict(self._storage.entries(f"{manifest.name}/{manifest.version}"))
        return lengths.get(model_key(manifest.name, manifest.version), 0)

    def golden(self, manifest: Manifest) -> bytes | None:
        """Reads the golden sample. Returns None if the version has none.

        Raises:
            ModelRefused: the file is missing, or has another digest.
        """
        if manifest.golden is None:
            return None
        where = golden_key(manifest.name, manifest.version)
        return self._checked(where, manifest.golden.sha256, f"The golden sample of {manifest.reference}")

    def profile(self, manifest: Manifest) -> Profile | None:
        """Reads the profile. Returns None if the version has none.

        Raises:
            ModelRefused: the file is missing, or has another digest.
        """
        if manifest.profile is None:
            return None
        where = profile_key(manifest.name, manifest.version)
        data = self._checked(where, manifest.profile.sha256, f"The profile of {manifest.reference}")
        return Profile.model_validate_json(data)

    def _checked(self, where: str, sha256: str, what: str) -> bytes:
        try:
            data = self._storage.get(where)
        except FileNotFoundError:
            raise ModelRefused(f"{what} is missing from the registry.") from None
        _require_digest(data, sha256, what)
        return data

    def code(self, manifest: Manifest) -> dict[str, bytes]:
        """Reads the model's own code. Returns content by path.

        Raises:
            UnknownModel: a file is missing.
            ModelRefused: a file has another digest.
        """
        self._require_genuine(manifest)
        found = {}
        for file in manifest.code:
            what = f"The file code/{file.path} of {manifest.reference}"
            try:
                data = self._storage.get(code_key(manifest.name, manifest.version, file.path))
            except FileNotFoundError:
                raise UnknownModel(f"{what} is missing from the registry.") from None
            _require_digest(data, file.sha256, what)
            found[file.path] = data
        return found


def _require_digest(data: bytes, sha256: str, what: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelRefused(f"{what} does not match its manifest (SHA-256 differs).")
