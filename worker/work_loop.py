"""The work loop: which work a process takes next when it has received a message."""

import time

from rowcast.errors import Unavailable
from rowcast.jobs.records.job_records import origins_of
from rowcast.jobs.records.leases import ChunkLease, ConversionLease, WaitingChunk, WaitingRows
from rowcast.jobs.records.policy import GATHER_ROWS
from rowcast.logs import logging_about
from worker.chunks.chunk_task import ChunkTask
from worker.chunks.time_slices import TimeSlices
from worker.conversion.conversion_task import ConversionTask
from worker.fair_share import FairShare
from worker.parquet_task import ParquetTask
from worker.resources import Resources
from worker.row_task import RowTask
from worker.stop_flag import StopFlag

LINGER_SECONDS = 1.0
"""How long a process waits for the next single row before it returns to Celery.

A message takes longer to arrive through Celery than a prediction takes. Other work ends the wait."""

STAY_SECONDS = 5.0
"""After this time the process returns to Celery after its present work, so that Celery's acknowledgements and its
messages move on."""


class WorkLoop:
    """Takes work until none waits. Rows and chunks get their fair shares of the process's time."""

    def __init__(self, resources: Resources, stop_flag: StopFlag) -> None:
        self._resources, self._stop_flag = resources, stop_flag
        self._share = FairShare()
        self._rows = RowTask(resources)
        self._conversions = ConversionTask(resources, self._let_rows_pass)
        self._chunks = ChunkTask(resources, TimeSlices(self._between_slices).predict_good)
        self._parquet = ParquetTask(resources, self._let_rows_pass)
        #: Until when the time of the present chunk is counted in its share, in `time.perf_counter()` seconds.
        self._counted_until = 0.0

    def run(self) -> None:
        """Predicts rows and scores chunks, each kind when it is its turn.

        A message for each chunk would take longer than a small chunk. If nothing waits, the process lingers for work
        that may come. It returns if none came, after `STAY_SECONDS`, and if the worker stops.
        """
        try:
            self._work()
        finally:
            self._chunks.commit()

    def _work(self) -> None:
        leases = self._resources.leases
        stay_until = time.monotonic() + STAY_SECONDS
        while not self._stop_flag.is_set:
            linger_seconds = max(0.0, min(LINGER_SECONDS, stay_until - time.monotonic()))
            taken = leases.take(self._share.order, GATHER_ROWS, linger_seconds)
            if not isinstance(taken, WaitingChunk):
                self._chunks.commit()
            work = leases.linger(linger_seconds) if taken == "lingering" else taken
            match work:
                case WaitingRows():
                    if not self._predict(work):
                        return
                case WaitingChunk():
                    self._score(work)
                case None:
                    return
            if time.monotonic() > stay_until:
                return

    def _score(self, work: WaitingChunk) -> None:
        """Scores a chunk, or converts a file, unless no lease is granted: it is done, or another process has it."""
        lease = self._resources.leases.chunk(work.id, work.chunk)
        if isinstance(lease, str):
            ((_, origin),) = origins_of(self._resources.redis, [work.id])
            about = origin.fields(work.id)
            self._resources.log.info("chunk_not_needed", chunk=work.chunk, reason=lease, **about)
            return
        if lease.spec.unknown_options:
            self._leave_to_a_newer_version(lease)
            return
        self._counted_until = time.perf_counter()
        try:
            if isinstance(lease, ConversionLease):
                self._chunks.commit()
                self._conversions.convert(lease)
            elif lease.is_parquet:
                self._chunks.commit()
                self._parquet.write(lease)
            else:
                self._chunks.score(lease)
        finally:
            self._count_chunk_time()
            self._resources.model_report.send_if_due()

    def _leave_to_a_newer_version(self, lease: ChunkLease | ConversionLease) -> None:
        """Puts work off whose options only a newer version knows: without them, it would predict something else."""
        names = ", ".join(f"`{name}`" for name in sorted(lease.spec.unknown_options))
        error = Unavailable(
            f"A newer version made this job with options that this worker does not know: {names}. It waits for a newer "
            "worker. Update the workers, or cancel the job."
        )
        with logging_about(lease.origin.fields(lease.id) | {"chunk": lease.chunk}):
            self._resources.postpone([lease], error, self._resources.log)

    def _predict(self, work: WaitingRows) -> bool:
        """Predicts rows. Returns whether to go on with others."""
        started = time.perf_counter()
        try:
            return self._rows.predict(work.model, work.rows)
        finally:
            self._share.add_rows(time.perf_counter() - started)
            self._resources.model_report.send_if_due()

    def _between_slices(self) -> None:
        self._chunks.commit()
        self._let_rows_pass()

    def _let_rows_pass(self) -> None:
        """Predicts rows that wait before the present chunk goes on, as far as their share of the time allows."""
        self._count_chunk_time()
        try:
            while self._share.rows_come_first:
                work = self._resources.leases.take(["rows"], GATHER_ROWS)
                if not isinstance(work, WaitingRows) or not self._predict(work):
                    break
        except Unavailable as error:
            self._resources.log.warning("waiting_rows_not_read", reason=error.detail)
        self._counted_until = time.perf_counter()

    def _count_chunk_time(self) -> None:
        now = time.perf_counter()
        self._share.add_chunk(now - self._counted_until)
        self._counted_until = now
