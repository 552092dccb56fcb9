"""What all tests share: real servers, real programs as processes, settings of a test's own, one BLAS thread."""

import asyncio
import fcntl
import gc
import os
import shutil
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported: sums of another order differ in the last bit
# One cache of compiled code for all tests and runs, instead of one in each data folder: compiling takes seconds.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "numba"))
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # as in a worker: importing pyarrow starts no thread

import chromium
import httpx
import pytest
import warm_start
from arrangement import arrange, compiled_once
from hypothesis import settings as hypothesis_settings
from programs import Stack, http_client, serving

from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.models.registry import Registry
from rowcast.receipts.key_files import make_key
from rowcast.secret_files import PREFIX
from rowcast.settings import Settings
from rowcast.storage import Storage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MakeStack = Callable[..., Stack]

# No test asserts a time, and on a busy machine one example of a property may take a while.
hypothesis_settings.register_profile("rowcast", deadline=None)
hypothesis_settings.load_profile("rowcast")


@pytest.fixture(autouse=True)
def _no_services_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hides the services that other tests have started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state-{uuid.uuid4()}"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heeded() -> None:
    """Lets the programs that tests start heed Ctrl-C and a hangup, however the tests themselves were started.

    A shell starts what runs in the background (`pytest &`) with SIGINT ignored, `nohup` with SIGHUP ignored, and
    every program inherits that. A function that handles a signal is not inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spares the garbage collector the half a million objects of the modules, which stay to the end."""
    gc.disable()
    try:
        with compiled_once():
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Arranges the tests for several processes, before xdist looks at their groups."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        arrange(items)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Shortens the names of tests with long values: a test's name is a variable of each program that it starts."""
    return ascii(val[:60]) if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis(redis_url: str) -> Iterator[RedisClient]:
    """A client of the server, emptied."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def settings(redis: RedisClient, redis_url: str, tmp_path: Path) -> Settings:
    """Settings with a store and a registry of the test's own."""
    return Settings.read(redis_url=redis_url, store=str(tmp_path / "store"), models=str(tmp_path / "models"))


@pytest.fixture(scope="session", autouse=True)
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of one run share; the templates of programs serve all of them."""
    folder = tmp_path_factory.getbasetemp()
    warm_start.run_folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return warm_start.run_folder


@pytest.fixture(scope="session")
def trained(run_folder: Path) -> Path:
    """A registry with the default model, `titanic`; the processes of one run share it, and none writes it."""
    from training.titanic import train_default

    folder = run_folder / "models"
    with (run_folder / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        train_default(Registry(Storage(str(folder))))  # only the first process finds that there is none
    return folder


@contextmanager
def stacks(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[MakeStack]:
    """Makes stacks with nothing started: each has its own Redis, store, and copy of the trained registry."""
    with ExitStack() as at_end:

        def make(**environment: str) -> Stack:
            folder = tmp_path_factory.mktemp("stack")
            (folder / "redis").mkdir()
            make_key(folder / "receipt-key.pem")
            environment = {"ROWCAST_RECEIPT_KEY_FILE": str(folder / "receipt-key.pem"), **environment}
            stack = Stack(at_end.enter_context(serving(folder / "redis")), folder, folder / "models", environment)
            at_end.callback(stack.stop_all)
            shutil.copytree(trained, stack.models)
            return stack

        yield make


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[MakeStack]:
    """Makes stacks that end with the tests of a file: forty idle ones would take most of a core."""
    with stacks(tmp_path_factory, trained) as make:
        yield make


@pytest.fixture(scope="session")
def make_lasting_stack(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[MakeStack]:
    """Makes stacks for the tests of many files."""
    with stacks(tmp_path_factory, trained) as make:
        yield make


@pytest.fixture(scope="session")
def gateway(make_lasting_stack: MakeStack) -> Stack:
    """A gateway without workers: for what is refused, or only queued."""
    stack = make_lasting_stack(
        ROWCAST_CHUNK_ROWS="1024", ROWCAST_MAX_ROW_BYTES="65536", ROWCAST_MAX_JSON_BYTES="1048576"
    )
    stack.start_gateway()
    return stack


@pytest.fixture(scope="session")
def stack(make_lasting_stack: MakeStack) -> Stack:
    """The whole service with two worker processes."""
    stack = make_lasting_stack()
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    return stack


@pytest.fixture
def http(gateway: Stack) -> Iterator[httpx.Client]:
    """A client of the gateway without workers."""
    with http_client(gateway.url, timeout=30) as client:
        yield client


@pytest.fixture
def own_event_loop() -> Iterator[None]:
    """Lets a test run an event loop.

    A browser of earlier tests has one in this thread. It counts as running although it waits in another greenlet.
    """
    waiting = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(waiting)


@pytest.fixture
def anyio_backend(own_event_loop: None) -> str:
    """The event loop of tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="session")
def prometheus_is_installed() -> None:
    """Skips the test without Prometheus, except in CI."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Prometheus, and CI must try the metrics and alerts")
        pytest.skip("there is no Prometheus here: metrics are not read by it")


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # milliseconds; a first prediction on a busy machine takes more than 5 s
    if chromium.find() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium, and CI must look at the pages")
        pytest.skip("there is no Chromium here: the pages are not looked at")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.__file__, args=["--no-sandbox"])
        yield browser
        browser.close()
