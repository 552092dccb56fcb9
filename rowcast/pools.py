"""Pools of workers: which models only certain workers serve. A model that no pool names belongs to the default pool.

The setting has the form `POOL=MODEL,MODEL;POOL=MODEL`, for example `heavy=fraud,images-*;team-b=churn`. The name of the
default pool is empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

_NAME = "[a-z0-9][a-z0-9-]{0,31}"
_MODELS = r"[A-Za-z0-9._*-]+(?: *, *[A-Za-z0-9._*-]+)*"
_POOL = rf"{_NAME} *= *{_MODELS}"

NAME_PATTERN = f"^(?:{_NAME})?$"
"""The name of a pool, or nothing: lower-case letters, digits and hyphens."""

POOLS_PATTERN = f"^ *(?:{_POOL} *(?:; *{_POOL} *)*;? *)?$"
"""The whole setting."""


@dataclass(frozen=True)
class Pools:
    """The pools besides the default one."""

    #: Name of a pool, and a model's name or a pattern with `*`, in the order of the setting.
    rules: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """The names of the pools, in the order of the setting."""
        return list(dict.fromkeys(pool for pool, _ in self.rules))

    @property
    def with_work(self) -> list[str]:
        """The names of all pools that can get work: the default one too, unless a pool takes every model."""
        return self.names if any(pattern == "*" for _, pattern in self.rules) else ["", *self.names]

    def of_model(self, name: str) -> str:
        """Returns the first pool that names the model; an empty text, which is the default pool, if none does."""
        return next((pool for pool, pattern in self.rules if fnmatchcase(name, pattern)), "")

    def of_models(self, names: Iterable[str]) -> list[str]:
        """Returns the pools besides the default one to which some of these models belong."""
        return [pool for pool in dict.fromkeys(map(self.of_model, names)) if pool]


@cache
def read_pools(setting: str) -> Pools:
    """Returns the pools of a setting that has the form of `POOLS_PATTERN`."""
    rules = []
    for part in filter(None, map(str.strip, setting.split(";"))):
        pool, _, models = part.partition("=")
        rules += [(pool.strip(), model.strip()) for model in models.split(",")]
    return Pools(tuple(rules))
