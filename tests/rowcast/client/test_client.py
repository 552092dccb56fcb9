import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from fake_service import FakeService, hangs_up, problem

import rowcast
from rowcast.client import (
    BadRequest,
    Client,
    ClientError,
    Conflict,
    Forbidden,
    Gone,
    JobCancelled,
    JobFailed,
    NotFound,
    RowError,
    ServiceError,
    StillRunning,
    TooLarge,
    Unauthorized,
    Unprocessable,
    Unreachable,
    UnsupportedType,
    WrongUse,
)


def test_one_row_is_predicted_in_one_call(service: FakeService, client: Client) -> None:
    service.statuses = ["succeeded"]
    answer = client.predict([25, 3], model="titanic")
    assert (answer.prediction, answer.probabilities) == (0, None)
    assert answer.job in service.jobs
    assert service.seen[-1].headers["prefer"] == "wait=60"
    assert b'"model": "titanic"' in service.seen[-1].body


def test_a_row_that_takes_longer_is_waited_for(client: Client) -> None:
    answer = client.predict({"age": 25, "pclass": 3}, probabilities=True)
    assert (answer.prediction, answer.probabilities) == (1, {"0": 0.25, "1": 0.75})


def test_numpy_values_and_missing_ones_can_be_sent(service: FakeService, client: Client) -> None:
    client.predict({"a": np.float64(1.5), "b": math.nan, "c": np.int64(2), "d": np.bool_(True), "e": None})
    assert b'{"a": 1.5, "b": null, "c": 2, "d": true, "e": null}' in service.seen[0].body
    client.predict(np.array([1.0, np.nan]))
    assert b"[1.0, null]" in service.seen[-2].body or b"[1.0, null]" in service.seen[-3].body


def test_what_json_cannot_carry_is_refused_here(service: FakeService, client: Client) -> None:
    for features in ([math.inf], [object()]):
        with pytest.raises(WrongUse):
            client.predict(features)
    assert not service.seen


def test_decimals_of_a_database_are_sent_as_numbers(service: FakeService, client: Client) -> None:
    client.predict([Decimal("25.5"), Decimal("3.00"), Decimal("NaN")])
    assert b"[25.5, 3, null]" in service.seen[0].body


@pytest.mark.parametrize("wait", [math.nan, "5"])
def test_a_wait_that_is_not_a_number_is_refused(service: FakeService, client: Client, wait: float) -> None:
    with pytest.raises(WrongUse, match="give a number of seconds, or None"):
        client.predict([25, 3], wait=wait)
    job = client.submit_csv(b"a\n1\n")
    with pytest.raises(WrongUse, match="give a number of seconds, or None"):
        job.wait(wait)
    assert client.predict([25, 3], wait=math.inf).prediction == 1


def test_a_wait_ends_when_its_time_is_up(service: FakeService, client: Client) -> None:
    service.statuses = ["queued"]
    with pytest.raises(StillRunning) as caught:
        client.predict([25, 3], wait=0)
    assert caught.value.job.status == "queued"
    assert isinstance(caught.value, TimeoutError)
    assert str(caught.value).endswith("is still queued after 0 s.")


def test_a_file_goes_in_and_a_file_comes_out(service: FakeService, client: Client, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"a\n1\n")
    job = client.predict_csv(tmp_path / "in.csv", tmp_path / "out.csv", model="titanic")
    assert job.status == "succeeded"
    assert (tmp_path / "out.csv").read_bytes() == service.result


def test_a_job_tells_how_far_it_is(client: Client) -> None:
    seen: list[str] = []
    job = client.submit_csv(b"a\n1\n")
    job.wait(on_progress=lambda job: seen.append(job.status))
    assert seen == ["running", "succeeded"]
    assert job.progress["rows_done"] == 40_000


def test_a_wait_outlives_a_gateway_that_restarts(service: FakeService, client: Client) -> None:
    job = client.submit_csv(b"a\n1\n")
    service.fails("GET /jobs", hangs_up, problem(503, "starting"))
    assert job.wait().status == "succeeded"


def test_a_failed_job_and_a_cancelled_one_are_errors_of_their_own(service: FakeService, client: Client) -> None:
    service.statuses = ["queued", "failed"]
    service.error = {"detail": "row 3: not a number"}
    with pytest.raises(JobFailed, match="row 3"):
        client.submit_csv(b"a\n1\n").wait()
    with pytest.raises(JobCancelled):
        client.submit_csv(b"a\n1\n").cancel().wait()


def test_a_deleted_job_is_deleted_once_also_when_the_answer_was_lost(service: FakeService, client: Client) -> None:
    job = client.submit_csv(b"a\n1\n")
    service.fails("DELETE /jobs", hangs_up, problem(410, "It was deleted."))
    job.delete()
    job.delete()
    with pytest.raises(NotFound):
        job.refresh()


def test_bad_rows_are_listed(client: Client) -> None:
    assert client.submit_csv(b"a\n1\n").errors() == [RowError(3, "age", "x,y", "not a number")]


def test_a_result_becomes_a_table(service: FakeService, client: Client) -> None:
    table = client.submit_csv(b"a\n1\n").wait().to_pandas()
    assert table.shape == (40_000, 3)
    assert client.submit_csv(b"a\n1\n").wait().to_pandas(dtype=str)[0].iloc[-1] == "39999"


def test_jobs_are_listed_over_pages(client: Client) -> None:
    for _ in range(3):
        client.submit_csv(b"a\n1\n")
    assert len(list(client.jobs())) == 3
    assert len(list(client.jobs(limit=1))) == 1


def test_a_key_and_an_address_come_from_the_environment(service: FakeService, monkeypatch) -> None:
    monkeypatch.setenv("ROWCAST_URL", service.url + "/")
    monkeypatch.setenv("ROWCAST_API_KEY", "secret")
    with rowcast.Client() as client:
        client.models()
    assert client.url == service.url
    assert service.seen[-1].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (413, TooLarge),
        (415, UnsupportedType),
        (422, Unprocessable),
        (500, ServiceError),
    ],
)
def test_each_kind_of_problem_is_a_type(service: FakeService, client: Client, status: int, kind: type) -> None:
    service.fails("GET /models", problem(status, "so it is"))
    with pytest.raises(kind, match="so it is") as caught:
        client.models()
    assert caught.value.status == status
    assert (caught.value.problem["title"], caught.value.type) == ("no", None)


def test_a_page_that_is_no_problem_document_is_an_error_too(service: FakeService, client: Client) -> None:
    service.fails(
        "GET /models", lambda handler: handler.answer(404, b"<html>"), lambda handler: handler.answer(200, b"<html>")
    )
    with pytest.raises(NotFound):
        client.models()
    with pytest.raises(ServiceError, match="did not answer as Rowcast does"):
        client.models()


def test_an_invalid_url_is_refused() -> None:
    for url in ("localhost:5000", "ftp://x", "http://", "http://x:y"):
        with pytest.raises(WrongUse):
            Client(url)


def test_an_invalid_job_id_is_refused_by_the_client(client: Client) -> None:
    with pytest.raises(ClientError, match="not a job id"):
        client.job("../models")


def test_the_client_loads_nothing_of_the_service_and_no_pandas() -> None:
    code = (
        "import sys; from rowcast import Client; Client();"
        "ours = {name for name in sys.modules if name.startswith('rowcast.')};"
        "ours -= {'rowcast.version', 'rowcast.loopback'};"
        "assert all(name.startswith(('rowcast.client', 'rowcast.wording')) for name in ours), ours;"
        "assert not {'pandas', 'numpy', 'numba', 'celery', 'redis', 'flask'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(rowcast.__file__).parents[1])


def test_a_forked_process_does_not_use_the_connections_of_its_parent(service: FakeService, client: Client) -> None:
    """On one connection, each of them would read the predictions of the other."""
    service.statuses = ["succeeded"]
    client.predict([25, 3])
    child = os.fork()
    if child == 0:
        try:
            client.predict([60, 1])
            client.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    client.predict([25, 3])
    assert [b"60" in entry.body for entry in service.seen] == [False, True, False]
    of_parent, of_child, of_parent_later = (entry.caller_port for entry in service.seen)
    assert of_child != of_parent == of_parent_later


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("localhost:5000", "use for example http://localhost:5000"),
        ("ftp://example.org", "use for example http://127.0.0.1:5000"),
        ("http://localhost:5000/?a=1", "use for example http://localhost:5000/"),
    ],
)
def test_an_address_that_is_wrong_is_refused_with_a_right_one(url: str, fix: str) -> None:
    with pytest.raises(WrongUse) as caught:
        Client(url)
    assert fix in str(caught.value)


def test_an_address_of_a_page_says_that_it_is_not_one_of_the_service(service: FakeService) -> None:
    service.fails("GET /models", lambda handler: handler.send_error(404))
    with Client(service.url) as client, pytest.raises(NotFound, match=r"/models is not a path of Rowcast \(404\)"):
        client.models()


def test_https_to_a_service_without_a_certificate_says_so(service: FakeService) -> None:
    https = service.url.replace("http:", "https:")
    with Client(https, max_retries=0) as client, pytest.raises(Unreachable, match="Use http:// if the service"):
        client.models()


def test_a_key_is_sent_without_the_line_end_of_its_file(service: FakeService) -> None:
    with Client(service.url, "rc_abc\n") as client:
        client.models()
    assert service.seen[-1].headers["authorization"] == "Bearer rc_abc"
    for key in ("schlüssel", "two\nlines"):
        with pytest.raises(WrongUse, match="The API key has a character"):
            Client(service.url, key)


def test_corrections_may_have_values_of_numpy_and_must_be_mappings(service: FakeService, client: Client) -> None:
    job = client.submit_csv(b"a\n1\n")
    job.repair([{"_row": np.int64(2), "age": np.float64(30.5)}])
    assert service.seen[-1].body == b'{"rows": [{"_row": 2, "age": 30.5}]}'
    with pytest.raises(WrongUse, match="Each corrected row is a mapping"):
        job.repair([5])  # type: ignore[list-item]
