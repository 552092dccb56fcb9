"""The facts about a model's version that `rowcast models show` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rowcast.models.facts.fold_metrics import CrossValidation
    from rowcast.models.model_manifest import Manifest


def facts(manifest: "Manifest", aliases: Sequence[str] = ()) -> dict[str, str]:
    """Returns the facts by name, without those that the version does not have. `aliases` are those that name it."""
    found = {
        "model": manifest.reference,
        "about": manifest.description,
        "aliases": ", ".join(aliases),
        "task": manifest.task,
        "classes": None if manifest.classes is None else ", ".join(map(str, manifest.classes)),
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in manifest.metrics.items()),
        "folds": "" if manifest.cross_validation is None else _folds(manifest.cross_validation),
        "threshold": "" if manifest.threshold is None else f"{manifest.threshold:.4g} (for threshold=auto)",
        "trained": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in manifest.training.items() if value),
        "golden": f"{manifest.golden.rows} rows" if manifest.golden else None,
        "needs": ", ".join(_needs(manifest)),
        "libraries": ", ".join(f"{name} {version}" for name, version in manifest.libraries.items()),
        "code": ", ".join(one.path for one in manifest.code),
        "explain": str(manifest.explanations or "No. It was registered before there were explanations."),
        "fast path": str(manifest.fast_path or "Not compared at registration. Each worker finds out."),
        "notes": " ".join(manifest.notes),
        "created": manifest.created_at,
        "sha256": manifest.sha256,
    }
    return {name: value for name, value in found.items() if value}


def _folds(found: "CrossValidation") -> str:
    """Returns the metrics of a cross-validation with their intervals."""
    shown = ", ".join(f"{name} {one}" for name, one in found.metrics.items())
    return f"{shown}; mean and 95 % interval of {found.folds} folds ({found.method})"


def _needs(manifest: "Manifest") -> list[str]:
    """Returns the packages that the model imports with their versions, for example `lightgbm 4.7.0`."""
    return [
        f"{one.distribution or module}{f' {one.version}' if one.version else ''}{' (optional)' if one.optional else ''}"
        for module, one in manifest.requires.items()
    ]
