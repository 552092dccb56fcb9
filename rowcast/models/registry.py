"""The registry: the models that exist, with their versions and aliases. It never opens a pickle.

    NAME/VERSION/model.pkl        written first, by a create-only put, which takes the version number
    NAME/VERSION/golden.json      some rows and their predictions, which every worker checks after loading
    NAME/VERSION/profile.json     how the sample was distributed, with which batches are compared
    NAME/VERSION/code/…           the model's own modules, if it brings any
    NAME/VERSION/manifest.json    written last: a version without it does not exist yet
    NAME/VERSION/removed          the only file that stays of a removed version, so that its number is not used again
    NAME/aliases.json             which version each alias means; of the files, only this one and the next two change
    NAME/alias_moves.json         when and by which key the aliases were moved
    NAME/shadows.json             which version scores a share of an alias's jobs, too, to be compared

Names, versions and aliases come from requests. One with an invalid form is reported as not found (`NotFound`), and
never becomes part of a storage key.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

from rowcast.errors import UnknownModel, WrongState
from rowcast.models.drift.profile import Profile
from rowcast.models.manifest_cache import Manifests, manifest_key
from rowcast.models.model_manifest import NAME, VERSION, CodeFile, Draft, Manifest
from rowcast.models.naming.alias_moves import AliasMove, earlier_version
from rowcast.models.naming.aliases import ANY, LATEST, PRODUCTION, Aliases
from rowcast.models.naming.valid_names import require_alias, require_name, shown
from rowcast.models.shadow.alias_shadows import AliasShadows
from rowcast.models.signature import signed
from rowcast.models.version_files import VersionFiles, code_key, golden_key, is_manifest_key, model_key, profile_key
from rowcast.storage import Storage
from rowcast.wording.nearest import or_nearest

_REMOVED = "removed"


class Registry:
    """The models in one folder or bucket. Several programs may use it at once, and threads may share it.

    Manifests never change, so each is parsed once. Each second it is looked up again, and the aliases are read again.
    """

    def __init__(self, storage: Storage, key: str | None = None, actor: str = "") -> None:
        """Opens the registry.

        `key` (ROWCAST_MODEL_KEY) signs what is registered. If there is one, unsigned models are refused. `actor` is the
        user in the moves of aliases and in shadows, if a call names no other.
        """
        self.actor = actor
        self.storage = storage
        self.shadows = AliasShadows(storage)
        self._key = key or None
        self._aliases = Aliases(storage)
        self._manifests = Manifests(storage)
        self._files = VersionFiles(storage, self._key)

    def resolve(self, reference: str) -> Manifest:
        """Returns the version that `NAME`, `NAME@VERSION` or `NAME@ALIAS` means now.

        `NAME` without a version means the alias `production` if it is set, otherwise `latest`.

        Raises:
            UnknownModel: there is none; the message names the nearest.
        """
        name, at, wanted = reference.partition("@")
        return self.manifest(name, self._version(name, wanted) if at else self._default_version(name))

    def manifest(self, name: str, version: str) -> Manifest:
        """Returns the manifest of one version.

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
        """Returns the names of the models with at least one version, sorted."""
        return sorted({key.split("/", 1)[0] for key, _ in self.storage.entries("") if is_manifest_key(key)})

    def versions(self, name: str) -> list[str]:
        """Returns the versions of a model in numeric order; an empty list for an unknown model."""
        if not NAME.fullmatch(name):
            return []
        found = [key.split("/")[1] for key, _ in self.storage.entries(name) if is_manifest_key(key)]
        return sorted(found, key=int)

    def aliases(self, name: str) -> dict[str, str]:
        """Returns alias to version, at most a second old; empty for an unknown model."""
        return self._aliases.read(name) if NAME.fullmatch(name) else {}

    def aliases_of(self, manifest: Manifest) -> list[str]:
        """Returns the aliases that name a version now, sorted."""
        return sorted(alias for alias, at in self.aliases(manifest.name).items() if at == manifest.version)

    def register(
        self,
        name: str,
        pickle_bytes: bytes,
        draft: Draft,
        golden: bytes | None = None,
        code: Mapping[str, bytes] | None = None,
        *,
        profile: bytes | None = None,
    ) -> Manifest:
        """Adds the next version and moves the alias `latest`. Two calls at the same time get two versions.

        `golden` is the content of the golden sample's file, the draft's `golden` has its digest; likewise `profile`.
        `code` has the model's own modules, path to content (`own_code_files.read_code`).

        A version appears completely or not at all. The number of an interrupted registration is not used again.

        Raises:
            InvalidName: a model cannot have this name.
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
            self.storage.put(golden_key(name, version), golden)
        if profile is not None:
            self.storage.put(profile_key(name, version), profile)
        for path, source in (code or {}).items():
            self.storage.put(code_key(name, version, path), source)
        content = manifest.model_dump_json(indent=2).encode() + b"\n"
        self.storage.put(manifest_key(name, version), content)
        self._move_latest(name)
        return self.manifest(name, version)

    def set_alias(self, name: str, alias: str, version: str, *, expected: str | None = ANY, by: str = "") -> None:
        """Points `alias` at `version`. If that is an alias itself, the version that it means now is taken.

        `expected` is the version that the alias has to name now, None if it must not exist. `by` is the name of a key
        or a user.

        Raises:
            UnknownModel: there is no such model or version.
            InvalidName: a version cannot have this alias.
            AliasMoved: the alias names another version than `expected`; it stays as it is.
        """
        require_alias(alias)
        found = self.manifest(name, self._version(name, version)).version
        goes_back = found == self.earlier_version(name, alias)
        self._aliases.move(name, alias, found, expected=expected, by=by or self.actor, is_rollback=goes_back)

    def earlier_version(self, name: str, alias: str) -> str | None:
        """Returns the version to which a rollback leads; None if none is known that still exists."""
        current = self._aliases.fetch(name).get(alias)
        return earlier_version(self._aliases.moves(name), alias, current, self.versions(name))

    def rollback(self, name: str, alias: str) -> tuple[str, str]:
        """Points `alias` at its earlier version. Returns the version that it named until now, and the earlier one.

        Raises:
            UnknownModel: there is no such model or alias, or no earlier version is known. AliasMoved: it has moved.
        """
        aliases = self._aliases.fetch(name) if NAME.fullmatch(name) else {}
        if alias not in aliases:
            raise self._no_version(name, alias, aliases)
        current, version = aliases[alias], self.earlier_version(name, alias)
        if version is None:
            raise UnknownModel(f"No version is known that {name}@{alias} named before version {current}.")
        self.set_alias(name, alias, version, expected=current)
        return current, version

    def alias_moves(self, name: str) -> list[AliasMove]:
        """Returns the latest moves of the model's aliases, the oldest first."""
        return self._aliases.moves(name) if NAME.fullmatch(name) else []

    def remove(self, name: str, version: str, *, with_aliases: bool = True) -> None:
        """Removes one version with its aliases. `latest` moves to the highest version that is left.

        The aliases are removed first, so that none points to an incomplete version. Workers keep what they have loaded.

        Raises:
            NotFound: there is no such version.
            WrongState: an alias other than `latest` names it, and not `with_aliases`.
        """
        self.manifest(name, version)
        left = [other for other in self.versions(name) if other != version]
        if left:

            def without(aliases: dict[str, str]) -> dict[str, str]:
                named = sorted(alias for alias, at in aliases.items() if at == version and alias != LATEST)
                if named and not with_aliases:
                    raise WrongState(f"{name}@{version} is what {name}@{named[0]} names now; it stays.")
                return {alias: at for alias, at in aliases.items() if at != version} | {LATEST: left[-1]}

            self._aliases.replace(name, without)
            self.shadows.keep_those_of(name, self.aliases(name))
        else:
            self._aliases.remove(name)
            self.shadows.remove(name)
        self.storage.put(f"{name}/{version}/{_REMOVED}", b"")
        self._manifests.remove(name, version)
        self._files.remove(name, version, kept=_REMOVED)

    def model_bytes(self, manifest: Manifest) -> bytes:
        """Reads the pickle of a version.

        Raises:
            UnknownModel: the file is missing.
            ModelRefused: the bytes have another digest than the manifest's, or, with a key, the manifest's
                signature is missing or wrong.
        """
        return self._files.model(manifest)

    def model_file_bytes(self, manifest: Manifest) -> int:
        """Returns the length of the pickle of a version, which is not read; 0 if it is missing."""
        return self._files.model_length(manifest)

    def golden_bytes(self, manifest: Manifest) -> bytes | None:
        """Reads the golden sample of a version. Returns None if it has none.

        Raises:
            ModelRefused: the file is missing, or has another digest than the manifest's.
        """
        return self._files.golden(manifest)

    def profile(self, manifest: Manifest) -> Profile | None:
        """Reads the profile of a version's sample. Returns None if it has none.

        Raises:
            ModelRefused: as for `golden_bytes`.
        """
        return self._files.profile(manifest)

    def code_files(self, manifest: Manifest) -> dict[str, bytes]:
        """Reads the model's own modules. Returns content by path.

        Raises:
            UnknownModel: a file is missing.
            ModelRefused: as for `model_bytes`.
        """
        return self._files.code(manifest)

    def _version(self, name: str, wanted: str) -> str:
        if VERSION.fullmatch(wanted):
            return wanted
        aliases = self.aliases(name)
        if wanted not in aliases:
            raise self._no_version(name, wanted, aliases)
        return aliases[wanted]

    def _default_version(self, name: str) -> str:
        aliases = self.aliases(name)
        version = aliases.get(PRODUCTION) or aliases.get(LATEST)
        if version is None:  # the first registration was interrupted between manifest and alias
            version = next(reversed(self.versions(name)), None)
        if version is None:
            raise self._no_model(name)
        return version

    def _take_version(self, name: str, pickle_bytes: bytes) -> str:
        """Writes the pickle under the first free number, which then belongs to it. Returns the number."""
        last = max((int(version) for version in self.storage.folders(name) if VERSION.fullmatch(version)), default=0)
        return next(
            str(number) for number in count(last + 1) if self.storage.create(model_key(name, str(number)), pickle_bytes)
        )

    def _move_latest(self, name: str) -> None:
        """Points `latest` at the highest version, also if several registrations end at the same time.

        Each registration looks again after it has written, so the last one to write has seen every earlier manifest.
        """
        while self._aliases.fetch(name).get(LATEST) != (highest := self.versions(name)[-1]):
            self._aliases.update(name, {LATEST: highest}, self.actor)

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
