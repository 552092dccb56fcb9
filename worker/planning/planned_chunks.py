"""The chunks of a job by URL, as they are found: their spans go into the store, and then their plan into Redis."""

from rowcast.csv.ranges.row_cuts import RowSpan
from rowcast.errors import InputChanged, InputLost
from rowcast.jobs.by_url.plan_files import PAGE_CHUNKS, PlanHead, SpanPage
from rowcast.jobs.by_url.url_files import KnownFile
from rowcast.jobs.chunk_tables import PlanEntry
from rowcast.jobs.records.leases import ConversionLease
from worker.conversion.lease_over import LeaseOver
from worker.resources import Resources


class PlannedChunks:
    """Chunks that are added to a job in pages of PAGE_CHUNKS."""

    def __init__(self, resources: Resources, lease: ConversionLease, head: PlanHead) -> None:
        self._resources, self._lease, self._spec, self._is_packed = resources, lease, head.spec, head.is_packed
        self._known = resources.records.get(lease.id).chunks_total
        """Chunks that an earlier process has added. Workers read their pages, so these are not written again."""
        self._keeps_blanks = head.spec.options.output == "joined"
        self._files: list[KnownFile] = []
        self._spans: list[tuple[int, RowSpan]] = []
        self._planned: list[PlanEntry] = []
        self._added = 0
        self.rows = 0
        """Number of rows so far."""

    @property
    def count(self) -> int:
        """Number of chunks so far."""
        return self._added + len(self._planned)

    def add(self, file: KnownFile, span: RowSpan) -> None:
        """Adds the next chunk.

        Raises:
            LeaseOver: the lease is over. InputChanged: an earlier process has found other chunks.
        """
        if not span.rows and not self._keeps_blanks:
            return
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        self._spans.append((len(self._files) - 1, span))
        self._planned.append(PlanEntry(self.rows + 1, span.rows, span.stop - span.start))
        self.rows += span.rows
        if len(self._spans) == PAGE_CHUNKS:
            self._write()
            self._files, self._spans = [], []

    def flush(self) -> None:
        """Adds the chunks that are there, so that they are scored."""
        if self._planned and self.count > self._known:
            self._write()

    def _write(self) -> None:
        page = (self.count - 1) // PAGE_CHUNKS
        if self.count > self._known:
            document = SpanPage(files=self._files, spans=self._spans, is_packed=self._is_packed)
            self._resources.files.put_spans(self._lease.id, page, document.model_dump_json().encode())
        try:
            is_added = self._resources.leases.add_converted(self._lease, self._added, self._planned, self._spec)
        except InputLost:
            raise InputChanged("The files were changed while the job was planned.") from None
        if not is_added:
            raise LeaseOver
        self._added, self._planned = self.count, []
