"""The asynchronous client and the whole service: the same predictions, files and errors as with the other client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from programs import ROOT, Stack

from rowcast import AsyncClient, Client, Conflict, JobDeleted, MissingColumns, UnknownModel

TITANIC = ROOT / "training" / "data" / "titanic.csv"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(stack.url) as client:
        yield client


async def test_rows_are_predicted_at_the_same_time(client: AsyncClient, stack: Stack) -> None:
    rows = [[age, pclass] for age in range(5, 65, 5) for pclass in (1, 2, 3)]
    answers = await asyncio.gather(*(client.predict(row, probabilities=True) for row in rows))
    with Client(stack.url) as other:
        wanted = other.predict_frame(pd.DataFrame(rows, columns=["age", "pclass"]), probabilities=True)
    assert [answer.prediction for answer in answers] == wanted["prediction"].tolist()
    assert [answer.probabilities["1"] for answer in answers if answer.probabilities] == wanted["probability_1"].tolist()


async def test_files_have_the_same_result_as_with_the_other_client(client, stack: Stack, tmp_path: Path) -> None:
    names = [f"{number}.csv" for number in range(3)]
    await asyncio.gather(*(client.predict_csv(TITANIC, tmp_path / name, on_error="column") for name in names))
    with Client(stack.url) as other:
        other.predict_csv(TITANIC, tmp_path / "other.csv", on_error="column")
    assert {(tmp_path / name).read_bytes() for name in names} == {(tmp_path / "other.csv").read_bytes()}


async def test_a_job_from_its_check_to_its_end(client: AsyncClient) -> None:
    data = b"name,age,pclass\nAnn,old,3\nBo,31,1\n"
    assert (await client.check(data)).bad_rows[0]["column"] == "age"
    job = await (await client.submit_csv(data, tags={"run": "async"})).wait(timeout=60)
    assert [(error.row, error.value) for error in await job.errors()] == [(1, "old")]
    await (await job.repair([{"_row": 1, "age": 25}])).wait()
    assert (await job.to_pandas())["prediction"].tolist() == [0, 1]
    with pytest.raises(Conflict):
        await job.cancel()
    assert [one.id async for one in client.jobs(tag="run:async")] == [job.id]
    assert (await client.job(job.id[:13])).raw["id"] == job.id
    assert (await client.act("delete", tag="run:async")).acted == 1
    with pytest.raises(JobDeleted):
        await job.refresh()


async def test_frames_go_in_and_out(client: AsyncClient) -> None:
    table = pd.DataFrame({"age": [25, 60], "pclass": [3, 1]}, index=["Bo", "Ann"])
    done = await client.predict_frame(table)
    assert done.index.tolist() == ["Bo", "Ann"]
    other = await client.predict_frame(pl.from_dict(table.to_dict("list")))
    assert other["prediction"].to_list() == done["prediction"].tolist()


async def test_problems_have_the_types_and_words_of_the_service(client: AsyncClient) -> None:
    with pytest.raises(MissingColumns, match="'pclass' is missing"):
        await client.submit_csv(b"age\n25\n")
    with pytest.raises(UnknownModel):
        await client.predict([1, 2], model="titanik")
    assert "titanic" in [model["name"] for model in await client.models()]
