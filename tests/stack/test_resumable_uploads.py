"""Resumable uploads, while connections, gateways and senders fail."""

import asyncio
import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from programs import Stack, free_port, http_client, kill_group, until
from proxy import Proxy
from resumable import CSV, append, begin, create, offset_of

from rowcast.client import AsyncClient, Client, Patience, Unprocessable
from rowcast.client.calls import resumable_upload
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, UploadField

SENT = re.compile(rb"PATCH [^\r]+\r\n(?:[^\r]+\r\n)*?Upload-Offset: (\d+)", re.IGNORECASE)
STORED = re.compile(rb"HTTP/1.1 204 [^\r]+\r\n(?:[^\r]+\r\n)*?Upload-Offset: (\d+)", re.IGNORECASE)


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A service with small chunks. Its gateway may be killed, if it is started again."""
    stack = make_stack(ROWCAST_CHUNK_ROWS="128")
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker(concurrency=1)
    yield stack
    stack.audit()
    stack.stop_all()
    stack.server.stop()


@pytest.fixture(scope="module")
def wanted(stack: Stack) -> bytes:
    """The result of the file in one body."""
    with http_client(stack.url, timeout=90) as http:
        id = http.post("/predict", content=CSV, headers={"Content-Type": "text/csv"}).json()["id"]
        return result_of(http, id)


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    proxy = Proxy(stack.port)
    yield proxy
    proxy.close()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, which counts as a large one."""
    monkeypatch.setattr(resumable_upload, "LARGE_BYTES", 1)
    path = tmp_path / "ship.csv"
    path.write_bytes(CSV)
    return path


def result_of(http: httpx.Client, id: str) -> bytes:
    assert http.get(f"/jobs/{id}", params={"wait": 60}).json()["status"] == "succeeded"
    return http.get(f"/jobs/{id}/result").content


def require_no_byte_twice(proxy: Proxy) -> None:
    """Checks that each request but the first went on at the offset that the service had named before.

    A request whose connection broke may get its turn only after that answer. The next one then gets 409.
    """
    first, *others = SENT.findall(proxy.requests)
    stored = STORED.findall(proxy.answers)
    assert first == b"0"
    assert others == stored[len(stored) - len(others) :]


def kill_gateway(stack: Stack) -> None:
    kill_group(stack.processes.pop("gateway"))
    stack.start_gateway()


def test_a_gateway_that_is_killed_between_and_during_requests_costs_no_stored_byte(
    stack: Stack, client: httpx.Client, wanted: bytes
) -> None:
    path, third = create(client), len(CSV) // 3
    id = path.rsplit("/", 1)[1]
    assert append(client, path, 0, CSV[:third]).status_code == 204
    until(lambda: stack.redis.hget(key("job", id), JobField.CHUNKS_DONE), "the first chunk is scored")
    kill_gateway(stack)
    assert offset_of(client, path) == third
    with closing(begin(stack, path, third, len(CSV) - third, CSV[third : 2 * third])):
        until(lambda: int(stack.redis.hget(key("upload", id), UploadField.OFFSET) or 0) > third, "more is stored")
        kill_gateway(stack)
    stored = offset_of(client, path)
    assert third < stored <= 2 * third
    stack.audit()
    job = append(client, path, stored, CSV[stored:], last=True).json()
    assert result_of(client, job["id"]) == wanted
    job = client.get(f"/jobs/{job['id']}").json()
    assert job["cost"]["attempts"] == job["cost"]["chunks"], "no chunk was scored twice"


def test_two_gateways_take_turns(stack: Stack, client: httpx.Client, wanted: bytes) -> None:
    port = free_port()
    stack.start("second", "api", "--port", str(port))
    with http_client(f"http://127.0.0.1:{port}", timeout=90) as second:

        def answers() -> bool:
            try:
                return second.get("/health").status_code == 200
            except httpx.TransportError:
                return False

        until(answers, "the second gateway answers")
        path, step = create(client), len(CSV) // 5
        for turn, http in enumerate((client, second, client, second)):
            assert append(http, path, turn * step, CSV[turn * step : (turn + 1) * step]).status_code == 204
        upload = key("upload", path.rpartition("/")[2])
        before = stack.redis.hget(upload, UploadField.HOLDER)
        with closing(begin(stack, path, 4 * step, len(CSV) - 4 * step, CSV[4 * step : -1])):
            until(lambda: stack.redis.hget(upload, UploadField.HOLDER) != before, "the first gateway has the upload")
            stored = offset_of(second, path)  # takes the upload from the first gateway
            job = append(second, path, stored, CSV[stored:], last=True).json()
        assert append(client, path, len(CSV), b"", last=True).json()["id"] == job["id"]
        assert result_of(client, job["id"]) == wanted
    stack.stop("second")


@pytest.mark.parametrize("cut", [30, 600, 1_200, 90_000, 120_000], ids=lambda count: f"after-{count}-bytes")
def test_the_client_goes_on_where_a_connection_broke(
    client: httpx.Client, proxy: Proxy, source: Path, wanted: bytes, cut: int
) -> None:
    """The connection breaks while the upload is created, in the head of PATCH, and in its body."""
    proxy.cut_after(cut)
    seen: list[int] = []
    with Client(f"http://127.0.0.1:{proxy.port}", patience=Patience(30, 30)) as service:
        job = service.submit_csv(source, on_progress=lambda done, total: seen.append(done))
    assert result_of(client, job.id) == wanted
    assert seen[-1] == len(CSV)
    require_no_byte_twice(proxy)


async def send_async(url: str, source: Path) -> str:
    async with AsyncClient(url, patience=Patience(30, 30)) as service:
        return (await service.submit_csv(source)).id


def test_the_asynchronous_client_goes_on_where_a_connection_broke(
    own_event_loop: None, client: httpx.Client, proxy: Proxy, source: Path, wanted: bytes
) -> None:
    proxy.cut_after(90_000)
    id = asyncio.run(send_async(f"http://127.0.0.1:{proxy.port}", source))
    assert result_of(client, id) == wanted
    require_no_byte_twice(proxy)


def test_the_client_gets_its_job_if_the_answer_was_lost(
    client: httpx.Client, proxy: Proxy, source: Path, wanted: bytes
) -> None:
    def lose_the_answer(done: int, total: int | None) -> None:
        if done == total:
            proxy.cut_answer()

    with Client(f"http://127.0.0.1:{proxy.port}", patience=Patience(30, 30)) as service:
        job = service.submit_csv(source, on_progress=lose_the_answer)
    assert result_of(client, job.id) == wanted
    assert proxy.sent_bytes < len(CSV) + 10_000, "the file was sent once"


def test_the_client_survives_a_gateway_that_is_killed(
    stack: Stack, client: httpx.Client, source: Path, wanted: bytes
) -> None:
    killed: list[int] = []

    def kill(done: int, total: int | None) -> None:
        if not killed:
            killed.append(done)
            kill_gateway(stack)

    with Client(stack.url, patience=Patience(60, 60)) as service:
        job = service.submit_csv(source, on_progress=kill)
    assert result_of(client, job.id) == wanted


def test_the_client_says_what_is_wrong_with_a_large_file(stack: Stack, source: Path) -> None:
    source.write_bytes(b"Age,pclass\n" + b"25,3\n" * 200_000)
    with Client(stack.url) as service, pytest.raises(Unprocessable, match="'age' is missing"):
        service.submit_csv(source)


def test_a_large_gzip_is_predicted_in_this_way(stack: Stack, source: Path, wanted: bytes, tmp_path: Path) -> None:
    packed, out = tmp_path / "ship.csv.gz", tmp_path / "out.csv"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    with Client(stack.url) as service:
        service.predict_csv(packed, out)
    assert out.read_bytes() == wanted
