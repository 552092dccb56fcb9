"""The yardstick for single rows: a Celery task with the same `predict`, as a user would write it."""

import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from celery import Celery

app = Celery("bare", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


@cache
def estimator(pickled: str) -> Any:
    """Returns the model, which each process loads once."""
    return pickle.loads(Path(pickled).read_bytes())


@app.task
def predict(row: dict[str, float]) -> int:
    """Returns one row's class."""
    return int(estimator(os.environ["BENCH_MODEL"]).predict(pd.DataFrame([row]))[0])
