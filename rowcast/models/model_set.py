"""The models of a job: one, or two that predict the same rows in one pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from rowcast.errors import OptionValue
from rowcast.models.model_manifest import Manifest

MAX_MODELS = 2
"""How many models may predict in one pass."""


class _Version(Protocol):
    """A version of a model: a `Manifest` or a `ModelRef`."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


def labels_of(versions: Sequence[_Version]) -> tuple[str, ...]:
    """Returns what two models are called in the columns of a result: `NAME`, or `NAME@VERSION` if both have one name.

    One model needs no such name, so its label is empty.
    """
    if len(versions) < 2:
        return ("",) * len(versions)
    if len({one.name for one in versions}) < len(versions):
        return tuple(f"{one.name}@{one.version}" for one in versions)
    return tuple(one.name for one in versions)


@dataclass(frozen=True)
class ModelSet:
    """The manifests of a job's models, in the order of the request."""

    #: One manifest, or two.
    manifests: tuple[Manifest, ...]

    @classmethod
    def resolve(cls, text: str, resolve_one: Callable[[str], Manifest]) -> "ModelSet":
        """Returns the models that the option `model` names, for example `titanic@1,titanic@production`.

        Raises:
            OptionValue: a name is empty, there are too many, or two of them are the same version. The others are those
                of `resolve_one`, which finds the version of one name.
        """
        names = [name.strip() for name in text.split(",")]
        if len(names) > MAX_MODELS:
            raise OptionValue.at("model", f"names {len(names)} models; at most {MAX_MODELS} can predict in one pass")
        if len(names) > 1 and not all(names):
            raise OptionValue.at("model", "has a comma without a model next to it; two models are NAME,NAME")
        found = cls(tuple(map(resolve_one, names)))
        if len(set(found.references)) < len(names):
            one, other = names
            same = f"names {found.references[0]} twice"
            known = "" if one == other else f": {one} and {other} are the same version"
            raise OptionValue.at("model", f"{same}{known}; name two different versions, or only one")
        return found

    @property
    def first(self) -> Manifest:
        """The first or only manifest."""
        return self.manifests[0]

    @property
    def second(self) -> Manifest | None:
        """The second manifest, if two models predict."""
        return self.manifests[1] if self.is_pair else None

    @property
    def is_pair(self) -> bool:
        """Whether two models predict."""
        return len(self.manifests) > 1

    @property
    def references(self) -> tuple[str, ...]:
        """Each version as `NAME@VERSION`."""
        return tuple(manifest.reference for manifest in self.manifests)

    @property
    def reference(self) -> str:
        """All versions, for example `titanic@1,titanic@2`."""
        return ",".join(self.references)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each model is called in the result (`labels_of`)."""
        return labels_of(self.manifests)

    @cached_property
    def feature_names(self) -> list[str]:
        """The features of all models, each once: those of the first model, then the others of the second."""
        return list(dict.fromkeys(name for manifest in self.manifests for name in manifest.feature_names))

    @cached_property
    def required_names(self) -> list[str]:
        """The features that an input must have, because one of the models needs them."""
        return list(dict.fromkeys(name for manifest in self.manifests for name in manifest.required_names))

    @property
    def has_one_order(self) -> bool:
        """Whether all models take the same features in the same order, so that values need no names."""
        first, *others = (manifest.feature_names for manifest in self.manifests)
        return all(other == first for other in others)

    def needed_by(self, column: str) -> list[str]:
        """Returns the labels of the models that need a column."""
        pairs = zip(self.labels, self.manifests, strict=True)
        return [label for label, manifest in pairs if column in manifest.required_names]
