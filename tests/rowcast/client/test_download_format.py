import io
from pathlib import Path
from typing import Any

import pytest
from fake_service import FakeService

from rowcast.client import BrokenTransfer, Client, Job, Patience, WrongUse
from rowcast.client.download_format import format_of

PARQUET = {"format": "parquet", "redirect": "true", "wait": "30"}


def is_written(handler: Any) -> None:
    """Responds that the worker has not written the file yet."""
    unfinished = {"status": 503, "type": "urn:rowcast:problem:parquet-unfinished", "detail": "It is being written."}
    handler.answer_json(503, unfinished, Retry_After="0")


@pytest.fixture
def job(client: Client) -> Job:
    return client.submit_csv(b"a\n1\n").wait()


def queries(service: FakeService) -> list[dict[str, str]]:
    return [entry.query for entry in service.seen if entry.path.endswith("/result")]


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        ("out.parquet", None, "parquet"),
        (Path("some.csv/OUT.PARQUET"), None, "parquet"),
        ("out.ndjson", None, "ndjson"),
        ("out.jsonl", None, "ndjson"),
        ("out.csv", None, "csv"),
        ("out.csv.gz", None, "csv"),
        ("parquet", None, "csv"),
        (".parquet", None, "csv"),
        ("-", None, "csv"),
        (io.BytesIO(), None, "csv"),
        (io.BytesIO(), "parquet", "parquet"),
        ("out.parquet", "csv", "csv"),
    ],
)
def test_the_format_is_the_given_one_or_that_of_the_ending(target: Any, given: Any, wanted: str) -> None:
    assert format_of(target, given) == wanted


def test_a_format_that_does_not_exist_is_refused_before_anything_is_sent(
    service: FakeService, job: Job, client: Client, tmp_path: Path
) -> None:
    before = len(service.seen)
    for call in (job.download, lambda *target, **named: client.predict_csv(b"a\n1\n", *target, **named)):
        with pytest.raises(WrongUse, match="'xlsx'; give 'csv', 'ndjson' or 'parquet'"):
            call(tmp_path / "out.xlsx", format="xlsx")
    assert len(service.seen) == before
    assert not list(tmp_path.iterdir())


def test_the_service_is_asked_for_the_format(service: FakeService, job: Job, tmp_path: Path) -> None:
    job.download(tmp_path / "out.parquet")
    job.download(tmp_path / "out.jsonl")
    job.download(io.BytesIO(), format="ndjson", partial=True)
    job.download(tmp_path / "out.csv")
    assert queries(service) == [PARQUET, {"format": "ndjson"}, {"format": "ndjson", "partial": "true"}, {}]
    assert (tmp_path / "out.parquet").read_bytes() == service.result


def test_a_parquet_file_that_is_being_written_is_asked_for_again(
    service: FakeService, job: Job, tmp_path: Path
) -> None:
    service.fails("GET /jobs/result", is_written, is_written)
    job.download(tmp_path / "out.parquet")
    assert queries(service) == [PARQUET] * 3
    assert (tmp_path / "out.parquet").read_bytes() == service.result


def test_a_parquet_file_may_take_longer_than_the_patience_lasts(service: FakeService, tmp_path: Path) -> None:
    with Client(service.url, patience=Patience(seconds=0, first_contact_seconds=0)) as client:
        job = client.submit_csv(b"a\n1\n").wait()
        service.fails("GET /jobs/result", is_written, is_written)
        job.download(tmp_path / "out.parquet")
    assert (tmp_path / "out.parquet").read_bytes() == service.result


@pytest.mark.parametrize("location", ["file:///etc/passwd", "/elsewhere", "ftp://127.0.0.1/result"])
def test_a_redirect_leads_only_to_a_bucket(location: str, service: FakeService, job: Job, tmp_path: Path) -> None:
    service.fails("GET /jobs/result", lambda handler: handler.answer(307, Location=location))
    with pytest.raises(BrokenTransfer, match="not safe"):
        job.download(tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


def test_only_csv_is_followed(service: FakeService, client: Client, tmp_path: Path) -> None:
    for name in ("out.parquet", "out.ndjson", "out.csv"):
        assert client.predict_csv(b"a\n1\n", tmp_path / name).status == "succeeded"
        assert (tmp_path / name).read_bytes() == service.result
    client.predict_csv(b"a\n1\n", tmp_path / "out", format="parquet")
    # What a followed job lacks is fetched when it has ended.
    assert queries(service) == [PARQUET, {"format": "ndjson"}, {"follow": "true"}, {}, PARQUET]


def test_one_row_is_not_a_file(service: FakeService, client: Client, tmp_path: Path) -> None:
    job = client.job(client.predict([25, 3], wait=None).job)
    with pytest.raises(WrongUse, match=r"of one row.* not available as parquet"):
        job.download(tmp_path / "out.parquet")
    assert not queries(service)
    assert not list(tmp_path.iterdir())
