"""The rules of the state machine that submit jobs: batches, uploads that go on for a while, single rows."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from record_machine import MODEL, RecordMachine, planned, some
from store_model import ROWS, Model, Work

from rowcast.errors import Unprocessable
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import pack_plan
from rowcast.jobs.job import InputInfo, Spec
from rowcast.jobs.new_job import NewJob, Repeat
from rowcast.jobs.options import Options


class Submitting(RecordMachine):
    """Submits jobs to the records and to the model."""

    @precondition(RecordMachine.has_room)
    @rule(chunks=st.integers(1, 7), max_errors=st.none() | st.integers(0, 2), repeat=st.none() | st.sampled_from("kl"))
    def submit_batch(self, chunks: int, max_errors: int | None, repeat: str | None) -> None:
        id = new_id()
        self.receiving.announce(id)
        for chunk in range(chunks):
            self.files.put_input(id, chunk, b"x" * ROWS)
        self.finish_upload(id, Model(chunks, False, max_errors), repeat)

    def batch(self, id: str, chunks: int, max_errors: int | None) -> NewJob:
        columns = InputInfo(bytes=ROWS * chunks, sha256="ab", filename=None, columns=("x",))
        number = self.numbers.setdefault(id, len(self.numbers))
        owner, options = ("", "me")[number % 2], Options(priority=("normal", "low", "high")[number % 3])
        spec = Spec(kind="batch", model=MODEL, options=options, input=columns, header_bytes=2)
        plan = pack_plan(planned(chunk) for chunk in range(chunks))
        return NewJob(id, owner, spec, ROWS * chunks, chunks, plan=plan, max_errors=max_errors)

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

    @precondition(RecordMachine.has_room)
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
