"""The rows of a chunk whose file is read by URL."""

from rowcast.csv.ranges.row_cuts import RowSpan, rows_in
from rowcast.errors import InputChanged, InputLost
from rowcast.jobs.by_url.plan_files import PAGE_CHUNKS, SpanPage
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.leases import ChunkLease
from worker.planning.packed_file import unpacked_name


class UrlInput:
    """Reads chunks by the spans that were planned."""

    def __init__(self, files: Files, url_files: UrlFiles, max_row_bytes: int) -> None:
        self._files, self._url_files, self._max_row_bytes = files, url_files, max_row_bytes
        self._last: tuple[tuple[str, str, int], SpanPage] | None = None
        """The last page that was read, with its job, plan and number. To read it from a bucket takes a round trip."""

    def read(self, lease: ChunkLease) -> bytes:
        """Returns the rows of a chunk as they are in their file.

        Raises:
            InputChanged: the file has changed since it was planned. InputLost: the plan is missing from the store.
        """
        page, place = divmod(lease.chunk, PAGE_CHUNKS)
        spans = self._page(lease, page, place)
        index, span = spans.spans[place]
        file = spans.files[index]
        data = self._bytes(lease.id, file, span, is_packed=spans.is_packed)
        rows = rows_in(data, span, lease.spec.options.delimiter, self._max_row_bytes)
        if rows is None:
            raise InputChanged(f"{file.url} was changed after the job had been planned.")
        return rows

    def _page(self, lease: ChunkLease, page: int, place: int) -> SpanPage:
        """Returns a page that has a span at `place`. While the files are planned, pages grow."""
        name = (lease.id, lease.spec.by_url.plan if lease.spec.by_url else "", page)
        if self._last and self._last[0] == name and place < len(self._last[1].spans):
            return self._last[1]
        try:
            spans = SpanPage.model_validate_json(self._files.get_spans(lease.id, page))
        except FileNotFoundError:
            raise InputLost("its plan is missing from the store: send the request again") from None
        self._last = name, spans
        return spans

    def _bytes(self, id: str, file: KnownFile, span: RowSpan, *, is_packed: bool) -> bytes:
        if not is_packed:
            return self._url_files.read(file, span.start, span.stop - span.start)
        try:
            return self._files.get_unpacked(id, unpacked_name(file), span.start, span.stop - span.start)
        except FileNotFoundError:
            raise InputLost("its unpacked file is missing from the store: send the request again") from None
