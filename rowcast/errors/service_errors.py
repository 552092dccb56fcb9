"""Errors in the service: a job ended without a result, a model cannot be used, or something is unavailable."""

from collections.abc import Mapping, Sequence

from rowcast.errors.root import RowcastError
from rowcast.wording.quantity import counted


class JobFault(RowcastError):
    """The job has ended without a result."""

    slug = "job-fault"
    title = "Job failed"
    remedy = "Correct what `detail` names, and send the rows again or retry the job."


class BadRow(JobFault):
    """A row cannot be predicted, and the job has one row or was sent with `on_error=fail`."""

    slug = "bad-row"
    title = "A row cannot be predicted"
    remedy = "Correct the row that `errors` names. With `on_error=skip` bad rows do not end the job."


class TooManyBadRows(JobFault):
    """More rows are bad than `max_errors` allows."""

    slug = "too-many-bad-rows"
    title = "Too many bad rows"
    remedy = "Correct the rows that `GET /jobs/ID/errors` lists, or raise `max_errors`."


class EveryRowBad(JobFault):
    """None of the rows in the file can be predicted. `detail` gives the likely reason."""

    slug = "every-row-bad"
    title = "Every row is bad"
    remedy = (
        "Correct the file as `detail` says. `GET /jobs/ID/errors` lists the rows. Often the delimiter or the decimal "
        "mark is wrong, or the wrong file was sent."
    )


class Drifted(JobFault):
    """A batch differs from the sample of its model by more than `fail_if_drift` allows."""

    slug = "drifted"
    title = "The batch has drifted"
    remedy = (
        "Compare the columns that `detail` names with the sample: the job's `drift` has their figures, its page shows "
        "them. `GET /jobs/ID/result?partial=true` has the predictions. If the change is real, train the model again."
    )


class Cancelled(JobFault):
    """The job was cancelled."""

    slug = "cancelled"
    title = "Cancelled"
    remedy = "`POST /jobs/ID/retry` resumes a batch where it stopped."


class ScoringFailed(JobFault):
    """A worker read the rows but could not score them: the model raised an error that no single row causes."""

    slug = "scoring-failed"
    title = "Scoring failed"
    remedy = (
        "Predict the same rows with the model in a script; if that works, report the problem together with `detail`."
    )


class TimedOut(JobFault):
    """Scoring one chunk took longer than `ROWCAST_CHUNK_TIMEOUT_SECONDS` at every attempt."""

    slug = "timed-out"
    title = "Timed out"
    remedy = (
        "Ask the operator for smaller chunks (`ROWCAST_CHUNK_ROWS`) or more time (`ROWCAST_CHUNK_TIMEOUT_SECONDS`)."
    )


class TooLate(JobFault):
    """The job had not ended in the time that `expires_in` allows."""

    slug = "too-late"
    title = "Not done in time"
    remedy = (
        "Allow more time (`expires_in`) or give a higher `priority`. `GET /jobs/ID/result?partial=true` has what was "
        "scored, and `POST /jobs/ID/retry` continues a batch, with the same time again."
    )


class WorkerLost(JobFault):
    """The worker process that scored the rows died at every allowed attempt."""

    slug = "worker-lost"
    title = "Worker lost"
    remedy = "Usually workers run out of memory: give them more, or lower `ROWCAST_CHUNK_ROWS`. Then retry the job."


class InputLost(JobFault):
    """A piece of the file that was sent is missing or damaged in the store."""

    slug = "input-lost"
    title = "Input lost"
    remedy = "Send the file again, and check the store."


class ResultLost(RowcastError):
    """A part of the result is missing or damaged in the store, and cannot be computed again."""

    slug = "result-lost"
    title = "Result lost"
    remedy = "Send the file again, and check the store."


class ModelRefused(RowcastError):
    """A worker refuses to load or to use the model.

    Its digest, its signature or the version of a library does not match, its file cannot be read, or its predictions
    are not what its manifest promises.
    """

    slug = "model-refused"
    title = "Model refused"
    remedy = "Register the model again with `rowcast models add`, in the environment of the workers."


class Unavailable(RowcastError):
    """Something that the service needs is unavailable at the moment."""

    slug = "unavailable"
    title = "Unavailable"
    remedy = "Try again after `Retry-After` seconds. `GET /ready` shows what is missing."

    def __init__(
        self,
        detail: str,
        retry_after_seconds: int = 5,
        *,
        public: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail, errors, public=public)
        self.retry_after_seconds = retry_after_seconds


class RedisUnreachable(Unavailable):
    """The gateway cannot reach Redis."""

    slug = "redis-unreachable"
    title = "Redis cannot be reached"
    remedy = "Try again after `Retry-After` seconds. The operator checks `ROWCAST_REDIS_URL` and that Redis runs."


class RedisRefuses(Unavailable):
    """Redis responds but refuses to work: it is loading its data, is a replica, or cannot write to its disk."""

    slug = "redis-refuses"
    title = "Redis refuses work"
    remedy = "Try again after `Retry-After` seconds. The gateway's log and Redis' own log name the reason."


class RedisFull(Unavailable):
    """Redis has reached its `maxmemory`, so no new jobs are accepted."""

    slug = "redis-full"
    title = "Redis is out of memory"
    remedy = (
        "The operator raises Redis' `maxmemory`, or frees memory by deleting old jobs or lowering "
        "`ROWCAST_RETENTION`. Jobs that were accepted before are not affected."
    )


class StoreUnavailable(Unavailable):
    """The store, which holds inputs and results, or the model registry cannot be opened, read or written."""

    slug = "store-unavailable"
    title = "The store is unavailable"
    remedy = (
        "Try again after `Retry-After` seconds. The operator checks `ROWCAST_STORE`, `ROWCAST_MODELS` and whether the "
        "disk has space."
    )


class StoreRefuses(StoreUnavailable):
    """The bucket that is the store or the model registry refuses the service's credentials, or does not exist."""

    slug = "store-refuses"
    title = "The store refuses the service"
    remedy = (
        "The operator renews the credentials in the environment of the gateway, the workers and upkeep, and starts "
        "them again, or corrects what else `detail` names."
    )


class Restoring(Unavailable):
    """A job's record, or a part of its result, was lost and is being restored."""

    slug = "restoring"
    title = "Being restored"
    remedy = "Try again after `Retry-After` seconds."


class ParquetUnfinished(Unavailable):
    """The result is being written as a Parquet file, which takes longer than the request waits."""

    slug = "parquet-unfinished"
    title = "Parquet file is being written"
    remedy = "Send the request again after `Retry-After` seconds. `?wait=60` waits longer. CSV and NDJSON come at once."


class StillScoring(Unavailable):
    """A call of another service's clients, such as `/invocations`, has waited as long as it may for its predictions.

    The job goes on, and nothing of it is lost.
    """

    slug = "still-scoring"
    title = "Still being scored"
    remedy = (
        "Fetch the result of the job that `job` names: `GET /jobs/ID/result`. Or send the same request again: with the "
        "same `Idempotency-Key` it waits for the same job. For many rows, `POST /predict` needs no waiting."
    )

    def __init__(self, id: str, status: str) -> None:
        super().__init__(
            f"Job {id} is {status}, and this call waits no longer. Nothing is lost: GET /jobs/{id} shows the job, and "
            f"GET /jobs/{id}/result has its predictions when it has ended.",
            1,
        )


class LiveUploadsFull(Unavailable):
    """The gateway has reached its limit of open uploads that follow their result (`follow=true`)."""

    slug = "live-uploads-full"
    title = "Too many live uploads"
    remedy = (
        "Try again after `Retry-After` seconds, or send the file without `follow=true` and fetch its result when the "
        "job has ended. The operator can end uploads that are no longer needed, or run more gateways."
    )

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This gateway takes {counted(limit, 'upload')} with `follow=true` at a time. Try again later, or send the "
            "file without `follow=true`.",
            30,
        )


class QueueFull(Unavailable):
    """The number of unfinished jobs has reached its limit: for all jobs, or for the jobs of one API key."""

    slug = "queue-full"
    title = "Queue full"
    remedy = "Wait until jobs have ended, or cancel some. The message names the setting that raises the limit."


class WorkersOutdated(Unavailable):
    """A worker of an older release is online, which would ignore an option of a single row."""

    slug = "workers-outdated"
    title = "A worker is of an older release"
    remedy = "Try again when all workers are updated, or leave the option out."

    def __init__(self, node: str, option: str) -> None:
        """`node` is the worker, and `option` is what it does not know."""
        detail = f"The worker {node} is of an older release, and would ignore {option!r} of a single row."
        super().__init__(f"{detail} Try again when it is updated.", 10)


class NoReceiptKey(RowcastError):
    """The gateway has no private key to sign receipts with."""

    slug = "no-receipt-key"
    title = "Receipts are not set up"
    remedy = "The operator makes a key with `rowcast receipt-key new`, and sets `ROWCAST_RECEIPT_KEY_FILE`."
