"""The shadow task: scores a chunk once more, with the shadow of its alias, after its part was committed."""

import time
from collections.abc import Callable

from rowcast.errors import ModelRefused, NotFound, RowcastError, Unavailable, Unprocessable
from rowcast.jobs.job import ModelRef
from rowcast.jobs.options import threshold_of
from rowcast.jobs.records.leases import ChunkLease
from rowcast.jobs.shadow.shadow_counts import ShadowCounts
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.model_rows import CountedRows, compared_rows, predict_rows_of
from rowcast.scoring.predict import Predict, Wanted
from rowcast.scoring.table import read
from rowcast.wording.exception_text import one_line
from worker.isolation.child import is_suspect
from worker.resources import Resources

_LEAST_SECONDS = 10.0
"""A shadow may take at least this long for a chunk, however quick the job's own model was."""

_TIMES_LONGER = 10
"""A shadow may take this many times as long for a chunk as the job's own model did."""


class ShadowTask:
    """Compares chunks with their shadow. No lease is held meanwhile, so nothing that the shadow does changes the job.

    If the shadow kills its process or hangs, what is lost is the comparison of one chunk.
    """

    def __init__(self, resources: Resources, predict: Predict, read_input: Callable[[ChunkLease], bytes]) -> None:
        """Takes `predict`, which predicts in slices, and `read_input`, which returns the rows of a chunk."""
        self._resources, self._predict, self._read_input = resources, predict, read_input
        #: Why shadows could not be opened by this process, which does not try again.
        self._refused: dict[ModelRef, str] = {}

    def compare(self, lease: ChunkLease, counted: CountedRows, seconds: float) -> None:
        """Scores a chunk that is committed. `seconds` is how long the job's own model needed. It never raises."""
        shadow, resources = lease.spec.shadow, self._resources
        if shadow is None:
            return
        log = resources.log.bind(shadow=str(shadow))
        try:
            if not resources.shadows.begin(lease):
                log.warning("shadow_skipped", reason="too many comparisons of this job have not ended, or it is gone")
                return
            started = time.perf_counter()
            try:
                counts = self._counts(lease, shadow, counted, seconds)
            except Exception as error:
                reason = error.detail if isinstance(error, RowcastError) else one_line(error)
                log.warning("shadow_failed", reason=reason)
                counts = ShadowCounts(errors=1)
            resources.shadows.end(lease, counts)
            log.info(
                "chunk_compared",
                rows=counts.rows,
                differing=counts.differing,
                failed=counts.failed,
                seconds=round(time.perf_counter() - started, 6),
            )
        except Unavailable as error:
            log.warning("shadow_not_counted", reason=error.detail)

    def _counts(self, lease: ChunkLease, shadow: ModelRef, counted: CountedRows, seconds: float) -> ShadowCounts:
        """Returns what the shadow made of a chunk. Raises anything."""
        if is_suspect(lease):
            raise ModelRefused("the chunk is suspected of killing its process, so only the job's own model scored it")
        watchdog, timeout = self._resources.watchdog, self._resources.settings.chunk_timeout_seconds
        with watchdog.holding([]):
            model = self._opened(shadow)
        spec, columns = lease.spec, lease.spec.input.columns if lease.spec.input else ()
        if lacking := [name for name in model.manifest.required_names if name not in columns]:
            raise Unprocessable(f"the file lacks columns that only {shadow} needs: {', '.join(lacking[:10])}")
        with watchdog.holding([], min(timeout, max(_LEAST_SECONDS, _TIMES_LONGER * seconds))):
            format = spec.input.format if spec.input else "csv"
            rows = read(self._read_input(lease), columns, model, spec.options, format=format, dtypes=spec.dtypes)
            wanted = Wanted(threshold=threshold_of(model.manifest, spec.options.threshold))
            found = predict_rows_of(model, rows, self._predict, wanted, lease.planned.first_row)
            common, differing = compared_rows(counted, found)
        return ShadowCounts(common, differing, len(counted.good) - common)

    def _opened(self, shadow: ModelRef) -> LoadedModel:
        if why := self._refused.get(shadow):
            raise ModelRefused(why)
        try:
            return self._resources.models.get(shadow.name, shadow.version)
        except (ModelRefused, NotFound) as error:
            self._refused[shadow] = error.detail
            raise
