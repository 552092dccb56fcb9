"""The notebook in `examples/`: it runs, and its stored outputs are what it prints."""

import re
from pathlib import Path

import pytest
from quickstart import Folder

from tools.run_notebook import NOTEBOOK, execute, outputs, read

pytestmark = pytest.mark.xdist_group("quickstart")


def test_it_runs_and_prints_what_is_stored_in_it(started: Folder, tmp_path: Path) -> None:
    stored, run = read(), read()
    execute(run, tmp_path, started.environment)
    assert outputs(run) == outputs(stored), "run: python tools/run_notebook.py"
    assert outputs(run)[-1] == ["file: True\nframe: True\n"]


def test_what_is_stored_names_no_folder_and_no_time() -> None:
    import nbformat

    text = NOTEBOOK.read_text()
    assert not re.search(r"/(home|root|tmp|work|Users|usr|opt)/|iopub|127\.0\.0", text)
    nbformat.validate(read())
