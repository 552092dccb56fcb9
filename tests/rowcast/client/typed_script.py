"""A user's script, as strict type checkers see it: test_types.py runs mypy on it."""

import asyncio
from collections.abc import Iterator
from typing import assert_type

import pandas as pd
import polars as pl

import rowcast
from rowcast import (
    AsyncClient,
    AsyncJob,
    Check,
    Client,
    Job,
    MissingColumns,
    Patience,
    Prediction,
    QueueFull,
    RowError,
    StillRunning,
    Unprocessable,
)

client = Client("http://localhost:5000", timeout=10, max_retries=3, patience=Patience(seconds=600))
assert_type(client.predict([25, 3]), Prediction)
assert_type(client.predict_frame(pd.DataFrame({"age": [25]})), pd.DataFrame)
assert_type(client.predict_frame(pl.DataFrame({"age": [25]})), pl.DataFrame)
assert_type(client.check("in.csv", decimal=","), Check)
assert_type(client.jobs(status="failed"), Iterator[Job])

try:
    job = client.submit_csv("in.csv", on_error="column", tags={"run": "nightly"})
    assert_type(job.wait(timeout=60, on_progress=lambda job: print(job.progress)), Job)
    assert_type(job.errors(), list[RowError])
except MissingColumns as error:
    print(error.type, error.status, [fault["where"] for fault in error.errors])
except rowcast.Unprocessable as error:
    assert_type(error, Unprocessable)
except QueueFull as error:
    assert_type(error.retry_after_seconds, float | None)
except StillRunning as error:
    print(error.job.id)


async def main() -> None:
    async with AsyncClient(max_retries=0) as client:
        assert_type(await client.predict({"age": 25}, probabilities=True), Prediction)
        assert_type(await client.predict_frame(pl.DataFrame({"age": [25]})), pl.DataFrame)
        job = await client.predict_csv("in.csv", "out.csv")
        assert_type(job, AsyncJob)
        async for one in client.jobs(limit=10):
            assert_type(await one.wait(), AsyncJob)
        await client.predict_csv("in.csv")  # WRONG: call-arg
        await client.submit_csv("in.csv", on_error="ignore")  # WRONG: arg-type
        client.models()  # WRONG: unused-coroutine


client.predict_frame([1])  # WRONG: type-var
asyncio.run(main())
