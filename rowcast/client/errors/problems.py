"""An exception for each type of problem (docs/errors.md). A job that fails raises `JobFailed`, which has the type."""

from rowcast.client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Refused,
    ServiceError,
    Unauthorized,
    Unavailable,
    Unprocessable,
)


class BadHttp(BadRequest):
    """The request breaks the rules of HTTP."""


class BodyCutShort(BadRequest):
    """The upload broke off or stalled."""


class BrokenCompression(BadRequest):
    """The body is not valid gzip or zip."""


class BrokenForm(BadRequest):
    """The form cannot be read."""


class NotJson(BadRequest):
    """The body is not valid JSON."""


class UnknownKey(Unauthorized):
    """The API key is not known."""


class ExpiredKey(Unauthorized):
    """The API key was valid only until a day that has passed."""


class OtherSite(Forbidden):
    """A page of another site sent the request."""


class UnknownJob(NotFound):
    """No job has this id, or it belongs to another API key."""


class UnknownModel(NotFound):
    """The registry does not have this model, version or alias."""


class UnknownUpload(NotFound):
    """No resumable upload has this id, or it belongs to another API key."""


class UnknownPath(NotFound):
    """The service does not have this path."""


class UnknownMethod(Refused):
    """405: the path does not support the method."""


class NotAcceptable(Refused):
    """406: the answer is not available in the form that was asked for."""


class RangeBeyondEnd(Refused):
    """416: the range begins beyond the end of the result."""


class Cancelled(Conflict):
    """The row's job was cancelled."""


class JobEnded(Conflict):
    """The job has ended already."""


class JobUnfinished(Conflict):
    """The job has not ended yet."""


class NoReceipt(Conflict):
    """The job cannot have a receipt."""


class NotRepairable(Conflict):
    """The bad rows of the job cannot be corrected now."""


class NotRetryable(Conflict):
    """A retry of the job would change nothing."""


class UploadComplete(Conflict):
    """The job of the resumable upload was made already."""


class UploadTaken(Conflict):
    """Another request goes on with the resumable upload."""


class WrongOffset(Conflict):
    """The service has another number of bytes of the resumable upload."""


class JobDeleted(Gone):
    """The job was deleted."""


class JobExpired(Gone):
    """The job's files have expired."""


class UploadGone(Gone):
    """The resumable upload was refused, deleted or abandoned."""


class BadRow(Unprocessable):
    """The row cannot be predicted."""


class BodyShape(Unprocessable):
    """The JSON is not what the call takes."""


class ColumnClash(Unprocessable):
    """Two columns have the same name."""


class CorrectionFault(Unprocessable):
    """A corrected row does not fit the job."""


class CsvSyntax(Unprocessable):
    """The CSV is broken at the place that is named."""


class EmptyFile(Unprocessable):
    """The file has no rows."""


class EveryRowBad(Unprocessable):
    """No row of the file can be predicted."""


class InvalidName(Unprocessable):
    """A name has characters that are not allowed."""


class IdempotencyKeyReused(Unprocessable):
    """The Idempotency-Key was used for another request."""


class LineEndsLost(EmptyFile):
    """The file has no line ends any more."""


class MissingColumns(Unprocessable):
    """The header lacks columns that the model needs."""


class NoDefaultModel(Unprocessable):
    """The service has no default model, and none was named."""


class NoFile(Unprocessable):
    """The form has no file."""


class BrokenFile(Unprocessable):
    """The Parquet file or Excel workbook cannot be read."""


class WrongColumnType(Unprocessable):
    """A column of a Parquet file or Excel workbook has a type that the model does not take."""


class NotText(Unprocessable):
    """The file is not text."""


class NotUtf8(NotText):
    """A byte of the file is not UTF-8."""


class OptionUnsuitable(Unprocessable):
    """An option does not apply to this body or model."""


class OptionValue(Unprocessable):
    """An option has a value that it does not take."""


class WebhookRefused(Unprocessable):
    """The URL of a webhook is not valid, or leads to an address that the service does not call."""


class RowValues(Unprocessable):
    """A value of a row is not what its feature takes."""


class Drifted(Unprocessable):
    """The batch differs from the sample of its model by more than the job allows."""


class TooManyBadRows(Unprocessable):
    """More rows are bad than the job allows."""


class UnknownKeyColumn(Unprocessable):
    """The option `key` names a column that the file lacks."""


class UnknownOption(Unprocessable):
    """The service does not know this option."""


class InputLost(ServiceError):
    """The job's input is missing from the store."""


class JobFault(ServiceError):
    """The job failed, for a reason without a more specific type."""


class ModelRefused(ServiceError):
    """The service refuses to open the model."""


class NoReceiptKey(ServiceError):
    """The service has no key to sign receipts with."""


class ResultLost(ServiceError):
    """A part of the result is missing from the store."""


class ScoringFailed(ServiceError):
    """`predict` raised an error that no row causes."""


class TimedOut(ServiceError):
    """`predict` took too long."""


class TooLate(ServiceError):
    """The job had not ended in the time that `expires_in` allows."""


class WorkerLost(ServiceError):
    """The processes that worked on the row died."""


class LiveUploadsFull(Unavailable):
    """The gateway follows as many uploads as it can."""


class QueueFull(Unavailable):
    """There are as many unfinished jobs as may be."""


class RedisFull(Unavailable):
    """Redis has reached its memory limit."""


class RedisRefuses(Unavailable):
    """Redis refuses commands."""


class RedisUnreachable(Unavailable):
    """The service cannot reach Redis."""


class ParquetUnfinished(Unavailable):
    """The result is still being written as a Parquet file."""


class StillScoring(Unavailable):
    """The job goes on, but the call waits no longer."""


class Restoring(Unavailable):
    """What was asked for is being restored."""


class StoreUnavailable(Unavailable):
    """The store cannot be reached, read or written."""


class StoreRefuses(StoreUnavailable):
    """The store refuses the credentials of the service."""
