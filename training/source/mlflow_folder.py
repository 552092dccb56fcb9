"""A folder that MLflow wrote: it has a description (`MLmodel`), the model's file, and perhaps code and an example."""

import csv
import json
from pathlib import Path
from typing import Any

from rowcast.errors import NotFound, Unreadable
from training.source.mlmodel import FILE_NAME, MlflowModel, parse
from training.source.model_file import ModelFile, read_model_file


def read_mlflow_folder(folder: Path, scratch: Path) -> ModelFile:
    """Reads a model from a local folder. The example is written as CSV into `scratch`.

    Raises:
        NotFound: the folder has no `MLmodel`, or lacks a file that it describes.
        Unreadable, Unprocessable: see `mlmodel.parse`.
    """
    description = folder / FILE_NAME
    if not description.is_file():
        raise NotFound(f"{folder} is a folder without the file {FILE_NAME}: give a model file, or a folder of MLflow.")
    about = parse(description.read_bytes())
    file = read_model_file(folder / about.file)
    return ModelFile(
        name=file.name,
        content=file.content,
        code=_modules(folder / about.code) if about.code else (),
        features=about.columns,
        kinds=about.kinds,
        example=_example(folder, about, scratch),
        facts={"mlflow_flavour": about.flavour, **({"mlflow_run_id": about.run_id} if about.run_id else {})},
    )


def _modules(folder: Path) -> list[Path]:
    """Returns the modules and packages in the folder, which MLflow puts on the module search path."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [one for one in found if one.suffix == ".py" or (one.is_dir() and any(one.rglob("*.py")))]


def _example(folder: Path, about: MlflowModel, scratch: Path) -> Path | None:
    """Writes the example as a CSV file. Returns None if there is none with names of columns."""
    source = folder / about.example if about.example else None
    if source is None or not source.is_file():
        return None
    try:
        table = json.loads(source.read_bytes())
        columns, rows = table.get("columns"), table["data"]
        lines = [[_cell(value) for value in row] for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"The input example {about.example} cannot be read: {error}.") from error
    if not columns or not all(isinstance(name, str) for name in columns):
        return None
    made = scratch / f"{source.stem}.csv"
    with made.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *lines])
    return made


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
