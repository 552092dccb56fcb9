"""The recipes of docs/engines.md, run by the engines themselves: their results have the bytes of a job's."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from programs import ROOT, Stack
from separate_environment import python_with

from rowcast import Client

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

TITANIC = ROOT / "training" / "data" / "titanic.csv"
COLUMNS = ["id", "prediction", "probability_1"]

AS_PANDAS = {
    "daft": "scored.to_pandas()",
    "dask": "scored.compute(scheduler='processes')",
    "ray": "scored.to_pandas()",
    "spark": "scored.toPandas()",
}
"""How the rows of each engine become a DataFrame."""

QUIET = {
    "DAFT_ANALYTICS_ENABLED": "0",
    "DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "300",
    "SPARK_LOCAL_IP": "127.0.0.1",
}


@pytest.mark.parametrize("engine", sorted(AS_PANDAS))
def test_the_result_of_an_engine_has_the_bytes_of_a_jobs_result(stack: Stack, tmp_path: Path, engine: str) -> None:
    if engine == "spark" and shutil.which("java") is None:
        pytest.skip("Java is not installed here, and Spark needs it")
    write_rows(tmp_path / "rows.csv")
    with Client(stack.url) as client:
        options = {"output": "predictions", "key": "id", "columns": "prediction,probability_1"}
        client.predict_csv(tmp_path / "rows.csv", tmp_path / "job.csv", model="titanic@production", **options)
    script = recipe(engine).replace("/srv/models", str(stack.models)).replace("64MB", "64kB")
    end = f"{AS_PANDAS[engine]}.sort_values('id')[{COLUMNS}].to_csv('engine.csv', index=False)"
    (tmp_path / "recipe.py").write_text(f"{script}\nif __name__ == '__main__':\n    {end}\n")
    run(tmp_path)
    assert (tmp_path / "engine.csv").read_bytes() == (tmp_path / "job.csv").read_bytes()


def recipe(engine: str) -> str:
    (found,) = re.findall(rf"<!-- {engine} -->\n```python\n(.*?)```", (ROOT / "docs/engines.md").read_text(), re.DOTALL)
    return found


def write_rows(path: Path) -> None:
    """Writes enough rows for several batches and partitions, some of them with a missing age."""
    rows = pd.concat([pd.read_csv(TITANIC)] * 8, ignore_index=True)
    rows.insert(0, "id", range(len(rows)))
    rows.to_csv(path, index=False)


def run(folder: Path) -> None:
    python = python_with("engines.txt")
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": str(python)}
    done = subprocess.run(
        [python, "recipe.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
