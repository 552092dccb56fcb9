"""The asynchronous client makes the same calls; here is what it does as an asynchronous one, and after faults."""

import asyncio
import gc
import inspect
import os
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from fake_service import FakeService, Handler, breaks_after, hangs_up, problem, refuses_the_header

from rowcast.client import (
    AsyncClient,
    AsyncJob,
    Client,
    Job,
    JobCancelled,
    JobFailed,
    NotFound,
    Patience,
    RowError,
    StillRunning,
    Unprocessable,
    Unreachable,
    WrongUse,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(service.url, patience=Patience(seconds=5, first_contact_seconds=5)) as client:
        yield client


class Stuck:
    """A fault: a call that is never answered. `gone` is set when the client has closed the connection."""

    def __init__(self) -> None:
        self.came, self.gone = threading.Event(), threading.Event()

    def __call__(self, handler: Handler) -> None:
        self.came.set()
        while handler.rfile.read1(65536):
            pass
        handler.close_connection = True
        self.gone.set()


def public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}


def arguments(call: Callable[..., Any]) -> list[str]:
    return [str(one).replace("Async", "") for one in inspect.signature(call).parameters.values()]


@pytest.mark.parametrize(("plain", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_clients_have_the_same_calls_with_the_same_arguments(plain: type, asynchronous: type) -> None:
    into_a_sink = {"download_to", "follow_to"}  # of the command line
    calls = {name: member for name, member in public(plain).items() if name not in into_a_sink}
    assert calls.keys() == public(asynchronous).keys()
    for name, call in calls.items():
        if callable(call):
            assert arguments(getattr(asynchronous, name)) == arguments(call), name


def test_both_clients_are_made_with_the_same_arguments() -> None:
    assert arguments(AsyncClient.__init__) == arguments(Client.__init__)


async def test_a_row_is_sent_again_under_the_same_key(service: FakeService, client: AsyncClient) -> None:
    service.fails("POST /predict", hangs_up, problem(503, "Full.", Retry_After="0"))
    answer = await client.predict({"age": 25, "pclass": 3}, probabilities=True)
    assert (answer.prediction, answer.probabilities) == (1, {"0": 0.25, "1": 0.75})
    assert len({entry.headers["idempotency-key"] for entry in service.seen if entry.method == "POST"}) == 1
    assert len(service.jobs) == 1


async def test_a_file_is_sent_again_from_its_start_under_the_same_key(service, client, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"age,pclass\n25,3\n" * 100_000)
    service.fails("POST /predict", hangs_up, problem(503, "Full.", Retry_After="0"))
    threads, sent = set(), []

    def on_progress(done: int, total: int | None) -> None:
        threads.add(threading.get_ident())
        sent.append((done, total))

    await client.submit_csv(path, on_progress=on_progress, model="titanic@2")
    assert service.seen[-1].body == path.read_bytes()
    assert service.seen[-1].query == {"model": "titanic@2"}
    assert len({entry.headers["idempotency-key"] for entry in service.seen}) == 1
    assert (threads, sent[-1]) == ({threading.get_ident()}, (1_600_000, 1_600_000))


async def test_an_early_refusal_ends_the_sending(service: FakeService, client: AsyncClient, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    with path.open("wb") as file:
        file.write(b"name\n")
        file.truncate(2 * 1024**3)  # sparse: two gigabytes that take no room
    service.fails("POST /predict", *[refuses_the_header] * 5)
    sent: list[int] = []
    with pytest.raises(Unprocessable, match="lacks 'age'"):
        await client.submit_csv(path, on_progress=lambda done, total: sent.append(done))
    assert max(sent, default=0) < 100 * 1024**2


async def test_a_large_file_is_never_held_in_memory(service: FakeService, client: AsyncClient, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(64 * 1024**2)

    def discards(handler: Handler) -> None:
        left = int(handler.headers["Content-Length"])
        while left:
            left -= len(handler.rfile.read1(min(left, 65536)))
        handler.answer_json(202, handler.server.job())

    service.fails("POST /predict", discards)
    tracemalloc.start()
    await client.submit_csv(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024**2


async def test_the_loop_goes_on_while_a_pipe_has_no_data_and_a_cancelled_upload_closes_its_connection(
    service: FakeService, client: AsyncClient
) -> None:
    stuck = Stuck()
    service.fails("POST /predict", stuck)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe, os.fdopen(writer, "wb"):
        upload = asyncio.create_task(client.submit_csv(pipe))
        await asyncio.to_thread(stuck.came.wait)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        await asyncio.to_thread(stuck.gone.wait)


async def test_a_cancelled_wait_closes_its_connection(service: FakeService, client: AsyncClient) -> None:
    job = await client.submit_csv(b"a\n1\n")
    stuck = Stuck()
    service.fails("GET /jobs", stuck)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await job.wait()
    await asyncio.to_thread(stuck.gone.wait)
    assert (await job.wait()).status == "succeeded"


async def test_a_wait_lets_the_service_hold_the_answer(service: FakeService, client: AsyncClient) -> None:
    job = await client.submit_csv(b"a\n1\n")
    await job.wait()
    assert [entry.query for entry in service.seen[1:]] == [{"wait": "30"}] * 2
    service.statuses = ["queued"]
    seen: list[str] = []
    late = await client.submit_csv(b"a\n1\n")
    with pytest.raises(StillRunning) as caught:
        await late.wait(timeout=0.01, on_progress=lambda job: seen.append(job.status))
    assert caught.value.job is late
    assert set(seen) == {"queued"}


async def test_a_broken_download_goes_on_where_it_stopped(service, client: AsyncClient, tmp_path: Path) -> None:
    job = await (await client.submit_csv(b"a\n1\n")).wait()
    service.fails("GET /jobs/result", breaks_after(1000), hangs_up, problem(503, "away"), breaks_after(100_000))
    seen: list[tuple[int, int | None]] = []
    await job.download(tmp_path / "out.csv", on_progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "out.csv").read_bytes() == service.result
    ranges = [entry.headers.get("range") for entry in service.seen if entry.path.endswith("/result")]
    assert ranges == [None, *["bytes=1000-"] * 3, "bytes=101000-"]
    assert seen[-1] == (len(service.result), len(service.result))


async def test_a_cancelled_download_leaves_no_file(service: FakeService, client: AsyncClient, tmp_path: Path) -> None:
    job = await (await client.submit_csv(b"a\n1\n")).wait()
    arrived = asyncio.Event()
    stuck = Stuck()

    def stops_after_some(handler: Handler) -> None:
        handler.result(cut_after=1000)
        stuck(handler)

    service.fails("GET /jobs/result", stops_after_some)
    download = asyncio.create_task(job.download(tmp_path / "out.csv", on_progress=lambda done, total: arrived.set()))
    await arrived.wait()
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    await asyncio.to_thread(stuck.gone.wait)
    assert not list(tmp_path.iterdir())


async def test_a_file_goes_in_and_a_file_comes_out(service: FakeService, client: AsyncClient, tmp_path: Path) -> None:
    service.fails("GET /jobs/result", breaks_after(1000))
    job = await client.predict_csv(b"a\n1\n", tmp_path / "out.csv")
    assert job.status == "succeeded"
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert [entry.query for entry in service.seen if entry.path.endswith("/result")] == [{"follow": "true"}, {}]
    with pytest.raises(WrongUse, match="folder"):
        await client.predict_csv(b"a\n1\n", tmp_path)


async def test_how_a_job_ends_is_raised(service: FakeService, client: AsyncClient) -> None:
    job = await client.submit_csv(b"a\n1\n")
    assert await job.errors() == [RowError(3, "age", "x,y", "not a number")]
    with pytest.raises(JobCancelled):
        await (await job.cancel()).wait()
    assert (await job.retry()).status == "queued"
    await job.delete()
    with pytest.raises(NotFound):
        await job.refresh()
    service.statuses, service.error = ["queued", "failed"], {"detail": "row 3: not a number"}
    with pytest.raises(JobFailed, match="row 3"):
        await (await client.submit_csv(b"a\n1\n")).wait()


async def test_jobs_are_listed_over_pages(service: FakeService, client: AsyncClient) -> None:
    for _ in range(3):
        await client.submit_csv(b"a\n1\n")
    assert len([job async for job in client.jobs()]) == 3
    assert len([job async for job in client.jobs(limit=1)]) == 1


async def test_many_calls_share_one_client(service: FakeService, client: AsyncClient, tmp_path: Path) -> None:
    jobs = await asyncio.gather(*(client.submit_csv(b"a\n1\n") for _ in range(20)))
    await asyncio.gather(*(job.wait() for job in jobs))
    await asyncio.gather(*(job.download(tmp_path / job.id) for job in jobs))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {service.result}
    assert len(list(tmp_path.iterdir())) == len(service.jobs) == 20


async def test_where_nothing_listens_is_said_as_the_client_says_it() -> None:
    async with AsyncClient("http://127.0.0.1:1", max_retries=0) as client:
        with pytest.raises(Unreachable) as caught:
            await client.models()
    assert str(caught.value) == (
        "http://127.0.0.1:1 cannot be reached: Connection refused. Start a service with `rowcast up`."
    )


async def test_a_pipe_is_sent_once(client: AsyncClient, service, pipe_of: Callable[[bytes], BinaryIO]) -> None:
    data = b"a,b\n" + b"1,2\n" * 200_000
    await client.submit_csv(pipe_of(data))
    assert service.seen[-1].headers["transfer-encoding"] == "chunked"
    assert service.seen[-1].body == data


async def test_the_format_of_a_result_is_chosen_as_the_client_does(
    service: FakeService, client: AsyncClient, tmp_path: Path
) -> None:
    service.fails("GET /jobs/result", problem(503, "It is being written.", Retry_After="0"))
    job = await client.predict_csv(b"a\n1\n", tmp_path / "out.parquet")
    await job.download(tmp_path / "out", format="ndjson")
    asked = [entry.query.get("format") for entry in service.seen if entry.path.endswith("/result")]
    assert asked == ["parquet", "parquet", "ndjson"]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {service.result}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of the first loop, which ended without `close`
def test_a_client_works_in_one_event_loop_after_the_other(service: FakeService, own_event_loop: None) -> None:
    """Scripts do that if they call `asyncio.run` for each question."""
    service.statuses = ["succeeded"]
    client = AsyncClient(service.url)

    async def predict(*, is_last: bool) -> None:
        for _ in range(2):
            assert (await client.predict([25, 3])).prediction == 0
        if is_last:
            await client.close()

    for is_last in (False, True):
        asyncio.run(predict(is_last=is_last))
    gc.collect()
    first, second = (entry.caller_port for entry in service.seen[::2])
    assert first != second
