"""The scripts of jobs whose files are read by URL."""

from rowcast.jobs.records.scripts.script_runner import ScriptRunner


class UrlScripts(ScriptRunner):
    """Runs these scripts. Each returns whether the lease, whose attempt it gets, was not over."""

    def split_plan(self, id: str, attempt: int, ranges: int) -> bool:
        """Has the ranges of a job scanned. The lease of its conversion ends, until they all are."""
        return bool(self._run("split_plan", id, attempt, ranges))

    def end_range(self, id: str, chunk: int, attempt: int, cpu_us: int) -> bool:
        """Notes that a range is scanned. `chunk` is its number among the chunks in flight."""
        return bool(self._run("end_range", id, chunk, attempt, cpu_us))

    def end_output(self, id: str, attempt: int) -> bool:
        """Ends a job whose manifest is written at its URL."""
        return bool(self._run("end_output", id, attempt))
