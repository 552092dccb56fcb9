from dataclasses import replace

import pytest
from record_jobs import batch

from rowcast.jobs.job import Job, ModelRef
from rowcast.jobs.job_filter import EVERY_JOB, JobFilter
from rowcast.jobs.states import Status


@pytest.fixture
def job() -> Job:
    new = batch()
    options = new.spec.options.model_copy(update={"tags": {"run": "nightly"}})
    return replace(new, spec=new.spec.model_copy(update={"options": options})).queued()


def test_every_part_that_is_given_must_be_true(job: Job) -> None:
    name, version, made = job.spec.model.name, job.spec.model.version, job.created_ms
    for taken in (
        EVERY_JOB,
        JobFilter(Status.QUEUED, name, "run:nightly", made, made + 1),
        JobFilter(model=f"{name}@{version}", tag="run"),
    ):
        assert taken.matches(job)
    for refused in (
        JobFilter(Status.RUNNING),
        JobFilter(model=f"{name}@999"),
        JobFilter(model=name[:-1]),
        JobFilter(tag="run:weekly"),
        JobFilter(tag="team"),
        JobFilter(since_ms=made + 1),
        JobFilter(until_ms=made),
        JobFilter(Status.QUEUED, name, "run:weekly"),
    ):
        assert not refused.matches(job)


def test_a_job_of_two_models_is_found_by_either(job: Job) -> None:
    both = replace(job, spec=job.spec.model_copy(update={"second_model": ModelRef(name="other", version="7")}))
    for model in (job.spec.model.name, str(job.spec.model), "other", "other@7"):
        assert JobFilter(model=model).matches(both)
    assert not JobFilter(model="other@8").matches(both)
    assert not JobFilter(model="other").matches(job)


@pytest.mark.parametrize("shift_ms", [-1, 0, 1, 10**15])
def test_ids_lie_between_the_bounds_if_and_only_if_the_job_matches(job: Job, shift_ms: int) -> None:
    since = JobFilter(since_ms=job.created_ms + shift_ms)
    until = JobFilter(until_ms=job.created_ms + shift_ms)
    assert (job.id > since.oldest_id()) == since.matches(job)
    assert (job.id < until.newest_id()) == until.matches(job)
