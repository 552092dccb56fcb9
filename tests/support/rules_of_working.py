"""The rules of the state machine that work: they lease chunks and rows, commit them, and lose them."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from record_machine import HOLDERS, PAUSE_SECONDS, PROBLEM, RecordMachine, holders, some
from store_model import ROWS, Held

from rowcast.jobs.chunk_tables import PartEntry
from rowcast.jobs.records.leases import ChunkLease, RowOutcome, WaitingChunk, WaitingRows
from rowcast.jobs.records.policy import STRIKES_ALLOWED
from rowcast.jobs.records.redis_keys import key

LINES = ("ready_owners", "ready_chunks", "ready_models", "parked_chunks", "parked_models", "rounds")


class Working(RecordMachine):
    """Does the work of processes on the records and on the model."""

    # Chunks

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
            if self.is_paused(id):
                return "paused"
            if model.strike(chunk, 1):
                return "idle"
            work.held = None
        if work.held is None:
            if self.is_paused(id):
                return "paused"
            work.attempts += 1
            work.held = Held(holder, work.attempts)
        work.held.run_out = work.postponed = False
        model.status = "running"
        return work.attempts, work.strikes

    @precondition(lambda self: self.chunk_leases)
    @rule(number=some, failed=st.sampled_from([0, 0, 1, ROWS, ROWS, ROWS]))
    def commit_chunk(self, number: int, failed: int) -> None:
        self.commit(self.chunk_leases[-1 - number % min(len(self.chunk_leases), 6)], failed)

    def commit(self, lease: ChunkLease, failed: int = 0) -> None:
        model, work = self.jobs[lease.id], self.jobs[lease.id].open.get(lease.chunk)
        failed = self.failed.setdefault((lease.id, lease.chunk), failed)
        if model.status not in (
            "deleted",
            "expired",
        ):  # a worker checks that before it stores (worker/chunks/chunk_task.py)
            self.files.put_part_early(lease.id, lease.chunk, b"y" * ROWS, b"e" * failed)
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
    @rule(
        holder=holders,
        commits=st.booleans(),
        dies=st.sampled_from([False, False, True]),
        may_pause=st.sampled_from([False, False, False, True]),
    )
    def take_chunk(self, holder: str, commits: bool, dies: bool, may_pause: bool = False) -> None:
        """Takes the chunk that comes next. If the process dies before it has the lease, the chunk is left to upkeep.

        It may also be paused before the process has the lease.
        """
        found = self.workers[holder].take(["chunk"], 1)
        if not isinstance(found, WaitingChunk):
            assert found is None
            return
        assert not self.jobs[found.id].open[found.chunk].held
        assert not self.is_paused(found.id)
        if may_pause:
            self.pause("batch")
        lease = None if dies else self.lease(found.id, found.chunk, holder)
        if lease and commits:
            self.commit(lease)

    # Rows

    @rule(holder=holders, most=st.integers(1, 4))
    def lease_rows(self, holder: str, most: int) -> None:
        is_in_line = self.redis.exists(key("ready_models"))
        found = self.workers[holder].take(["rows"], most)
        leased = list(found.rows) if isinstance(found, WaitingRows) else []
        wanted: list[tuple[str, int, int]] = []
        while is_in_line and len(wanted) < most and self.waiting and not self.is_paused(self.waiting[0]):
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
        work.postponed = delay > 0
        if model.is_single and not delay:
            self.waiting.appendleft(id)

    @rule(holder=holders, strikes=st.sampled_from([0, 1]))
    def die_and_be_noticed(self, holder: str, strikes: int) -> None:
        held = [(id, chunk) for id, chunk, work in self.flying() if work.held and work.held.holder == holder]
        order = [member.decode() for member in self.redis.hkeys(key("leases"))]
        other = self.workers[HOLDERS[0]]
        assert len(other.release_of_holders(lambda name: name == holder, strikes=strikes)) == len(held)
        for id, chunk in sorted(held, key=lambda pair: order.index(f"{pair[0]}/{pair[1]}")):
            if chunk in self.jobs[id].open:  # else: the job ended by another strike
                self.resent(id, chunk, strikes, 0)

    @precondition(lambda self: any(work.held for _, _, work in self.flying()))
    @rule(number=some, is_renewed=st.booleans())
    def be_found_lost(self, number: int, is_renewed: bool) -> None:
        """Lets a lease run out, as upkeep does if its process was killed. One that was renewed meanwhile stays."""
        held = [(id, chunk, work.held) for id, chunk, work in self.flying() if work.held]
        id, chunk, lease = held[number % len(held)]
        member = f"{id}/{chunk}"
        (ends_ms,) = self.redis.zmscore(key("due"), [member])
        assert ends_ms is not None
        assert self.scripts.run_out([(member, lease.attempt + 1, int(ends_ms))]) == 0
        assert self.scripts.run_out([(member, lease.attempt, int(ends_ms) - is_renewed)]) == (not is_renewed)
        if not is_renewed:
            lease.run_out = True
            self.redis.zadd(key("due"), {member: 1})  # what is due at the same time has the order of the model

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

    @rule(line=st.sampled_from(LINES))
    def lose_lines(self, line: str) -> None:
        self.redis.delete(key(line))
        self.has_lost_rows |= line in ("ready_models", "parked_models")

    @rule(what=st.sampled_from(["all", "batch", "single", "model m", "model m@2"]))
    def pause(self, what: str) -> None:
        self.paused.add(what)
        assert set(self.scripts.pause("pause", what).since_ms) == self.paused

    @precondition(lambda self: self.paused)
    @rule(number=some, everything=st.booleans())
    def resume(self, number: int, everything: bool) -> None:
        what = "" if everything else sorted(self.paused)[number % len(self.paused)]
        self.paused -= self.paused.copy() if everything else {what}
        assert set(self.scripts.pause("resume", what).since_ms) == self.paused
