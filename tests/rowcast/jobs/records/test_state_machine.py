"""The records under random interleavings, against a small model in Python, on the real server.

A job's input has an `x` for each row, and its part a `y`. After every step, each record is what the model says, every
change of status is one that the table of states allows, and the audit of Redis finds nothing. At the end every live job
is worked off, and the whole audit, which also reads the store, finds nothing.
"""

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from record_machine import HOLDERS, MODEL, PROBLEM, PROCESSES, RecordMachine, some
from rules_of_submitting import Submitting
from rules_of_working import Working
from store_model import ROWS, can_follow

from rowcast.errors import EveryRowBad, Gone, NotFound, WrongState
from rowcast.jobs.progress.chunk_lines import chunk_lines
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.states import Status
from rowcast.settings import Settings


class Machine(Submitting, Working):
    """Each rule does the same to the records and to the model. A subclass brings the fixtures."""

    # Upkeep

    @rule(everything_is_due=st.booleans())
    def tick(self, everything_is_due: bool) -> None:
        if everything_is_due:
            for _, _, work in self.flying():
                if work.held:
                    work.held.run_out = True
            members = dict.fromkeys(self.redis.zrange(key("due"), 0, -1), 1)
            if members:
                self.redis.zadd(key("due"), members)
        self.upkeep.tick()
        self.has_lost_rows &= not everything_is_due
        flying = sorted((f"{id}/{chunk}", id, chunk, work) for id, chunk, work in self.flying())
        for _, id, chunk, work in flying:
            model = self.jobs[id]
            if not model.is_live:
                continue
            run_out = bool(work.held and work.held.run_out)
            if run_out and model.strike(chunk, 1):
                continue
            if run_out:
                work.held = None
            if model.is_single and (run_out or (work.postponed and everything_is_due)):
                self.waiting.append(id)
                work.postponed = False

    @precondition(RecordMachine.has_known)
    @rule(number=some)
    def expire(self, number: int) -> None:
        id = self.job(number, known=True)
        if self.redis.zadd(key("expiring"), {id: 1}, xx=True, ch=True):
            assert self.jobs[id].status in ("succeeded", "failed", "cancelled")
            self.tick(everything_is_due=False)
            self.jobs[id].status = "expired"
            assert id not in self.files.jobs()

    @rule()
    def sweep(self) -> None:
        """Makes every removal due. Uploads then count as silent."""
        pending = dict.fromkeys(self.redis.zrange(key("removing"), 0, -1), 1)
        if pending:
            self.redis.zadd(key("removing"), pending)
            self.tick(everything_is_due=False)
            for id in self.uploads():
                self.drop(id)

    # Ending

    @precondition(RecordMachine.has_known)
    @rule(number=some)
    def cancel(self, number: int) -> None:
        id = self.job(number, known=True)
        if not self.jobs[id].is_live:
            with pytest.raises(Gone if self.jobs[id].status == "deleted" else WrongState):
                self.records.cancel(id)
            return
        self.records.cancel(id)
        self.end(id, "cancelled")

    @precondition(lambda self: any(model.status in ("failed", "cancelled") for model in self.jobs.values()))
    @rule(number=some)
    def retry(self, number: int) -> None:
        ended = [id for id, model in self.jobs.items() if model.status in ("failed", "cancelled")]
        id = ended[number % len(ended)]
        model = self.jobs[id]
        if model.is_single or len(model.done) == model.chunks:
            with pytest.raises(WrongState):
                self.records.retry(id)
            return
        self.records.retry(id)
        model.retry()

    @precondition(RecordMachine.has_known)
    @rule(number=some)
    def delete(self, number: int) -> None:
        id = self.job(number, known=True)
        if self.jobs[id].status == "deleted":
            with pytest.raises(Gone):
                self.records.delete(id)
            return
        self.records.delete(id)
        self.files.delete(id)
        self.end(id, "deleted")

    # What is always true

    @invariant()
    def records_are_as_the_model_says(self) -> None:
        for id, model in self.jobs.items():
            if model.status == "deleted" or not model.is_known:
                with pytest.raises(Gone if model.is_known else NotFound):
                    self.records.get(id)
                continue
            job = self.records.get(id)
            assert (job.status.value, job.rows_done, job.rows_failed) == (model.status, model.rows_done, model.failed)
            is_hopeless = model.status == "failed" and not model.is_single and model.failed == model.chunks * ROWS
            if is_hopeless and model.max_errors is None and job.error != PROBLEM:
                assert job.error is not None
                assert job.error["type"] == EveryRowBad.problem_type()
            before, rows_before = self.seen.get(id, ("queued", 0))
            assert job.rows_done >= rows_before
            assert before == job.status or can_follow(Status(before), job.status)
            self.seen[id] = (job.status.value, job.rows_done)

    @invariant()
    def the_audit_of_redis_finds_nothing(self) -> None:
        totals = self.auditor.totals()
        assert list(totals.findings()) == []
        for id in self.jobs:
            if self.jobs[id].is_known:
                books = self.auditor.job_state(id)
                assert books is None or list(books.findings()) == []

    @invariant()
    def leases_are_those_of_the_model(self) -> None:
        held = {f"{id}/{chunk}" for id, chunk, work in self.flying() if work.held}
        assert {member.decode() for member in self.redis.hkeys(key("leases"))} == held
        assert [id.decode() for id in self.redis.lrange(key("waiting", str(MODEL)), 0, -1)] == list(self.waiting)

    @invariant()
    def only_work_without_a_lease_is_in_a_line_and_few_messages_are_sent(self) -> None:
        free = {f"{id}/{chunk}" for id, chunk, work in self.flying_chunks() if not work.held}
        lines = [self.redis.zrange(line, 0, -1) for line in (*chunk_lines(self.redis, [""])[0], key("parked_chunks"))]
        assert {member.decode() for line in lines for member in line} <= free
        models = self.redis.zcard(key("ready_models")) + self.redis.zcard(key("parked_models"))
        assert models <= 1
        assert models or not self.waiting or self.has_lost_rows, "rows that wait are in a line"
        assert max(self.redis.llen(key(queue)) for queue in ("batch", "single")) <= PROCESSES

    def teardown(self) -> None:
        """Lets upkeep and one worker bring every live job to an end, whatever was lost, and audits all of them."""
        if self.paused:
            self.resume(0, everything=True)
        for id in self.uploads():
            if self.jobs[id].arrived == self.jobs[id].chunks:
                self.finish_upload(id, self.jobs[id], None)
            else:
                self.drop(id)
        for _ in range(20):
            self.tick(everything_is_due=True)
            while self.redis.rpop(key("batch")):
                self.take_chunk(HOLDERS[1], commits=True, dies=False)
            while self.redis.rpop(key("single")):
                self.lease_rows(HOLDERS[1], 1)
                if self.row_leases:
                    self.commit_rows([0], "succeeded")
        self.records_are_as_the_model_says()
        assert not any(model.is_live for model in self.jobs.values())
        assert not self.redis.exists(key("parked_chunks"), key("parked_models"), key("paused"))
        assert not self.redis.exists(key("due"), key("leases"), key("waiting", str(MODEL)))
        assert self.auditor.report().findings == ()


def test_in_any_order_of_events_the_records_are_as_a_small_model_says(
    redis: RedisClient, settings: Settings, tmp_path: Path
) -> None:
    given = {"redis": redis, "options": settings.model_copy(update={"lease_seconds": 600.0}), "folder": tmp_path}
    run_state_machine_as_test(
        type("Given", (Machine,), given),
        settings=hypothesis_settings(max_examples=45, stateful_step_count=50, deadline=None),
    )
