import threading

import pytest
from fake_service import FakeService, hangs_up, problem

from rowcast.client import Client, RateLimited, Unavailable, Unreachable
from rowcast.client.retries import Patience


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


def test_an_answer_that_takes_too_long_is_given_up(service: FakeService) -> None:
    over = threading.Event()
    service.fails("GET /models", lambda _handler: over.wait(60))
    impatient = Client(service.url, timeout=0.2, patience=Patience(seconds=0, first_contact_seconds=0))
    with impatient as client, pytest.raises(Unreachable, match="timed out"):
        client.models()
    over.set()
