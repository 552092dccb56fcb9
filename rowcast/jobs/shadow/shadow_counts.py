"""How the predictions of a shadow differ from those of a job's own model, in counts of rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from typing_extensions import TypedDict


@dataclass(frozen=True)
class ShadowCounts:
    """The rows of a job, or of all jobs with the same two versions, that a shadow has scored as well."""

    #: Rows that both versions predicted.
    rows: int = 0
    #: Rows among them whose predictions differ.
    differing: int = 0
    #: Rows that only the job's own model could predict.
    failed: int = 0
    #: Chunks that the shadow could not score at all.
    errors: int = 0
    #: Chunks whose comparison has begun and not ended, because it runs or its process died.
    unfinished: int = 0

    @classmethod
    def of_fields(cls, fields: Mapping[bytes, bytes]) -> "ShadowCounts":
        """Reads what the scripts count for a job: a field for each count, and one for each chunk that is compared."""
        unfinished = [name for name in fields if name.startswith(b"chunk ")]
        counts = {name.decode(): int(count) for name, count in fields.items() if name not in unfinished}
        return cls(**counts, unfinished=len(unfinished))


class PublicShadow(TypedDict):
    """How the predictions of a shadow differ. They change nothing else in the job (docs/shadow.md).

    The counts may grow for a moment after the end of the job.
    """

    #: The version that scores the rows as well, `NAME@VERSION`.
    model: str
    #: Rows that both versions predicted.
    rows: int
    #: Rows among them whose predictions differ.
    differing: int
    #: Rows that only the job's own model could predict.
    failed: int
    #: Chunks that the shadow could not score at all. The log says why.
    errors: int
    #: Chunks whose comparison has begun and not ended, because it runs or its process died.
    unfinished: int


def public_shadow(model: str, counts: ShadowCounts) -> PublicShadow:
    """Returns what a job shows."""
    return {
        "model": model,
        "rows": counts.rows,
        "differing": counts.differing,
        "failed": counts.failed,
        "errors": counts.errors,
        "unfinished": counts.unfinished,
    }
