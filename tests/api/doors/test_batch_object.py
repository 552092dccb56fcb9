"""How a job looks as a batch, by its state."""

from typing import Any

import pytest

from api.doors.batch_object import batch_object
from rowcast.errors import Drifted, EveryRowBad, TooLate
from rowcast.jobs import job_manifest
from rowcast.jobs.job import Job, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.states import Status

ID = "01a2054e-0b47-74e6-a8a3-69dc6a5d1314"
ASKED = BatchRequest(
    file_id="file-1",
    endpoint="/predict",
    completion_window="1h",
    metadata={"a": "b"},
    body={"model": "titanic", "top": 1},
)
SPEC = Spec(kind="batch", model=ModelRef(name="titanic", version="1"), options=Options(expires_in="1h"), requests=ASKED)  # type: ignore[arg-type]


def job(status: Status, **others: Any) -> Job:
    ended = {"finished_ms": 1_800_000_000_000} if status.is_terminal else {}
    rows = {"rows_total": 9, "chunks_total": 2, "rows_done": 5, "rows_failed": 2}
    return Job(id=ID, owner="", status=status, spec=SPEC, **{**rows, **ended, **others})


@pytest.mark.parametrize(
    ("found", "status", "time"),
    [
        (job(Status.QUEUED, is_converting=True), "validating", None),
        (job(Status.RUNNING), "in_progress", None),
        (job(Status.SUCCEEDED), "completed", "completed_at"),
        (job(Status.CANCELLED), "cancelled", "cancelled_at"),
        (job(Status.FAILED, error=EveryRowBad("None.").recorded()), "completed", "completed_at"),
        (job(Status.FAILED, error=TooLate("It took too long.").recorded()), "expired", "expired_at"),
        (job(Status.FAILED, error=Drifted("Too far.").recorded()), "failed", "failed_at"),
        (job(Status.EXPIRED), "expired", "expired_at"),
    ],
)
def test_each_state_of_a_job_is_one_of_a_batch(found: Job, status: str, time: str | None) -> None:
    batch: Any = batch_object(found)
    times = {name for name in ("completed_at", "failed_at", "expired_at", "cancelled_at") if batch[name]}
    assert (batch["status"], times) == (status, {time} - {None})
    has_files = found.status.is_terminal and found.status is not Status.EXPIRED
    assert (batch["output_file_id"], batch["error_file_id"]) == (
        (f"file-{ID}-output", f"file-{ID}-errors") if has_files else (None, None)
    )
    assert batch["request_counts"] == {"total": 9, "completed": 3, "failed": 2}
    assert batch["expires_at"] - batch["created_at"] == 3600
    assert (batch["errors"] is None) == (status not in ("failed", "expired") or found.error is None)


def test_a_batch_that_redis_loses_is_made_again_with_all_that_it_knows() -> None:
    new = NewJob(id=ID, owner="alice", spec=SPEC, rows=0, chunks=0, plan=b"", is_converting=True)
    assert job_manifest.read(ID, job_manifest.write(new)) == new
