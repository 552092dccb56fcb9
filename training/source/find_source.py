"""Finding a model by what the user gave: a path, or a model on an MLflow server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from training.source.mlflow_folder import read_mlflow_folder
from training.source.mlflow_reference import PREFIX, access_from, parse_reference
from training.source.mlflow_server import MlflowServer
from training.source.model_file import ModelFile, read_model_file


@contextmanager
def opened_source(given: Path | str) -> Iterator[ModelFile]:
    """Yields the model file. The files that it names are there until the block is left.

    Raises:
        RowcastError: see `read_model_file`, `read_mlflow_folder` and `MlflowServer.fetch`.
    """
    with TemporaryDirectory(prefix="rowcast-model-") as scratch:
        if isinstance(given, str) and given.startswith(PREFIX):
            reference, folder = parse_reference(given), Path(scratch, "model")
            folder.mkdir()
            with MlflowServer(access_from(os.environ)) as server:
                facts = server.fetch(reference, folder)
            found = read_mlflow_folder(folder, Path(scratch))
            yield replace(found, facts={"mlflow_reference": str(reference), **found.facts, **facts})
        elif Path(given).is_dir():
            yield read_mlflow_folder(Path(given), Path(scratch))
        else:
            yield read_model_file(Path(given))
