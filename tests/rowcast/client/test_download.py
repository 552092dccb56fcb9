import io

import pytest
from fake_service import FakeService, breaks_after, hangs_up, problem

from rowcast.client import BrokenTransfer, Client, Job, JobFailed, Unavailable, WrongUse


@pytest.fixture
def job(client: Client) -> Job:
    return client.submit_csv(b"a\n1\n").wait()


def ranges(service: FakeService) -> list[str | None]:
    return [entry.headers.get("range") for entry in service.seen if entry.path.endswith("/result")]


def test_a_result_is_written_whole_under_its_name(service: FakeService, job: Job, tmp_path) -> None:
    seen: list[tuple[int, int | None]] = []
    job.download(tmp_path / "out.csv", on_progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]
    assert seen[-1] == (len(service.result), len(service.result))


def test_a_broken_download_goes_on_where_it_stopped(service: FakeService, job: Job, tmp_path) -> None:
    service.fails("GET /jobs/result", breaks_after(1000), hangs_up, problem(503, "away"), breaks_after(100_000))
    job.download(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert ranges(service) == [None, *["bytes=1000-"] * 3, "bytes=101000-"]


def test_a_file_that_has_changed_meanwhile_is_fetched_from_its_start(service: FakeService, job: Job, tmp_path) -> None:
    service.fails("GET /jobs/result", breaks_after(1000, ETag='"of before"'))
    job.download(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == service.result


def test_a_weak_tag_promises_nothing(service: FakeService, job: Job, tmp_path) -> None:
    service.fails("GET /jobs/result", breaks_after(1000, ETag='W/"1"'))
    job.download(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert ranges(service) == [None, None]


def test_a_stream_is_gone_on_with_too(service: FakeService, job: Job) -> None:
    service.fails("GET /jobs/result", breaks_after(1000))
    target = io.BytesIO()
    job.download(target)
    assert target.getvalue() == service.result


def test_a_stream_that_would_have_to_begin_again_is_an_error(service: FakeService, job: Job) -> None:
    service.fails("GET /jobs/result", breaks_after(1000, ETag='"of before"'))
    with pytest.raises(BrokenTransfer):
        job.download(io.BytesIO())


def test_what_cannot_be_fetched_leaves_no_file(service: FakeService, job: Job, tmp_path) -> None:
    service.fails("GET /jobs/result", breaks_after(1000), problem(503, "away", Retry_After="3600"))
    (tmp_path / "out.csv").write_text("of yesterday")
    with pytest.raises(Unavailable):
        job.download(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "of yesterday"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said_before_anything_is_sent(service, client: Client, tmp_path) -> None:
    with pytest.raises(WrongUse, match="No such file"):
        client.predict_csv(b"a\n1\n", tmp_path / "none" / "out.csv")
    with pytest.raises(WrongUse, match="folder"):
        client.predict_csv(b"a\n1\n", tmp_path)
    assert not service.seen


def test_a_link_stays_a_link(service: FakeService, job: Job, tmp_path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    job.download(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == service.result


def test_a_file_that_is_replaced_stays_private_and_may_have_the_longest_name(job: Job, tmp_path) -> None:
    path = tmp_path / ("ü" * 125 + ".csv")  # 254 bytes
    path.touch(mode=0o600)
    job.download(path)
    assert (path.stat().st_mode & 0o777, path.stat().st_size > 0) == (0o600, True)


def test_a_device_is_written_to(job: Job) -> None:
    job.download("/dev/null")


def test_the_error_of_a_failed_job_is_raised(service: FakeService, client: Client, tmp_path) -> None:
    service.statuses = ["queued", "failed"]
    service.error = {"title": "Failed", "detail": "more than 0 bad rows", "status": 422}
    with pytest.raises(JobFailed, match="more than 0 bad rows") as caught:
        client.submit_csv(b"a\n1\n").download(tmp_path / "out.csv")
    assert caught.value.problem["title"] == "Failed"
    assert not list(tmp_path.iterdir())


def test_a_result_that_was_followed_and_broke_off_goes_on_when_the_job_has_ended(
    service: FakeService, client: Client, tmp_path
) -> None:
    service.fails("GET /jobs/result", breaks_after(1000))
    client.predict_csv(b"a\n1\n", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert ranges(service) == [None, "bytes=1000-"]
    assert [entry.query for entry in service.seen if entry.path.endswith("/result")] == [{"follow": "true"}, {}]


def test_a_stream_gets_nothing_of_a_job_that_may_yet_fail(service: FakeService, client: Client) -> None:
    service.statuses, service.error = ["queued", "failed"], {"detail": "no"}
    target = io.BytesIO()
    with pytest.raises(JobFailed):
        client.predict_csv(b"a\n1\n", target)
    assert target.getvalue() == b""
    assert not ranges(service)
