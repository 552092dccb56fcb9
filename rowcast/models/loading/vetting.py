"""Vetting: whether a worker like this process could load a model, found before it is registered or executed."""

from collections.abc import Sequence
from typing import Literal

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import another_sklearn
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.pickle_errors import lacks_main, lacks_modules
from rowcast.models.loading.pickle_scan import MAIN, PickleScan, scan_pickle
from rowcast.models.loading.requirements import missing_modules, requirements
from rowcast.models.model_manifest import Draft


def vet_pickle(name: str, data: bytes, code: ModelCode, versions: Literal["strict", "warn"]) -> None:
    """Checks that the names and versions in a pickle fit this environment: see `vet_scan`."""
    vet_scan(name, scan_pickle(data), code, versions)


def vet_scan(name: str, scan: PickleScan, code: ModelCode, versions: Literal["strict", "warn"]) -> None:
    """Checks that what a file names fits this environment; `name` is the file's, for the message.

    Raises:
        Unprocessable: it uses names of a script (`__main__`) or modules that are not here, or was made with another
            scikit-learn.
    """
    if of_main := [qualified for module, qualified in scan.names if module == MAIN]:
        raise Unprocessable(f"{name} cannot be loaded by a worker: {lacks_main(of_main)}")
    if missing := missing_modules(scan, code):
        raise Unprocessable(f"{name} cannot be opened here. {lacks_modules(missing, code)}")
    if versions == "strict":
        require_this_sklearn(name, sorted(scan.sklearn_versions))


def require_this_sklearn(name: str, versions: Sequence[str]) -> None:
    """Checks that this process may load pickles of these versions of scikit-learn.

    Raises:
        Unprocessable: one has another `MAJOR.MINOR`.
    """
    for version in versions:
        if fault := another_sklearn(version):
            raise Unprocessable(f"{name} {fault}. Nothing was registered.")


def with_requirements(draft: Draft, data: bytes, code: ModelCode) -> Draft:
    """Returns the draft with the packages that pickle and code import, and notes on modules that are not stored."""
    found = requirements(scan_pickle(data), code)
    left = [module for module, one in found.items() if one.distribution is None and not one.optional]
    notes = [
        f"The module {module!r} belongs to no installed package and is not stored with the model: the workers must "
        f"have it, too. To store it, register the model with --code {module}.py, or --code {module} if it is a folder."
        for module in left
    ]
    return draft.model_copy(update={"requires": found, "notes": [*draft.notes, *notes]})
