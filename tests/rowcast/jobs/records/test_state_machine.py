"""The records under random interleavings, against a small model in Python, on the real server.

A job's input has an `x` for each row, and its part a `y`. After every step, each record is what the model says, every
change of status is one that the table of states allows, and the audit of Redis finds nothing. At the end every live job
is worked off, and the whole audit, which also reads the store, finds nothing.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from store_model import ROWS, Held, Model, Work, can_follow

from rowcast.errors import EveryRowBad, Gone, NotFound, Unprocessable, WrongState
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.audit.collect import Auditor
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob, Repeat
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, RowLease, RowOutcome, WaitingChunk, WaitingRows
from rowcast.jobs.records.policy import STRIKES_ALLOWED
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep

MODEL = ModelRef(name="m", version="1")
PROBLEM = {"type": "urn:rowcast:problem:input-lost", "detail": "it was lost"}
HOLDERS = ("a/1", "a/2", "b/1")
PAUSE_SECONDS = 600
PROCESSES = 2
"""Processes of the worker that is online."""

some = st.integers(0, 1000)
holders = st.sampled_from(HOLDERS)


def planned(chunk: int) -> PlanEntry:
    return PlanEntry(1 + ROWS * chunk, ROWS, ROWS)


class Machine(RuleBasedStateMachine):
    """Each rule does the same to the records and to the model. A subclass brings the fixtures."""

    redis: RedisClient
    options: Settings
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        # During an upload, chunks are put in flight only if a worker is online.
        self.redis.zadd(key("workers"), {f"a#{PROCESSES}": 2**52})
        self.scripts = Scripts(self.redis, self.options)
        self.records = Records(self.scripts, self.options)
        self.receiving = Uploads(self.scripts, self.options)
        self.files = Files(Storage(str(self.folder)))
        for id in self.files.jobs():
            self.files.delete(id)
        self.upkeep = Upkeep(self.redis, self.files, self.options)
        self.auditor = Auditor(self.redis, self.files, self.options)
        self.workers = {name: Leases(self.scripts, name) for name in HOLDERS}
        self.jobs: dict[str, Model] = {}
        self.waiting: deque[str] = deque()
        self.chunk_leases: list[ChunkLease] = []
        self.row_leases: list[RowLease] = []
        self.keyed: dict[str, tuple[str, str]] = {}
        self.seen: dict[str, tuple[str, int]] = {}
        self.failed: dict[
            tuple[str, int], int
        ] = {}  # bad rows of a chunk: each process that scores it finds the same ones
        self.has_lost_rows = False
        """Whether rows that wait may be in no line, until upkeep has looked at all of them."""

    def job(self, number: int, *, known: bool = False) -> str:
        """Returns any job, a live one more often than not. With `known`, its upload is complete."""
        jobs = {id: model for id, model in self.jobs.items() if model.is_known or not known}
        live = [id for id, model in jobs.items() if model.is_live]
        among = live if live and number % 4 else list(jobs)
        return among[number // 4 % len(among)]

    def has_known(self) -> bool:
        return any(model.is_known for model in self.jobs.values())

    def uploads(self) -> list[str]:
        return [id for id, model in self.jobs.items() if not model.is_known]

    def has_room(self) -> bool:
        """Whether there are few live jobs: rules meet the same job more often if there are few."""
        return sum(model.is_live for model in self.jobs.values()) < 3

    # Submitting

    @precondition(has_room)
    @rule(chunks=st.integers(1, 7), max_errors=st.none() | st.integers(0, 2), repeat=st.none() | st.sampled_from("kl"))
    def submit_batch(self, chunks: int, max_errors: int | None, repeat: str | None) -> None:
        id = new_id()
        self.receiving.announce(id)
        for chunk in range(chunks):
            self.files.put_input(id, chunk, b"x" * ROWS)
        self.finish_upload(id, Model(chunks, False, max_errors), repeat)

    def batch(self, id: str, chunks: int, max_errors: int | None) -> NewJob:
        columns = InputInfo(bytes=ROWS * chunks, sha256="ab", filename=None, columns=("x",))
        spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns, head_bytes=2)
        plan = pack_plan(planned(chunk) for chunk in range(chunks))
        return NewJob(id, "me" * (chunks % 2), spec, ROWS * chunks, chunks, plan=plan, max_errors=max_errors)

    def finish_upload(self, id: str, model: Model, repeat: str | None) -> None:
        self.files.put_header(id, b"h\n")
        new = self.batch(id, model.chunks, model.max_errors)
        if self.make(new, model, repeat, f"{model.chunks}/{model.max_errors}"):
            model.is_all_there()
        else:
            self.drop(id)

    def drop(self, id: str) -> None:
        self.receiving.withdraw(id)
        self.files.delete(id)
        if id in self.jobs:
            self.jobs[id].open.clear()
            self.jobs[id].arrived, self.jobs[id].status = None, "deleted"

    @precondition(lambda self: self.has_room() and len(self.uploads()) < 2)
    @rule(chunks=st.integers(1, 7), max_errors=st.none() | st.integers(0, 2))
    def begin_upload(self, chunks: int, max_errors: int | None) -> None:
        id = new_id()
        self.receiving.announce(id)
        self.jobs[id] = Model(chunks, False, max_errors, arrived=0)
        self.arrive(id)

    @precondition(lambda self: self.uploads())
    @rule(number=some, chunks=st.integers(1, 3), again=st.booleans())
    def go_on_with_upload(self, number: int, chunks: int, again: bool) -> None:
        id = self.uploads()[number % len(self.uploads())]
        left = self.jobs[id].chunks - (self.jobs[id].arrived or 0)
        if left:
            self.arrive(id, min(chunks, left), again)

    def arrive(self, id: str, chunks: int = 1, again: bool = False) -> None:
        model = self.jobs[id]
        known = model.arrived or 0
        numbers = range(known, known + chunks)
        for chunk in numbers:
            self.files.put_input(id, chunk, b"x" * ROWS)
        first = self.batch(id, 1, model.max_errors) if known == 0 else None
        for _ in range(1 + again):  # the answer was lost on the way
            assert self.receiving.add_chunks(id, known, [planned(chunk) for chunk in numbers], first)
        model.arrive(chunks)

    @precondition(lambda self: self.uploads())
    @rule(number=some, repeat=st.none() | st.sampled_from("kl"), drops=st.sampled_from([False, False, False, True]))
    def end_upload(self, number: int, repeat: str | None, drops: bool) -> None:
        id = self.uploads()[number % len(self.uploads())]
        if drops:
            self.drop(id)
            return
        model = self.jobs[id]
        for chunk in range(model.arrived or 0, model.chunks):
            self.files.put_input(id, chunk, b"x" * ROWS)
        self.finish_upload(id, model, repeat)

    @precondition(has_room)
    @rule(repeat=st.none() | st.sampled_from("kl"), again=st.booleans())
    def submit_single(self, repeat: str | None, again: bool) -> None:
        spec = Spec(kind="single", model=MODEL, options=Options())
        new = NewJob(new_id(), "", spec, 1, 1, values=[1])
        if self.make(new, Model(1, True, None), repeat, "single"):
            self.jobs[new.id].open[0] = Work()
            self.waiting.append(new.id)
            if again:  # the answer was lost on the way
                assert self.records.make(new) == (new.id, "made")

    def make(self, new: NewJob, model: Model, repeat: str | None, fingerprint: str) -> bool:
        earlier = self.keyed.get(repeat or "")
        known = self.jobs.get(earlier[0]) if earlier else None
        if repeat:
            new = NewJob(**{**vars(new), "repeat": Repeat(repeat, fingerprint)})
        if not earlier or known is None or known.status == "deleted":
            assert self.records.make(new) == (new.id, "made")
            self.jobs[new.id] = model
            if repeat:
                self.keyed[repeat] = (new.id, fingerprint)
            return True
        if earlier[1] == fingerprint:
            assert self.records.make(new) == (earlier[0], "replayed")
        else:
            with pytest.raises(Unprocessable):
                self.records.make(new)
        return False

    # Working on chunks

    @precondition(lambda self: self.jobs)
    @rule(number=some, chunk=st.integers(0, 7), holder=holders)
    def lease_chunk(self, number: int, chunk: int, holder: str) -> None:
        id = self.job(number)
        if not self.jobs[id].is_single:  # only chunks of batches are leased by name
            self.lease(id, chunk, holder)

    @precondition(lambda self: any(work.held for _, _, work in self.flying_chunks()))
    @rule(number=some, is_late=st.booleans())
    def take_over(self, number: int, is_late: bool) -> None:
        """Lets a process fall silent and another take its chunk; the first may come back with a part."""
        held = [(id, chunk, work.held) for id, chunk, work in self.flying_chunks() if work.held]
        id, chunk, lease = held[number % len(held)]
        zombie = next(one for one in reversed(self.chunk_leases) if (one.id, one.chunk) == (id, chunk))
        self.redis.zadd(key("due"), {f"{id}/{chunk}": 1})
        lease.run_out = True
        self.lease(id, chunk, next(name for name in HOLDERS if name != lease.holder))
        if is_late:
            self.commit(zombie)

    def lease(self, id: str, chunk: int, holder: str) -> ChunkLease | None:
        lease, wanted = self.workers[holder].chunk(id, chunk), self.lease_wanted(id, chunk, holder)
        if isinstance(lease, ChunkLease):
            assert (lease.attempt, lease.strikes) == wanted
            self.chunk_leases.append(lease)
            return lease
        assert lease == wanted
        return None

    def lease_wanted(self, id: str, chunk: int, holder: str) -> str | tuple[int, int]:
        model = self.jobs[id]
        work = model.open.get(chunk)
        if not model.is_live or work is None:
            return "idle"
        if work.held and work.held.holder != holder:
            if not work.held.run_out:
                return "busy"
            if model.strike(chunk, 1):
                return "idle"
            work.held = None
        if work.held is None:
            work.attempts += 1
            work.held = Held(holder, work.attempts)
        work.held.run_out = work.parked = False
        model.status = "running"
        return work.attempts, work.strikes

    @precondition(lambda self: self.chunk_leases)
    @rule(number=some, failed=st.sampled_from([0, 0, 1, ROWS, ROWS, ROWS]))
    def commit_chunk(self, number: int, failed: int) -> None:
        self.commit(self.chunk_leases[-1 - number % min(len(self.chunk_leases), 6)], failed)

    def commit(self, lease: ChunkLease, failed: int = 0) -> None:
        model, work = self.jobs[lease.id], self.jobs[lease.id].open.get(lease.chunk)
        failed = self.failed.setdefault((lease.id, lease.chunk), failed)
        if model.status not in ("deleted", "expired"):  # a worker checks that before it stores (worker/chunk_task.py)
            self.files.put_part(lease.id, lease.chunk, b"y" * ROWS, b"e" * failed)
        part = PartEntry(b"d" * 16, ROWS, failed, ROWS, failed)
        bad = {"bad": {"message": f"has fault {lease.chunk}", "example": "", "rows": ROWS}} if failed == ROWS else {}
        summary = {"classes": {"0": ROWS - failed} if failed < ROWS else {}, **bad}
        outcome = self.workers[HOLDERS[0]].commit(lease, part, summary)
        if not work or not work.held or work.held.attempt != lease.attempt:
            assert outcome == "stale"
            return
        del model.open[lease.chunk]
        model.done.add(lease.chunk)
        model.failed += failed
        if model.max_errors is not None and model.failed > model.max_errors:
            model.end("failed")
        elif len(model.done) == model.chunks and model.is_known:
            model.end(model.ending)
        has_ended = bool(model.verdict) or not model.is_live
        if not has_ended:
            model.top_up()
        assert outcome == ("ended" if has_ended else "counted")

    @precondition(lambda self: self.jobs)
    @rule(holder=holders, commits=st.booleans(), dies=st.sampled_from([False, False, True]))
    def take_chunk(self, holder: str, commits: bool, dies: bool) -> None:
        """Takes the chunk that comes next. If the process dies before it has the lease, the chunk is left to upkeep."""
        found = self.workers[holder].take(["chunk"], 1)
        if not isinstance(found, WaitingChunk):
            assert found is None
            return
        assert not self.jobs[found.id].open[found.chunk].held
        lease = None if dies else self.lease(found.id, found.chunk, holder)
        if lease and commits:
            self.commit(lease)

    # Working on rows

    @rule(holder=holders, most=st.integers(1, 4))
    def lease_rows(self, holder: str, most: int) -> None:
        is_in_line = self.redis.exists(key("ready_models"))
        found = self.workers[holder].take(["rows"], most)
        leased = list(found.rows) if isinstance(found, WaitingRows) else []
        wanted: list[tuple[str, int, int]] = []
        while is_in_line and len(wanted) < most and self.waiting:
            id = self.waiting.popleft()
            work = self.jobs[id].open[0]
            if work.strikes and wanted:
                self.waiting.appendleft(id)
                break
            work.attempts += 1
            work.held = Held(holder, work.attempts)
            self.jobs[id].status = "running"
            wanted.append((id, work.attempts, work.strikes))
            if work.strikes:
                break
        assert [(row.id, row.attempt, row.strikes) for row in leased] == wanted
        self.row_leases += leased

    @precondition(lambda self: self.row_leases)
    @rule(numbers=st.lists(some, min_size=1, max_size=3), status=st.sampled_from(["succeeded", "failed"]))
    def commit_rows(self, numbers: list[int], status: str) -> None:
        leases = [self.row_leases[-1 - number % min(len(self.row_leases), 6)] for number in numbers]
        document = {"prediction": 0} if status == "succeeded" else PROBLEM
        counted = 0
        outcomes = [RowOutcome(lease, status, document) for lease in leases]  # type: ignore[arg-type]
        for lease in leases:
            model, work = self.jobs[lease.id], self.jobs[lease.id].open.get(0)
            if work and work.held and work.held.attempt == lease.attempt:
                model.done.add(0)
                model.failed = int(status == "failed")
                model.end(status)
                counted += 1
        assert self.workers[HOLDERS[0]].commit_rows(outcomes) == counted

    # Losing leases

    def every_lease(self) -> list[ChunkLease | RowLease]:
        return [*self.chunk_leases, *self.row_leases]

    @precondition(lambda self: self.every_lease())
    @rule(number=some, strikes=st.sampled_from([0, 1, 4, STRIKES_ALLOWED]), delay=st.sampled_from([0, PAUSE_SECONDS]))
    def release(self, number: int, strikes: int, delay: int) -> None:
        lease = self.every_lease()[-1 - number % len(self.every_lease())]
        chunk = getattr(lease, "chunk", 0)
        self.workers[HOLDERS[0]].release([lease], PROBLEM, strikes=strikes, delay_seconds=delay)
        work = self.jobs[lease.id].open.get(chunk)
        if work and work.held and work.held.attempt == lease.attempt:
            self.resent(lease.id, chunk, strikes, delay)

    def resent(self, id: str, chunk: int, strikes: int, delay: int) -> None:
        model = self.jobs[id]
        if model.strike(chunk, strikes):
            return
        work = model.open[chunk]
        work.held = None
        work.parked = delay > 0
        if model.is_single and not delay:
            self.waiting.appendleft(id)

    @rule(holder=holders, strikes=st.sampled_from([0, 1]))
    def die_and_be_noticed(self, holder: str, strikes: int) -> None:
        held = [(id, chunk) for id, chunk, work in self.flying() if work.held and work.held.holder == holder]
        order = [member.decode() for member in self.redis.hkeys(key("leases"))]
        other = self.workers[HOLDERS[0]]
        assert other.release_of_holders(lambda name: name == holder, strikes=strikes) == len(held)
        for id, chunk in sorted(held, key=lambda pair: order.index(f"{pair[0]}/{pair[1]}")):
            if chunk in self.jobs[id].open:  # else: the job ended by another strike
                self.resent(id, chunk, strikes, 0)

    def flying(self) -> Iterator[tuple[str, int, Work]]:
        for id, model in self.jobs.items():
            yield from ((id, chunk, work) for chunk, work in list(model.open.items()))

    def flying_chunks(self) -> Iterator[tuple[str, int, Work]]:
        return (entry for entry in self.flying() if not self.jobs[entry[0]].is_single)

    @precondition(lambda self: any(work.held for _, _, work in self.flying()))
    @rule(number=some)
    def die_silently(self, number: int) -> None:
        held = [(id, chunk, work.held) for id, chunk, work in self.flying() if work.held]
        id, chunk, lease = held[number % len(held)]
        assert self.redis.zadd(key("due"), {f"{id}/{chunk}": 1}, xx=True, ch=True) <= 1
        lease.run_out = True

    @precondition(lambda self: self.every_lease())
    @rule(number=some, holder=holders)
    def renew(self, number: int, holder: str) -> None:
        lease = self.every_lease()[-1 - number % len(self.every_lease())]
        work = self.jobs[lease.id].open.get(getattr(lease, "chunk", 0))
        lost = self.workers[holder].renew([lease.member])
        if work and work.held and work.held.holder == holder:
            assert not lost
            work.held.run_out = False
        else:
            assert lost == {lease.member}

    @rule(queue=st.sampled_from(["batch", "single"]))
    def lose_messages(self, queue: str) -> None:
        self.redis.delete(key(queue))

    @rule(line=st.sampled_from(["ready_chunks", "ready_models", "rounds"]))
    def lose_lines(self, line: str) -> None:
        self.redis.delete(key(line))
        self.has_lost_rows |= line == "ready_models"

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
            if model.is_single and (run_out or (work.parked and everything_is_due)):
                self.waiting.append(id)
                work.parked = False

    @precondition(has_known)
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

    @precondition(has_known)
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

    @precondition(has_known)
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

    def end(self, id: str, status: str) -> None:
        self.jobs[id].end(status)
        if id in self.waiting:
            self.waiting.remove(id)

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
        assert {member.decode() for member in self.redis.zrange(key("ready_chunks"), 0, -1)} <= free
        models = self.redis.zcard(key("ready_models"))
        assert models <= 1
        assert models or not self.waiting or self.has_lost_rows, "rows that wait are in a line"
        assert max(self.redis.llen(key(queue)) for queue in ("batch", "single")) <= PROCESSES

    def teardown(self) -> None:
        """Lets upkeep and one worker bring every live job to an end, whatever was lost, and audits all of them."""
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
        assert not self.redis.exists(key("due"), key("leases"), key("waiting", str(MODEL)))
        assert self.auditor.report().findings == ()


def test_in_any_order_of_events_the_records_are_as_a_small_model_says(
    redis: RedisClient, settings: Settings, tmp_path: Path
) -> None:
    given = {"redis": redis, "options": settings.model_copy(update={"lease_seconds": 600.0}), "folder": tmp_path}
    run_state_machine_as_test(
        type("Given", (Machine,), given),
        settings=hypothesis_settings(max_examples=60, stateful_step_count=50, deadline=None),
    )
