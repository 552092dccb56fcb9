import math
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_service import FakeService, breaks_after, hangs_up, problem
from proxy import Proxy

from rowcast.client import Client, RateLimited, Unavailable, Unreachable, WrongUse
from rowcast.client.http.retries import Patience


def test_a_look_is_repeated_until_the_service_is_back(service: FakeService, client: Client) -> None:
    service.fails("GET /models", problem(503, "Redis is away.", Retry_After="0"), hangs_up, problem(502, "bad"))
    assert client.models() == [{"name": "titanic"}]
    assert len(service.seen) == 4


def test_a_pause_that_would_end_too_late_is_not_begun(service: FakeService, client: Client) -> None:
    service.fails("GET /models", problem(429, "Too fast.", Retry_After="3600"))
    with pytest.raises(RateLimited) as caught:
        client.models()
    assert caught.value.retry_after_seconds == 3600


def test_retry_after_may_be_a_date(service: FakeService) -> None:
    service.fails("GET /models", problem(503, "Away.", Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"))
    with Client(service.url) as client, pytest.raises(Unavailable) as caught:
        client.models()
    assert caught.value.retry_after_seconds > 3600


def test_a_single_row_is_sent_again_under_the_same_key(service: FakeService, client: Client) -> None:
    service.statuses = ["succeeded"]
    service.fails("POST /predict", hangs_up)
    assert client.predict([25, 3]).prediction == 0
    assert len({entry.headers["idempotency-key"] for entry in service.seen}) == 1
    assert len(service.jobs) == 1


def test_a_file_is_sent_again_from_its_start_under_the_same_key(service: FakeService, client: Client, tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"age,pclass\n25,3\n" * 100_000)
    service.fails("POST /predict", hangs_up, problem(503, "Full.", Retry_After="0"))
    client.submit_csv(path)
    assert service.seen[-1].body == path.read_bytes()
    assert len({entry.headers["idempotency-key"] for entry in service.seen}) == 1


def test_two_calls_have_two_keys(service: FakeService, client: Client) -> None:
    client.submit_csv(b"a\n1\n")
    client.submit_csv(b"a\n1\n")
    assert len({entry.headers["idempotency-key"] for entry in service.seen}) == 2


def test_a_pipe_is_sent_once(service: FakeService, client: Client, pipe_of) -> None:
    service.fails("POST /predict", problem(503, "Full.", Retry_After="0"))
    with pytest.raises(Unavailable, match="Full"):
        client.submit_csv(pipe_of(b"a\n1\n"))
    assert len(service.seen) == 1


def test_an_address_where_nothing_listens_is_given_up_on_soon() -> None:
    with (
        Client("http://127.0.0.1:1", patience=Patience(first_contact_seconds=0.2)) as client,
        pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 cannot be reached"),
    ):
        client.models()


@pytest.mark.parametrize(("max_retries", "requests"), [(0, 1), (2, 3)])
def test_the_number_of_retries_can_be_limited(service: FakeService, max_retries: int, requests: int) -> None:
    service.fails("GET /models", *[problem(503, "Away.", Retry_After="0")] * 5)
    with Client(service.url, max_retries=max_retries) as client, pytest.raises(Unavailable):
        client.models()
    assert len(service.seen) == requests


def test_a_download_that_gets_on_has_its_retries_again(service: FakeService, tmp_path: Path) -> None:
    with Client(service.url, max_retries=1) as client:
        job = client.submit_csv(b"a\n1\n").wait()
        service.fails("GET /jobs/result", *[breaks_after(1000)] * 4)
        job.download(tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_bytes() == service.result
        service.fails("GET /jobs/result", hangs_up, hangs_up)
        with pytest.raises(Unreachable):
            job.download(tmp_path / "again.csv")


def test_an_answer_that_takes_too_long_is_given_up(service: FakeService) -> None:
    over = threading.Event()
    service.fails("GET /models", lambda _handler: over.wait(60))
    impatient = Client(service.url, timeout=0.2, patience=Patience(seconds=0, first_contact_seconds=0))
    with impatient as client, pytest.raises(Unreachable, match="timed out"):
        client.models()
    over.set()


def test_a_service_that_is_silent_for_longer_than_the_timeout_is_unreachable(service: FakeService) -> None:
    proxy = Proxy(service.server_port)
    try:
        with Client(f"http://127.0.0.1:{proxy.port}", timeout=0.2, max_retries=1) as client:
            client.models()
            proxy.swallow()
            with pytest.raises(Unreachable, match="timed out"):
                client.models()
            proxy.forward()
            assert client.models() == [{"name": "titanic"}]
    finally:
        proxy.close()


@pytest.mark.parametrize(
    "limits", [{"timeout": 0}, {"timeout": -1}, {"timeout": math.nan}, {"max_retries": -1}], ids=str
)
def test_a_limit_that_makes_no_sense_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match=f"{next(iter(limits))} is "):
        Client(**limits)
