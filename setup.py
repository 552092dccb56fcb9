"""The one step of the build that pyproject.toml cannot name: the package gets a copy of the documentation in `docs/`.

The gateway serves it. Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DOCS = Path(__file__).parent / "docs"


class BuildWithDocs(build_py):
    """Builds the package, and copies the pages and their pictures into `api/guide/pages/`."""

    def run(self) -> None:
        """Runs the step. An editable installation reads `docs/` itself, so it needs no copy."""
        super().run()
        if not self.editable_mode:
            pages = Path(self.build_lib, "api", "guide", "pages")
            shutil.rmtree(pages, ignore_errors=True)
            shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("*.dot", "*.txt"))


setup(cmdclass={"build_py": BuildWithDocs})
