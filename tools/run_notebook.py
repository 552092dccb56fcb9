"""Runs the notebook in `examples/` and stores what its cells print.

    rowcast up                       in another terminal
    python tools/run_notebook.py     with ROWCAST_URL if the service has another address

What commands write to standard error is not stored, because it names folders of the machine.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# nbformat and nbclient take a second to import, and every process of the tests imports this module.

NOTEBOOK = Path(__file__).parent.parent / "examples" / "own_model.ipynb"

_TIMEOUT_SECONDS = 120


def read() -> Any:
    """Returns the notebook as nbformat's dictionary, version 4."""
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def execute(notebook: Any, folder: Path, environment: dict[str, str]) -> None:
    """Runs all cells in `folder`, as Jupyter does, and puts what they print into the notebook.

    `environment` is added to that of this process, for the kernel and for the commands that cells start.

    Raises:
        CellExecutionError: a cell raised an exception.
    """
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook, timeout=_TIMEOUT_SECONDS, record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, **environment})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]


def outputs(notebook: Any) -> list[list[str]]:
    """Returns what each cell of code printed or showed, as text."""
    return [
        [str(one.get("text") or one["data"]["text/plain"]) for one in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


if __name__ == "__main__":
    import nbformat

    with TemporaryDirectory() as folder:
        run = read()
        execute(run, Path(folder), {})
        nbformat.write(run, NOTEBOOK)  # type: ignore[no-untyped-call]
