"""The facts about a model's version that `rowcast models show` prints."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rowcast.models.model_manifest import Manifest


def facts(manifest: "Manifest") -> dict[str, str]:
    """Returns the facts by name, without those that the version does not have."""
    found = {
        "model": manifest.reference,
        "task": manifest.task,
        "classes": None if manifest.classes is None else ", ".join(map(str, manifest.classes)),
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in manifest.metrics.items()),
        "threshold": "" if manifest.threshold is None else f"{manifest.threshold:.4g} (for threshold=auto)",
        "needs": ", ".join(_needs(manifest)),
        "code": ", ".join(one.path for one in manifest.code),
        "fast path": str(manifest.fast_path or "Not compared at registration. Each worker finds out."),
        "created": manifest.created_at,
        "sha256": manifest.sha256,
    }
    return {name: value for name, value in found.items() if value}


def _needs(manifest: "Manifest") -> list[str]:
    """Returns the packages that the model imports with their versions, for example `lightgbm 4.7.0`."""
    return [
        f"{one.distribution or module}{f' {one.version}' if one.version else ''}{' (optional)' if one.optional else ''}"
        for module, one in manifest.requires.items()
    ]
