"""The scripts of files of requests."""

from collections.abc import Sequence

from rowcast.jobs.records.scripts.script_runner import ScriptRunner


class FileScripts(ScriptRunner):
    """Runs these scripts."""

    def read_file_needs(self, ids: Sequence[str]) -> dict[str, int]:
        """Returns until when batches need files (ms); 0 if one has not ended. Files that none needs are left out."""
        needs = self._run("read_file_needs", *ids)
        return {id: int(needed) for id, needed in zip(ids, needs, strict=True) if needed}

    def hold_file(self, id: str, job: str) -> None:
        """Notes that a batch needs a file. Its job need not have been made."""
        self._run("hold_file", id, job)

    def forget_file(self, id: str) -> None:
        """Forgets a file that was deleted."""
        self._run("forget_file", id)

    def drop_file(self, id: str) -> bool:
        """Forgets a file, unless a batch needs it. Returns whether the file may be removed."""
        return bool(self._run("drop_file", id))
