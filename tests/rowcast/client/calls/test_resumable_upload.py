"""What the client does if a service does not offer resumable uploads. The rest is in `tests/stack`."""

from pathlib import Path

import pytest
from fake_service import FakeService, Handler, problem

from rowcast.client import Client, Gone, Patience, Unavailable, WrongUse
from rowcast.client.calls import resumable_upload


@pytest.fixture(autouse=True)
def _every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_upload, "LARGE_BYTES", 1)


def created(handler: Handler) -> None:
    handler.read_body()
    handler.answer(201, Location="/prefix/uploads/7")


@pytest.mark.parametrize("status", [404, 405])
def test_an_older_service_gets_the_file_in_one_body(service: FakeService, client: Client, status: int) -> None:
    service.fails("POST /uploads", problem(status, "This path does not exist."))
    client.submit_csv(b"age,pclass\n25,3\n", model="titanic@2", idempotency_key="k")
    first, second = service.seen
    assert (first.path, first.body, first.query) == ("/uploads", b"", {"model": "titanic@2"})
    assert (first.headers["upload-length"], first.headers["idempotency-key"]) == ("16", "k")
    assert (second.path, second.body) == ("/predict", b"age,pclass\n25,3\n")


def test_a_proxy_that_lets_no_patch_pass_gets_the_file_in_one_body(service: FakeService, client: Client) -> None:
    service.fails("POST /uploads", created)
    service.fails("PATCH /uploads", problem(405, "PATCH is not allowed."))
    client.submit_csv(b"age,pclass\n25,3\n")
    assert [one.path for one in service.seen] == ["/uploads", "/uploads/7", "/predict"]


def test_the_client_gives_up_if_nothing_goes_on(service: FakeService) -> None:
    service.fails("POST /uploads", created)
    service.fails("PATCH /uploads", *(problem(503, "The store is away.") for _ in range(50)))
    service.fails("HEAD /uploads", *(lambda handler: handler.answer(204, Upload_Offset="0") for _ in range(50)))
    with Client(service.url, patience=Patience(0.3, 0.3)) as client, pytest.raises(Unavailable, match="store is away"):
        client.submit_csv(b"age,pclass\n25,3\n")


def test_an_upload_that_is_gone_says_why(service: FakeService, client: Client) -> None:
    service.fails("POST /uploads", created)
    service.fails("PATCH /uploads", problem(503, "no"), problem(410, "It was refused: 'age' is missing."))
    service.fails("HEAD /uploads", problem(410, "not shown"))
    with pytest.raises(Gone, match="'age' is missing"):
        client.submit_csv(b"pclass\n3\n")


def test_a_file_that_is_replaced_is_not_sent_on(service: FakeService, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a\n1\n")

    def replaces(handler: Handler) -> None:
        (tmp_path / "other.csv").write_bytes(b"b\n2\n")
        (tmp_path / "other.csv").rename(path)
        problem(503, "no")(handler)

    service.fails("POST /uploads", created)
    service.fails("PATCH /uploads", replaces)
    service.fails("HEAD /uploads", lambda handler: handler.answer(204, Upload_Offset="2"))
    with pytest.raises(WrongUse, match="was replaced"):
        client.submit_csv(path)
