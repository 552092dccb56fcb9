"""Opening one version of a model, ready to predict as every worker does."""

from typing import Literal

from rowcast.models.loading.load import LoadedModel, load, without_names
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import check_golden
from rowcast.scoring.opening.fast_path import with_fast_path


def open_model(
    registry: Registry, manifest: Manifest, versions: Literal["strict", "warn"], *, fast_trees: bool
) -> LoadedModel:
    """Loads a version, checks its golden sample, and takes the fast path if `fast_trees` is set and no bit differs.

    Raises:
        NotFound: the file is missing.
        ModelRefused: its file must not be opened, or it predicts differently here than at its registration.
    """
    model = without_names(load(registry, manifest, versions))
    golden = registry.golden_bytes(model.manifest)
    if golden is None:  # there is nothing to compare the fast path with
        return model
    predicted = check_golden(model, golden, versions)
    return with_fast_path(model, golden, predicted) if fast_trees else model
