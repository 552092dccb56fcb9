"""The documentation in a checkout, and in an installed package."""

import subprocess
import sys
from pathlib import Path

from programs import ROOT

from api.guide.guide_files import SECTIONS, folder, sections, texts


def test_a_checkout_serves_the_files_that_are_edited() -> None:
    assert folder() == ROOT / "docs"


def test_an_installed_package_brings_every_page_and_picture(tmp_path: Path) -> None:
    build = ["egg_info", "--egg-base", str(tmp_path), "build_py", "--build-lib", str(tmp_path / "lib")]
    subprocess.run([sys.executable, "setup.py", "-q", *build], cwd=ROOT, check=True, capture_output=True)
    show = "from api.guide.guide_files import folder; print(folder())"
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=tmp_path / "lib", check=True, capture_output=True, text=True
    )
    installed = Path(done.stdout.strip())
    assert installed == (tmp_path / "lib" / "api" / "guide" / "pages").resolve()
    for kind in ("*.md", "pictures/*.png", "pictures/*.svg"):
        assert {file.name for file in installed.glob(kind)} == {file.name for file in (ROOT / "docs").glob(kind)}


def test_the_image_of_the_gateway_brings_them() -> None:
    assert "COPY docs api/guide/pages\n" in (ROOT / "Dockerfile.api").read_text()
    assert "!docs\n" in (ROOT / ".dockerignore").read_text()


def test_a_page_that_is_in_no_section_is_listed_too() -> None:
    listed = sections({"new": "# A new page\n\nText.\n"})["How it works"][-1]
    assert (listed.name, listed.title, listed.about) == ("new", "A new page", "")


def test_each_page_has_its_sentence_in_the_table() -> None:
    described = {name for section in SECTIONS.values() for name in section}
    assert set(texts()) | {"types"} == described
