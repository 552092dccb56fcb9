"""The most rows of a chunk: fewer for a slow model, so that each of its chunks takes seconds and not minutes."""

from rowcast.jobs.options import Options
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings

CHUNK_SECONDS = 5.0
"""Intended time of a chunk of a slow model. As much is lost if its process is killed, and as long is the end of a job,
when only one process is still busy."""

_LEAST_ROWS = 64
"""With fewer rows in a call, BLAS may predict other last bits than for the whole file. So chunks are smaller only if so
many rows would take too long."""

_MOST_OF_TIMEOUT = 1 / 2
"""The part of `ROWCAST_CHUNK_TIMEOUT_SECONDS` above which these rows take too long."""

_SHARE_OF_TIMEOUT = 1 / 6
"""The part of `ROWCAST_CHUNK_TIMEOUT_SECONDS` that a chunk takes at most: a worker may be slower, or have no core."""


def rows_per_chunk(models: ModelSet, settings: Settings, options: Options) -> int:
    """Returns the maximum rows of a chunk, by what each model took for a row when it was registered.

    It is the same for each call with the same versions, settings and options: a file that is cut twice has the same
    chunks.
    """
    row_seconds = sum(manifest.row_seconds or 0.0 for manifest in models.manifests)
    if options.explain:
        row_seconds += sum(one.explanations.row_seconds or 0.0 for one in models.manifests if one.explanations)
    seconds = min(CHUNK_SECONDS, settings.chunk_timeout_seconds * _SHARE_OF_TIMEOUT)
    if row_seconds * settings.chunk_rows <= seconds:
        return settings.chunk_rows
    fits = row_seconds * _LEAST_ROWS <= settings.chunk_timeout_seconds * _MOST_OF_TIMEOUT
    return min(settings.chunk_rows, max(_LEAST_ROWS if fits else 1, int(seconds / row_seconds)))
