"""Two versions on one file: the running service scores it with both in one pass, and counts where they differ."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Client


@dataclass(frozen=True)
class FileComparison:
    """What two versions made of one file."""

    #: The file, as it was named.
    file: str
    #: Id of the job, which has the predictions of both.
    job: str
    #: Rows that both could predict, or only the first.
    rows: int
    #: Those of them with other predictions, or that the second could not predict; None if they cannot be compared.
    differing: int | None
    #: Rows among them that only the second could not predict.
    only_second_failed: int
    #: Rows that the first could not predict; they are not compared.
    not_compared: int

    @property
    def fraction(self) -> float | None:
        """The share of the rows that differ; None if nothing could be compared."""
        return None if self.differing is None or not self.rows else self.differing / self.rows

    def as_json(self) -> dict[str, Any]:
        """Returns the facts for programs."""
        return {**asdict(self), "fraction": self.fraction}

    def __str__(self) -> str:
        if self.fraction is None:
            return f"{self.file}: no row could be compared (job {self.job})."
        sentence = f"{self.file}: {self.differing:,} of {counted(self.rows, 'row')} differ ({self.fraction:.2%})"
        if self.only_second_failed:
            sentence += f", {self.only_second_failed:,} of them cannot be predicted by the second version"
        if self.not_compared:
            sentence += f"; {counted(self.not_compared, 'row')} not compared, as the first cannot predict them"
        return f"{sentence}. Both predictions: rowcast result {self.job}"


def compare_on_file(service: "Client", file: Path, first: str, second: str) -> FileComparison:
    """Has the service score the file with two versions (`NAME@VERSION`), and returns what came out.

    Raises:
        Unprocessable: the file does not fit one of them.
        JobFailed: the job failed.
    """
    job = service.submit_csv(file, model=f"{first},{second}", output="predictions").wait()
    label = second if first.partition("@")[0] == second.partition("@")[0] else second.partition("@")[0]
    failed = job.progress.get("rows_failed") or 0
    # Each bad row is listed once: the first model goes first, so that the second is named if only it has failed.
    only_second = sum(one.message.endswith(f"(model {label})") for one in job.errors()) if failed else 0
    predicted = (job.progress.get("rows_done") or 0) - failed
    disagreement = ((job.raw.get("result") or {}).get("summary") or {}).get("disagreement")
    return FileComparison(
        file=str(file),
        job=job.id,
        rows=predicted + only_second,
        differing=None if disagreement is None else disagreement["rows"] + only_second,
        only_second_failed=only_second,
        not_compared=failed - only_second,
    )
