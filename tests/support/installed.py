"""Clean environments with the package's wheel and what it requires, made without a network.

The packages that a user's `pip install` would fetch are linked from the environment of the tests, by the requirements
that the wheel itself states.
"""

import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from programs import ROOT


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the checkout's files, so that nothing is left in it."""
    source = folder / "source"
    source.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"  # as pip calls it
    subprocess.run([sys.executable, "-c", build, folder], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, wheel: Path) -> Path:
    """Makes an environment with the wheel and its requirements. Returns its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # What is used is compiled when it is imported.
    install = ["--python", python, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", wheel]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    (metadata,) = folder.glob("lib/python*/site-packages/rowcast-*.dist-info/METADATA")
    lines = metadata.read_text().split("\n\n")[0].splitlines()
    add_packages(folder, *(line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")))
    return python


def add_packages(folder: Path, *requirements: str) -> None:
    """Adds packages, with those that they require, to an environment."""
    (site,) = folder.glob("lib/python*/site-packages")
    for name in _closure(list(requirements)):
        _link(name, site)


def _closure(requirements: list[str]) -> set[str]:
    """Returns the names of the packages that are required here, and of those that these require."""
    found: set[str] = set()
    left = requirements
    while left:
        one = Requirement(left.pop())
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        left.extend(distribution(name).requires or [])
    return found


def _link(name: str, site: Path) -> None:
    """Links a package's modules and metadata, but not its scripts."""
    package = distribution(name)
    tops = {file.parts[0] for file in package.files or [] if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        if not (site / top).exists():
            (site / top).symlink_to(package.locate_file(top))
