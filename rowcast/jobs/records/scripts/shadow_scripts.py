"""The scripts that count what a shadow makes of chunks."""

from rowcast.jobs.records.scripts.script_runner import ScriptRunner
from rowcast.jobs.shadow.shadow_counts import ShadowCounts


class ShadowScripts(ScriptRunner):
    """Runs these scripts. Chunk and attempt name a comparison, which is counted once."""

    def begin_shadow(self, id: str, chunk: int, attempt: int) -> bool:
        """Notes that a chunk is compared now. Returns False if it must not be."""
        return bool(self._run("begin_shadow", id, chunk, attempt))

    def end_shadow(self, id: str, chunk: int, attempt: int, counts: ShadowCounts) -> None:
        """Adds the counts of a chunk to those of its job, and to the metrics of both versions."""
        figures = (counts.rows, counts.differing, counts.failed, counts.errors)
        self._run("end_shadow", id, chunk, attempt, *figures)
