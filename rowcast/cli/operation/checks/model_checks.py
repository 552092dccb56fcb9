"""The checks of the registry: whether each version could be opened here, without opening it."""

from collections.abc import Iterator
from pathlib import Path

from rowcast.cli.operation.checks.diagnosis import Diagnosis
from rowcast.compiled_cache import has_code
from rowcast.errors import RowcastError
from rowcast.models.loading.requirements import is_installed
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.wording.quantity import counted


def model_findings(registry: Registry, settings: Settings) -> Iterator[Diagnosis]:
    """Yields the versions that cannot be opened here. It is a fault if an alias names one, otherwise a warning."""
    has_sklearn = is_installed("sklearn")
    good = 0
    for name in registry.names():
        named = set(registry.aliases(name).values())
        for version in registry.versions(name):
            why = _why_not(registry, name, version, settings, has_sklearn=has_sklearn)
            good += why is None
            if why is not None:
                is_used = version in named
                remedy = "Install what is missing, or register the model again" + (
                    "." if is_used else "; or remove it: rowcast models rm."
                )
                yield Diagnosis("fault" if is_used else "warning", "models", why, remedy)
    if not has_sklearn:
        message = f"{counted(good, 'manifest')} can be read. Nothing more can be checked without scikit-learn."
        yield Diagnosis("skipped", "models", message, "Run `python -m rowcast.cli doctor` where a worker runs.")
    elif good:
        yield Diagnosis("ok", "models", f"{counted(good, 'version')} can be opened here.")


def _why_not(registry: Registry, name: str, version: str, settings: Settings, *, has_sklearn: bool) -> str | None:
    """Returns in a sentence why the version cannot be opened here; None if nothing speaks against it."""
    try:
        manifest = registry.manifest(name, version)
        registry.model_bytes(manifest)
        registry.code_files(manifest)
    except RowcastError as error:
        return error.detail
    if not has_sklearn:
        return None
    from rowcast.models.loading.load import why_not_here

    fault = why_not_here(manifest, settings.model_versions)
    return f"The model {name}@{version} {fault}." if fault else None


def cache_finding(folder: Path) -> Diagnosis:
    """Returns whether the compiled code is there."""
    if not is_installed("numba"):
        return Diagnosis("skipped", "cache", "Without numba here, compiled code cannot be checked.")
    if has_code(folder):
        return Diagnosis("ok", "cache", f"Compiled code is in {folder}.")
    remedy = "python -m rowcast.compiled_cache"
    return Diagnosis("warning", "cache", f"{folder} has no compiled code: the first worker needs some seconds.", remedy)
