"""Scoring in the caller's own process, for example in a worker of Ray, Spark or Dask: a registry, and no service.

It is the gateway's checks and the workers' scoring, so the added columns have the bits of a job.
"""

from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Unpack

from rowcast.client.csv_options import FrameOptions

if TYPE_CHECKING:
    from rowcast.client.frames.frames import Frame


def score(
    frame: "Frame",
    model: str | None = None,
    *,
    models: str | PathLike[str] | None = None,
    **options: Unpack[FrameOptions],
) -> "Frame":
    """Predicts each row of a DataFrame of pandas or polars. Returns one of the same kind, with predictions added.

    The columns are those that `Client.predict_frame` adds, bit for bit. A row that cannot be predicted has missing
    values there, and a warning counts such rows. The first call in a process opens the model and checks its golden
    sample; later calls use it again. Threads take turns: to use several cores, use several processes.

    Args:
        frame: the rows. A frame of no rows gets the columns, too.
        model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`, or two with a comma. An alias may be moved between two calls;
            `version_of` finds its version once. None is the default model.
        models: the model registry: a folder, or a bucket such as `s3://models`. None is `ROWCAST_MODELS`, or else that
            of the service that runs on this machine, or else `.rowcast/models`.
        options: as for `predict_frame`, for example `probabilities=True`. `on_error="column"` adds a column
            `prediction_error`, which says what is wrong with each bad row.

    Raises:
        ClientError: the errors of `predict_frame`, for example `UnknownModel`, `MissingColumns` and `ModelRefused`.
            With `on_error="fail"`, a bad row raises `BadRow`.
        ImportError: packages are missing, as after `pip install rowcast` without `[score]`.
    """
    scored: Frame = _scoring("score").scored_frame(frame, model, models, options)
    return scored


def version_of(model: str | None = None, *, models: str | PathLike[str] | None = None) -> str:
    """Returns the version that a name or an alias means now, for example `titanic@3` for `titanic@production`.

    So all processes of a long run can use the same version, even if the alias is moved meanwhile. The arguments and
    errors are those of `score`.
    """
    found: str = _scoring("version_of").pinned(model, models)
    return found


def _scoring(function: str) -> ModuleType:
    """Returns the module that scores. It needs packages that the client does not."""
    try:
        from rowcast.in_process import scored_frame
    except ModuleNotFoundError as error:
        raise ImportError(
            f"rowcast.{function} needs {error.name}, which is not installed here: pip install 'rowcast[score]'",
            name=error.name,
        ) from error
    return scored_frame
