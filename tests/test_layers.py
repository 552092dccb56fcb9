"""The rooms and the ways between them (docs/architecture.md): a file imports only from the rows below its own."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("layers")  # they share what was parsed

ROOT = Path(__file__).parent.parent
ROWS = {
    "rowcast.cli": 4, "rowcast.local": 4, "rowcast.in_process": 4,
    "api": 3, "worker": 3, "training": 3, "upkeep": 3, "rowcast.client": 3,
    "rowcast.jobs": 2, "rowcast.models": 2, "rowcast.scoring": 2, "rowcast.compiled_cache": 2,
    "rowcast.csv": 1, "rowcast.heartbeat_file": 1, "rowcast.storage": 1, "rowcast.logs": 1, "rowcast.api_keys": 1,
    "rowcast.receipts": 1, "rowcast.trees": 1, "rowcast.tracing": 1,
    "rowcast.version": 0, "rowcast.settings": 0, "rowcast.errors": 0, "rowcast.problem": 0, "rowcast.wording": 0,
    "rowcast.memory": 0, "rowcast.loopback": 0, "rowcast.secret_files": 0, "rowcast.stop_signals": 0,
    "rowcast.compiling": 0, "rowcast.log_lines": 0, "rowcast.redis_access": 0, "rowcast.pools": 0,
}  # fmt: skip
ALLOWED = {
    ("rowcast.settings", "rowcast.errors"),
    ("rowcast.settings", "rowcast.secret_files"),
    ("rowcast.settings", "rowcast.redis_access"),
    ("rowcast.secret_files", "rowcast.errors"),
    ("rowcast.errors", "rowcast.wording"),
    ("rowcast.settings", "rowcast.memory"),
    ("rowcast.settings", "rowcast.pools"),
    ("rowcast.problem", "rowcast.errors"),
    ("rowcast.jobs", "rowcast.models"),
    ("rowcast.scoring", "rowcast.jobs"),
    ("rowcast.scoring", "rowcast.models"),
    ("rowcast.compiled_cache", "rowcast.scoring"),
    ("rowcast", "rowcast.client"),
    ("rowcast", "rowcast.trees"),
    ("rowcast", "rowcast.in_process"),
    ("rowcast.in_process", "rowcast.local"),
    ("rowcast.cli", "rowcast.local"),
}
"""Jobs know what a model promises (its manifest), never how it is opened; the package's face names what is public."""

FILES = sorted(
    file for folder in ("api", "worker", "training", "upkeep", "rowcast") for file in (ROOT / folder).rglob("*.py")
)


MOST_MODULES = 13

SEEN_FROM_TWO_LAYERS = {
    "app",
    "check",
    "job",
    "job_filter",
    "jobs",
    "keys",
    "models",
    "predict",
    "receipts",
    "repair",
    "up",
}
"""For example the calls, the command line and the actions that have to do with jobs."""

PROBLEMS_OF_THE_CLIENT = {
    "Forbidden", "Gone", "NoResult", "NotFound", "RateLimited", "Refused", "TooLarge", "Unavailable", "Unprocessable",
    "UnsupportedType",
}  # fmt: skip
"""Errors that the client raises for the service's errors of the same name. It imports nothing from the service."""

VALUES_OF_THE_CLIENT = {"BulkOutcome", "Job", "JobFilter", "Prediction"}
"""What the client makes of the service's JSON document of the same name."""


def dotted(file: Path) -> str:
    """The name under which the file is imported."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str | None:
    """The longest name in ROWS that holds the module."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in ROWS), "rowcast" if module == "rowcast" else None)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def imports(file: Path) -> frozenset[str]:
    """Returns every module that the file imports, inside functions too, because circles hide there."""
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def test_imports_go_down() -> None:
    faults = []
    for file in FILES:
        here = room(dotted(file))
        for module in imports(file):
            there = room(module)
            if there in (None, "rowcast") or there == here or (here, there) in ALLOWED:
                continue
            if here not in ROWS:
                faults.append(f"{file} imports {module} and stands in no room")
            elif ROWS[there] >= ROWS[here]:
                faults.append(f"{file}: {here} imports {there}")
    assert not faults, "\n".join(faults)


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports for type checkers count, too: a circle of those is still one idea in several files."""
    modules = {dotted(file): file for file in FILES}
    remaining = {name: imports(file) & set(modules) - {name} for name, file in modules.items()}
    while free := {name for name, needed in remaining.items() if not needed & set(remaining)}:
        remaining = {name: needed for name, needed in remaining.items() if name not in free}
    assert not remaining, f"these import each other, or something that does: {sorted(remaining)}"


def test_a_module_has_a_name_of_its_own() -> None:
    """Two modules share a name only if they are the same thing seen from two layers."""
    seen: dict[str, set[str]] = {}
    for file in FILES:
        if not file.stem.startswith("__"):
            seen.setdefault(file.stem, set()).add(dotted(file))
    shared = {name: modules for name, modules in seen.items() if len(modules) > 1}
    assert set(shared) <= SEEN_FROM_TWO_LAYERS, shared


def test_a_class_has_a_name_of_its_own() -> None:
    """Two classes share a name only if the client has the one and the service the other.

    `rowcast/client/errors/*problems.py` has the names of all of the service's errors; its own test compares them.
    """
    seen: dict[str, list[str]] = {}
    for file in FILES:
        for node in parsed(file).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                seen.setdefault(node.name, []).append(dotted(file))
    seen = {name: [one for one in modules if not one.endswith("problems")] for name, modules in seen.items()}
    shared = {name: modules for name, modules in seen.items() if len(modules) > 1}
    assert set(shared) == PROBLEMS_OF_THE_CLIENT | VALUES_OF_THE_CLIENT, shared
    for name, modules in shared.items():
        assert [room(module) for module in modules].count("rowcast.client") == len(modules) - 1 == 1, (name, modules)


def test_a_folder_is_not_crowded() -> None:
    for folder in {file.parent for file in FILES}:
        modules = [file.stem for file in folder.glob("*.py") if not file.stem.startswith("__")]
        assert len(modules) <= MOST_MODULES, f"{folder} has {len(modules)} modules"


def test_a_module_says_what_it_is_in_its_first_line_and_is_one_noun() -> None:
    assert not [file for file in FILES if not ast.get_docstring(parsed(file))], "no docstring"
    assert not [file for file in FILES if file.read_text().count("\n") > 300], "over 300 lines"


def test_an_installed_rowcast_has_every_module() -> None:
    """Tests import from the checkout, so they would not miss a folder that `pip install` leaves out."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {".".join(file.relative_to(ROOT).parent.parts) for file in FILES} <= set(packages)


def test_jobs_know_of_models_only_what_they_promise() -> None:
    for file in (ROOT / "rowcast" / "jobs").rglob("*.py"):
        assert {name for name in imports(file) if name.startswith("rowcast.models.")} <= {
            "rowcast.models.model_manifest",
            "rowcast.models.model_manifest.Manifest",
            "rowcast.models.model_manifest.Label",
            *("rowcast.models.model_set", "rowcast.models.model_set.ModelSet"),
            *("rowcast.models.cells", "rowcast.models.cells.boolean_pair"),
            *("rowcast.models.cells.number", "rowcast.models.cells.whole_number"),
            *("rowcast.models.drift.profile", "rowcast.models.drift.profile.LEAST_ROWS"),
        }


@pytest.mark.parametrize("folder", ["api", "upkeep", "rowcast/jobs", "rowcast/client"])
def test_the_gateway_and_upkeep_need_no_scikit_learn_no_pandas_and_no_numba(folder: str) -> None:
    heavy = {"sklearn", "joblib", "numba", "rowcast.trees", "rowcast.models.loading.load"}
    heavy |= set() if folder == "rowcast/client" else {"pandas"}
    for file in (ROOT / folder).rglob("*.py"):
        assert not heavy & imports(file), file


def test_the_gateway_upkeep_and_the_command_line_load_no_numba() -> None:
    code = (
        "import sys, api.app, upkeep.loop, rowcast.cli.main, rowcast.local.up;"
        "assert not {'sklearn', 'pandas', 'numba', 'llvmlite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("image", "modules"),
    [("worker", "worker.app, worker.__main__, training.train, training.add_model"), ("api", "api.app, upkeep.loop")],
)
def test_an_image_has_installed_what_its_programs_import(image: str, modules: str) -> None:
    code = (
        f"import sys, {modules}; print(*(one.__file__ for one in [*sys.modules.values()] if hasattr(one, '__file__')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    own = [Path(name) for name in done.stdout.split() if Path(name).is_relative_to(ROOT) and "/.venv/" not in name]
    locked = (ROOT / "requirements" / f"{image}.txt").read_text()
    installed = {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)}
    owners = packages_distributions()
    assert len(own) > 50
    for file in own:
        for node in ast.parse(file.read_text()).body:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for distributions in (owners[name.partition(".")[0]] for name in names if name.partition(".")[0] in owners):
                known = {name.lower().replace("_", "-") for name in distributions}
                assert known & (installed | {"rowcast"}), (
                    f"{file} imports {known}, which requirements/{image}.txt lacks"
                )
