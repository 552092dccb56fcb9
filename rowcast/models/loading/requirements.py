"""Which installed packages a model needs, and whether they are here. Nothing of the model is executed."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from importlib.metadata import version as installed_version
from importlib.util import find_spec

from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.pickle_scan import MAIN, PickleScan
from rowcast.models.model_manifest import Requirement

PIP_NAMES = {
    "catboost": "catboost",
    "category_encoders": "category-encoders",
    "cloudpickle": "cloudpickle",
    "dill": "dill",
    "feature_engine": "feature-engine",
    "hdbscan": "hdbscan",
    "imblearn": "imbalanced-learn",
    "interpret": "interpret",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "mlxtend": "mlxtend",
    "ngboost": "ngboost",
    "nltk": "nltk",
    "polars": "polars",
    "pygam": "pygam",
    "scikeras": "scikeras",
    "sentence_transformers": "sentence-transformers",
    "sklearn_pandas": "sklearn-pandas",
    "sklearn": "scikit-learn",
    "skops": "skops",
    "skorch": "skorch",
    "sksurv": "scikit-survival",
    "spacy": "spacy",
    "statsmodels": "statsmodels",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "umap": "umap-learn",
    "xgboost": "xgboost",
}
"""Packages that models often use, and their names for pip: a missing one is not taken for the user's own code."""

_NO_PACKAGES = sys.stdlib_module_names | {MAIN, "builtins"}


def requirements(scan: PickleScan, code: ModelCode) -> dict[str, Requirement]:
    """Returns top-level module to the package that has it, for those that are installed here."""
    needed, optional = _imports(scan.modules, code)
    found = {module: _requirement(module, optional=module not in needed) for module in sorted(needed | optional)}
    return {module: one for module, one in found.items() if is_installed(module)}


def missing_modules(scan: PickleScan, code: ModelCode) -> list[str]:
    """Returns the modules that are neither here nor in the model's code, so that it cannot be loaded; sorted."""
    named = {
        module for module in scan.modules if _is_foreign(module, code) and not is_installed(module.partition(".")[0])
    }
    imported = _imports(scan.modules, code)[0] - {module.partition(".")[0] for module in scan.modules}
    return sorted(named | {module for module in imported if not is_installed(module)})


def why_missing(requires: Mapping[str, Requirement]) -> str | None:
    """Returns which packages of a model are not installed here, as the end of a sentence; None if all are."""
    missing = {module: one for module, one in requires.items() if not one.optional and not is_installed(module)}
    if not missing:
        return None
    installable = [one for one in missing.values() if one.distribution]
    named = ", ".join(
        " ".join(filter(None, (one.distribution or f"the module {module!r}", one.version)))
        for module, one in missing.items()
    )
    remedies = []
    if installable:
        pins = " ".join(f"{one.distribution}=={one.version}" for one in installable)
        remedies.append(f"pip install {pins}")
    if len(installable) < len(missing):
        remedies.append("register the model again with its own modules (--code)")
    return f"needs {named}, which is not installed here: {'; '.join(remedies)}"


def is_installed(module: str) -> bool:
    """Returns whether the top-level module can be imported here, without importing it."""
    if module in sys.modules:
        return True
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _requirement(module: str, *, optional: bool) -> Requirement:
    names = distributions(module)
    if not names:
        return Requirement(distribution=None, version=None, optional=optional)
    name = PIP_NAMES.get(module) if PIP_NAMES.get(module) in names else min(names)
    try:
        return Requirement(distribution=name, version=installed_version(str(name)), optional=optional)
    except PackageNotFoundError:
        return Requirement(distribution=name, version=None, optional=optional)


@cache
def distributions(module: str) -> list[str]:
    """Returns the names of the installed distributions that have the top-level module.

    If one of the module's own name has it, only that one is looked at.
    """
    try:
        likely = distribution(PIP_NAMES.get(module, module))
    except PackageNotFoundError:
        return _modules().get(module, [])
    return [likely.name] if _has(likely, module) else _modules().get(module, [])


def _has(one: Distribution, module: str) -> bool:
    named = (one.read_text("top_level.txt") or "").split()
    return module in named or any(file.parts[0] in (module, f"{module}.py") for file in one.files or [])


@cache
def _modules() -> Mapping[str, list[str]]:
    """Returns the distributions of each importable module. Reading the lists of their files takes half a second."""
    return packages_distributions()


def _imports(modules: Iterable[str], code: ModelCode) -> tuple[set[str], set[str]]:
    """Returns the top-level foreign modules that these modules import always, and those that they may import.

    It follows the imports through the model's own modules. The second ones are imported in functions, or in a `try`.
    """
    needed: set[str] = set()
    optional: set[str] = set()
    waiting = [(module, True) for module in modules]
    seen: set[tuple[str, bool]] = set()
    while waiting:
        module, always = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if _is_foreign(module, code):
            (needed if always else optional).add(module.partition(".")[0])
        elif code.owns(module):
            parent = module.rpartition(".")[0]
            waiting += [(parent, always)] if parent else []
            waiting += [(name, always and unconditional) for name, unconditional in _imports_of(module, code)]
    return needed, optional - needed


def _is_foreign(module: str, code: ModelCode) -> bool:
    return module.partition(".")[0] not in _NO_PACKAGES and not code.owns(module)


def _imports_of(module: str, code: ModelCode) -> Iterator[tuple[str, bool]]:
    """Yields what one of the model's own modules imports, and whether it does so whenever it is imported itself."""
    source = code.source(module)
    try:
        tree = ast.parse(source or b"")
    except (SyntaxError, ValueError):  # importing it will raise the error
        return
    package = module if code.is_package(module) else module.rpartition(".")[0]
    for node, unconditional in _statements(tree, True):
        if isinstance(node, ast.Import):
            yield from ((alias.name, unconditional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            if base:
                yield base, unconditional
                submodules = (f"{base}.{alias.name}" for alias in node.names)
                yield from ((name, unconditional) for name in submodules if name in code.modules)


def _statements(node: ast.AST, unconditional: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, unconditional
        inner = unconditional and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Try | ast.If)
        yield from _statements(child, inner)
