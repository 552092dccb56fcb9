"""The registry: which models there are, in which versions, under which aliases. It never opens a pickle.

    NAME/VERSION/model.pkl        written first, by a create-only put, which takes the version number
    NAME/VERSION/golden.json      some rows and their predictions, which every worker checks after loading
    NAME/VERSION/code/…           the model's own modules, if it brings any
    NAME/VERSION/manifest.json    written last: a version without it does not exist yet
    NAME/VERSION/removed          all that is left of a version that was removed, so that its number is not used again
    NAME/aliases.json             the only file that ever changes

Names, versions and aliases come from requests: whatever is not of their form is not there (`NotFound`), and
no key is ever made of it.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

from rowcast.errors import ModelRefused, UnknownModel
from rowcast.models.aliases import LATEST, PRODUCTION, Aliases
from rowcast.models.manifest_cache import Manifests, manifest_key
from rowcast.models.model_manifest import NAME, VERSION, CodeFile, Draft, Manifest
from rowcast.models.signature import is_signed, signed
from rowcast.models.valid_names import require_alias, require_name, shown
from rowcast.nearest import or_nearest
from rowcast.storage import Storage

_REMOVED = "removed"


class Registry:
    """The models below one folder or bucket. Several programs may use it at once, threads may share it.

    Manifests never change, so each is parsed once; whether it is still there, and aliases, are looked up each second.
    """

    def __init__(self, storage: Storage, key: str | None = None) -> None:
        """`key` (ROWCAST_MODEL_KEY) signs what is registered; then nothing unsigned is given out."""
        self.storage = storage
        self._key = key or None
        self._aliases = Aliases(storage)
        self._manifests = Manifests(storage)

    def resolve(self, reference: str) -> Manifest:
        """The version that `NAME`, `NAME@VERSION` or `NAME@ALIAS` means now.

        `NAME` alone is the alias `production` where it is set, else `latest`.

        Raises:
            UnknownModel: naming what there is instead.
        """
        name, at, wanted = reference.partition("@")
        return self.manifest(name, self._version(name, wanted) if at else self._default_version(name))

    def manifest(self, name: str, version: str) -> Manifest:
        """The manifest of one version.

        Raises:
            UnknownModel: there is no such model, or it has no such version.
            ModelRefused: the file is damaged, or is that of another model or version.
        """
        if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
            raise self._no_version(name, version)
        try:
            return self._manifests.read(name, version)
        except FileNotFoundError:
            raise self._no_version(name, version) from None

    def names(self) -> list[str]:
        """The models that have a version at least, sorted."""
        return sorted({key.split("/", 1)[0] for key, _ in self.storage.entries("") if _complete(key)})

    def versions(self, name: str) -> list[str]:
        """The versions of a model in numeric order; none where there is no such model."""
        if not NAME.fullmatch(name):
            return []
        found = [key.split("/")[1] for key, _ in self.storage.entries(name) if _complete(key)]
        return sorted(found, key=int)

    def aliases(self, name: str) -> dict[str, str]:
        """Alias to version, as of at most a second ago; none where there is no such model."""
        return self._aliases.read(name) if NAME.fullmatch(name) else {}

    def register(
        self,
        name: str,
        pickle_bytes: bytes,
        draft: Draft,
        golden: bytes | None = None,
        code: Mapping[str, bytes] | None = None,
    ) -> Manifest:
        """Adds the next version and moves the alias `latest`. Two at once get two versions.

        `golden` is the content of the golden sample's file, for which the draft's `golden` has the digest.
        `code` are the model's own modules, path to content (`code_files.read_code`).

        A version appears whole or not at all; the number of one that broke off is not used again.

        Raises:
            InvalidName: the name is none that a model can have.
        """
        require_name(name)
        version = self._take_version(name, pickle_bytes)
        manifest = Manifest(
            name=name,
            version=version,
            sha256=hashlib.sha256(pickle_bytes).hexdigest(),
            code=[
                CodeFile(path=path, sha256=hashlib.sha256(content).hexdigest(), length_bytes=len(content))
                for path, content in sorted((code or {}).items())
            ],
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **dict(draft),
        )
        if self._key is not None:
            manifest = signed(manifest, self._key)
        if golden is not None:
            self.storage.put(_golden_key(name, version), golden)
        for path, source in (code or {}).items():
            self.storage.put(_code_key(name, version, path), source)
        content = manifest.model_dump_json(indent=2).encode() + b"\n"
        self.storage.put(manifest_key(name, version), content)
        self._move_latest(name)
        return self.manifest(name, version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Lets `alias` mean `version`, which may be an alias itself: then what that means now.

        Raises:
            UnknownModel: there is no such model or version.
            InvalidName: the alias is none that a version can have.
        """
        require_alias(alias)
        self._aliases.update(name, {alias: self.manifest(name, self._version(name, version)).version})

    def remove(self, name: str, version: str) -> None:
        """Removes one version with its aliases; `latest` moves to the highest that is left.

        The aliases go first, so that nothing points to what is half gone. A worker that has the model open keeps it.

        Raises:
            NotFound: there is no such version.
        """
        self.manifest(name, version)
        left = [other for other in self.versions(name) if other != version]
        aliases = {alias: at for alias, at in self._aliases.fetch(name).items() if at != version}
        if left:
            self._aliases.replace(name, aliases | {LATEST: left[-1]})
        else:
            self._aliases.remove(name)
        self.storage.put(f"{name}/{version}/{_REMOVED}", b"")
        self._manifests.remove(name, version)
        for key, _ in list(self.storage.entries(f"{name}/{version}")):
            if key != f"{name}/{version}/{_REMOVED}":
                self.storage.delete(key)

    def model_bytes(self, manifest: Manifest) -> bytes:
        """The pickle of a version, which is what the manifest says that it is.

        Raises:
            UnknownModel: the file is gone.
            ModelRefused: the bytes have another digest than the manifest's, or, with a key, the manifest's
                signature is missing or wrong.
        """
        known_as = self._require_genuine(manifest)
        try:
            data = self.storage.get(_model_key(manifest.name, manifest.version))
        except FileNotFoundError:
            raise UnknownModel(f"The file of the model {known_as} is missing from the registry.") from None
        if hashlib.sha256(data).hexdigest() != manifest.sha256:
            raise ModelRefused(f"The model file of {known_as} does not match its manifest (SHA-256 differs).")
        return data

    def golden_bytes(self, manifest: Manifest) -> bytes | None:
        """The golden sample of a version; None if it has none.

        Raises:
            ModelRefused: the file is gone, or is not the one of the manifest.
        """
        if manifest.golden is None:
            return None
        known_as = f"{manifest.name}@{manifest.version}"
        try:
            data = self.storage.get(_golden_key(manifest.name, manifest.version))
        except FileNotFoundError:
            raise ModelRefused(f"The golden sample of {known_as} is missing from the registry.") from None
        if hashlib.sha256(data).hexdigest() != manifest.golden.sha256:
            raise ModelRefused(f"The golden sample of {known_as} does not match its manifest (SHA-256 differs).")
        return data

    def code_files(self, manifest: Manifest) -> dict[str, bytes]:
        """The model's own modules, path to content, each of which is what the manifest says that it is.

        Raises:
            NotFound: a file is gone.
            ModelRefused: as for `model_bytes`.
        """
        known_as = self._require_genuine(manifest)
        found = {}
        for file in manifest.code:
            try:
                data = self.storage.get(_code_key(manifest.name, manifest.version, file.path))
            except FileNotFoundError:
                raise UnknownModel(f"The file code/{file.path} of {known_as} is missing from the registry.") from None
            if hashlib.sha256(data).hexdigest() != file.sha256:
                raise ModelRefused(
                    f"The file code/{file.path} of {known_as} does not match its manifest (SHA-256 differs)."
                )
            found[file.path] = data
        return found

    def _require_genuine(self, manifest: Manifest) -> str:
        """`NAME@VERSION`, if the signature is valid (where there is a key) and the keys can be made of the names."""
        known_as = f"{manifest.name}@{manifest.version}"
        if self._key is not None and not is_signed(manifest, self._key):
            fault = "has no signature" if manifest.signature is None else "is not signed by ROWCAST_MODEL_KEY"
            raise ModelRefused(f"The manifest of {known_as} {fault}; the model is not opened.")
        if not NAME.fullmatch(manifest.name) or not VERSION.fullmatch(manifest.version):
            raise self._no_version(manifest.name, manifest.version)
        return known_as

    def _version(self, name: str, wanted: str) -> str:
        """The version that a version or an alias means."""
        if VERSION.fullmatch(wanted):
            return wanted
        aliases = self.aliases(name)
        if wanted not in aliases:
            raise self._no_version(name, wanted, aliases)
        return aliases[wanted]

    def _default_version(self, name: str) -> str:
        aliases = self.aliases(name)
        version = aliases.get(PRODUCTION) or aliases.get(LATEST)
        if version is None:  # the first registration broke off between manifest and alias
            version = next(reversed(self.versions(name)), None)
        if version is None:
            raise self._no_model(name)
        return version

    def _take_version(self, name: str, pickle_bytes: bytes) -> str:
        """Writes the pickle under the first free number; who writes it owns the number."""
        last = max((int(version) for version in self.storage.folders(name) if VERSION.fullmatch(version)), default=0)
        return next(
            str(number)
            for number in count(last + 1)
            if self.storage.create(_model_key(name, str(number)), pickle_bytes)
        )

    def _move_latest(self, name: str) -> None:
        """Points `latest` at the highest version, also when several registrations end at once.

        Each looks again after it has written: whoever writes last has seen every manifest that came before.
        """
        while self._aliases.fetch(name).get(LATEST) != (highest := self.versions(name)[-1]):
            self._aliases.update(name, {LATEST: highest})

    def _no_version(self, name: str, version: str, aliases: dict[str, str] | None = None) -> UnknownModel:
        versions = self.versions(name)
        if not versions:
            return self._no_model(name)
        aliases = self.aliases(name) if aliases is None else aliases
        if version in aliases:
            return UnknownModel(
                f"{version!r} is an alias of the model {name!r}; it means version {aliases[version]!r} now."
            )
        there = or_nearest(version, [*versions, *aliases])
        return UnknownModel(f"The model {name!r} has no version or alias {shown(version)}; {there}.")

    def _no_model(self, name: str) -> UnknownModel:
        return UnknownModel(f"The registry has no model {shown(name)}; {or_nearest(name, self.names())}.")


def _model_key(name: str, version: str) -> str:
    return f"{name}/{version}/model.pkl"


def _golden_key(name: str, version: str) -> str:
    return f"{name}/{version}/golden.json"


def _code_key(name: str, version: str, path: str) -> str:
    return f"{name}/{version}/code/{path}"


def _complete(key: str) -> bool:
    """Whether the key is that of a manifest, which is there once its version is whole."""
    parts = key.split("/")
    return (
        len(parts) == 3
        and parts[2] == "manifest.json"
        and NAME.fullmatch(parts[0]) is not None
        and VERSION.fullmatch(parts[1]) is not None
    )
