"""When a chunk is committed: once its part is on disk, while the next chunk of its job is scored."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import estimators
import numpy as np
import pytest
from registering import register

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.leases import ChunkLease
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.predict import Predicted, Wanted, predict_good
from rowcast.scoring.table import Table
from rowcast.settings import Settings
from worker.chunks.chunk_task import ChunkTask
from worker.isolation.fork_server import ForkServer
from worker.resources import Resources, open_resources
from worker.sharing.image_files import ImageFiles

ROWS = 2


@dataclass
class Scoring:
    """A chunk task, and how many rows of its jobs were done whenever it predicted."""

    resources: Resources
    rows_done: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.task = ChunkTask(self.resources, self._predict)

    def job(self, chunks: int) -> str:
        """Makes a job of chunks that are in the store."""
        input = InputInfo(bytes=1, sha256="0" * 64, filename="f", columns=("a",))
        spec = Spec(kind="batch", model=ModelRef(name="m", version="1"), options=Options(delimiter=","), input=input)
        plan = [PlanEntry(1 + ROWS * chunk, ROWS, 4) for chunk in range(chunks)]
        new = NewJob(new_id(), "", spec, ROWS * chunks, chunks, plan=pack_plan(plan))
        for chunk in range(chunks):
            self.resources.files.put_input(new.id, chunk, b"1\n2\n")
        self.resources.records.make(new)
        return new.id

    def score(self, id: str, chunk: int) -> None:
        """Scores one chunk, as the work loop does."""
        lease = self.resources.leases.chunk(id, chunk)
        assert isinstance(lease, ChunkLease)
        self.task.score(lease)

    def done(self, id: str) -> int:
        """Returns how many rows of a job are counted."""
        return self.resources.records.get(id).rows_done

    def _predict(self, model: LoadedModel, table: Table, wanted: Wanted) -> Predicted:
        self.task.commit()
        self.rows_done.append(sum(self.done(id) for id in self.resources.files.jobs()))
        return predict_good(model, table, wanted)


@pytest.fixture
def scoring(settings: Settings, fork_server: ForkServer, request: pytest.FixtureRequest) -> Iterator[Scoring]:
    models = settings.models
    register(models, "m", estimators.Fixed("").fit(np.zeros((2, 1)), [0, 1]), ["a"])
    settings = settings.model_copy(update={"store_sync": getattr(request, "param", True)})
    return Scoring(open_resources(settings, "node:1", fork_server, ImageFiles(1)))


def test_a_chunk_is_committed_before_the_next_of_its_job_is_predicted(scoring: Scoring) -> None:
    id = scoring.job(2)
    scoring.score(id, 0)
    assert scoring.done(id) == 0, "the disk may still write its part"
    scoring.score(id, 1)
    assert scoring.rows_done == [0, ROWS]
    scoring.task.commit()
    assert scoring.resources.records.get(id).status == "succeeded"
    scoring.task.commit()


def test_a_chunk_of_another_job_is_begun_when_the_last_one_is_committed(scoring: Scoring) -> None:
    first, second = scoring.job(1), scoring.job(1)
    scoring.score(first, 0)
    lease = scoring.resources.leases.chunk(second, 0)
    assert isinstance(lease, ChunkLease)
    scoring.resources.files.delete(second)
    scoring.task.score(lease)  # it fails before it predicts
    assert scoring.resources.records.get(first).status == "succeeded"


@pytest.mark.parametrize("scoring", [False], indirect=True)
def test_a_part_that_is_not_synced_is_committed_at_once(scoring: Scoring) -> None:
    id = scoring.job(1)
    scoring.score(id, 0)
    assert scoring.resources.records.get(id).status == "succeeded"
