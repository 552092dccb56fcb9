"""The strip of chunks on a job's page: a column for each chunk, or for each group of chunks of a large job."""

from collections.abc import Sequence
from dataclasses import dataclass

from rowcast.jobs.progress.job_chunks import ChunkGroup
from rowcast.wording.quantity import counted

WIDTH, HEIGHT = 640, 44
_COLUMN_HEIGHT = 24
_WIDEST = 24

MOST_COLUMNS = 64


@dataclass(frozen=True)
class Column:
    """One column, in units of the SVG. What is filled shows the state without colour."""

    x: float
    width: float
    #: Top and height of what is done, from the bottom.
    done_y: float
    done_height: float
    #: Top and height of what is being scored; it is narrower.
    running_y: float
    running_height: float
    #: What stands below the column: `✕` it failed the job, `↻` tried more than once, `●` bad rows; the first that fits.
    mark: str
    #: The same in words.
    about: str


@dataclass(frozen=True)
class Strip:
    """All columns, and what they say in words."""

    columns: list[Column]
    about: str
    #: Whether a column stands for several chunks.
    is_grouped: bool


def strip(groups: Sequence[ChunkGroup]) -> Strip | None:
    """Returns the strip of a job's chunks; None if it has none."""
    if not groups:
        return None
    step = min(_WIDEST, WIDTH / len(groups))
    columns = [_column(place * step, step, group) for place, group in enumerate(groups)]
    return Strip(columns, _about(groups), any(group.chunks > 1 for group in groups))


def _column(x: float, step: float, group: ChunkGroup) -> Column:
    done = round(_COLUMN_HEIGHT * group.done / group.chunks, 1)
    running = round(_COLUMN_HEIGHT * group.running / group.chunks, 1)
    marks = (("✕", group.has_failed), ("↻", group.tried_again), ("●", group.rows_failed))
    return Column(
        x=round(x + 1, 1),
        width=round(step - 2, 1),
        done_y=_COLUMN_HEIGHT - done,
        done_height=done,
        running_y=_COLUMN_HEIGHT - done - running,
        running_height=running,
        mark=next((mark for mark, is_there in marks if is_there), ""),
        about=_group_about(group),
    )


def _group_about(group: ChunkGroup) -> str:
    if group.chunks == 1:
        state = "done" if group.done else "being scored" if group.running else "not done"
        words = [f"Chunk {group.first}: {state}"]
    else:
        words = [f"Chunks {group.first:,} to {group.last:,}: {group.done:,} done"]
        words += [f"{group.running:,} being scored"] if group.running else []
    words += [counted(group.rows_failed, "bad row")] if group.rows_failed else []
    words += ["tried more than once" if group.chunks == 1 else f"{group.tried_again:,} tried more than once"] * bool(
        group.tried_again
    )
    return ", ".join([*words, *(["failed the job"] if group.has_failed else [])])


def _about(groups: Sequence[ChunkGroup]) -> str:
    total, done = sum(group.chunks for group in groups), sum(group.done for group in groups)
    running, again = sum(group.running for group in groups), sum(group.tried_again for group in groups)
    bad = sum(group.rows_failed for group in groups)
    words = [f"{done:,} of {counted(total, 'chunk')} done"]
    words += [f"{running:,} being scored"] if running else []
    words += [f"{again:,} tried more than once"] if again else []
    words += [counted(bad, "bad row")] if bad else []
    return ", ".join(words) + "."
