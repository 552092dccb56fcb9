"""The error tree: one class for each error that Rowcast raises on purpose. Its message says what is wrong and where.

    RowcastError                    internal-error
    ├── Refused                     the request is wrong; the caller can correct it          (request_errors.py)
    │   ├── Unreadable              it could not be read at all
    │   │   └── NotJson · BrokenForm · BrokenCompression · BodyCutShort
    │   ├── Unprocessable           readable but wrong
    │   │   ├── UnknownOption · OptionValue · OptionUnsuitable · WebhookRefused · NoDefaultModel · KeyReused
    │   │   ├── BodyShape · RowValues · InvalidName
    │   │   ├── NoFile · EmptyFile ── LineEndsLost · BrokenFile · WrongColumnType · NotText · NotUtf8(offset) ·
    │   │   │   CsvSyntax · WrongRequests · FilesFull(caller, has, setting)                          (file_errors.py)
    │   │   ├── CorrectionFault
    │   │   ├── UrlRefused · NoFilesFound · FileUnreadable · HeaderDiffers · OutputExists          (url_errors.py)
    │   │   └── MissingColumns(columns, nearest) · ColumnClash · UnknownKeyColumn
    │   ├── TooLarge(what, limit, setting)
    │   └── UnsupportedType
    ├── BadSetting(name, value, takes) · BadKeysFile(file, line, takes)    at the start of a program   (start_errors.py)
    ├── BadReceiptKey(file, takes) · UnusableRedis
    ├── NoKey ── UnknownKey · ExpiredKey       there is no valid API key                     (access_errors.py)
    ├── Forbidden ── OtherSite      the caller may not do this
    ├── RateLimited(limit, retry_after_seconds)
    ├── NotFound ── UnknownJob · UnknownModel · UnknownUpload · UnknownFile      it never existed
    ├── Gone ── JobDeleted · JobExpired · UploadGone                       it existed
    ├── NotAcceptable
    ├── WrongState(problem) ── JobUnfinished · NoResult · JobEnded · NotRetryable · NotRepairable ·
    │                          NoReceipt · WrongOffset(offset) · UploadTaken · UploadComplete · AliasMoved
    ├── JobFault                    the job ended without a result                           (service_errors.py)
    │   └── BadRow · TooManyBadRows · EveryRowBad · Drifted · Cancelled · ScoringFailed · TimedOut · TooLate ·
    │       WorkerLost · InputLost ── InputChanged
    ├── ResultLost · ModelRefused · NoReceiptKey
    └── Unavailable(retry_after_seconds)                                   try again later
        └── RedisUnreachable · RedisRefuses · RedisFull · StoreUnavailable ── StoreRefuses · Restoring ·
            QueueFull · ParquetUnfinished · LiveUploadsFull(limit) · StillScoring(id, status) ·
            WorkersOutdated(node, option)

Each class has a `slug` (the end of a problem's stable `type`), a `title`, a cause (its docstring) and a `remedy`:
`docs/errors.md` is made from these. None of them knows HTTP: `api/error_responses.py` maps each to its status.
"""

from rowcast.errors.access_errors import (
    AliasMoved,
    ExpiredKey,
    Forbidden,
    Gone,
    JobDeleted,
    JobEnded,
    JobExpired,
    JobUnfinished,
    NoKey,
    NoReceipt,
    NoResult,
    NotAcceptable,
    NotFound,
    NotRepairable,
    NotRetryable,
    OtherSite,
    RateLimited,
    UnknownFile,
    UnknownJob,
    UnknownKey,
    UnknownModel,
    UnknownUpload,
    UploadComplete,
    UploadGone,
    UploadTaken,
    WrongOffset,
    WrongState,
)
from rowcast.errors.file_errors import (
    BrokenFile,
    ColumnClash,
    CorrectionFault,
    CsvSyntax,
    EmptyFile,
    FilesFull,
    LineEndsLost,
    MissingColumns,
    NoFile,
    NotText,
    NotUtf8,
    UnknownKeyColumn,
    WrongColumnType,
    WrongRequests,
)
from rowcast.errors.request_errors import (
    BodyCutShort,
    BodyShape,
    BrokenCompression,
    BrokenForm,
    InvalidName,
    KeyReused,
    NoDefaultModel,
    NotJson,
    OptionUnsuitable,
    OptionValue,
    Refused,
    RowValues,
    TooLarge,
    UnknownOption,
    Unprocessable,
    Unreadable,
    UnsupportedType,
    WebhookRefused,
)
from rowcast.errors.root import PREFIX, RowcastError, types
from rowcast.errors.service_errors import (
    BadRow,
    Cancelled,
    Drifted,
    EveryRowBad,
    InputLost,
    JobFault,
    LiveUploadsFull,
    ModelRefused,
    NoReceiptKey,
    ParquetUnfinished,
    QueueFull,
    RedisFull,
    RedisRefuses,
    RedisUnreachable,
    Restoring,
    ResultLost,
    ScoringFailed,
    StillScoring,
    StoreRefuses,
    StoreUnavailable,
    TimedOut,
    TooLate,
    TooManyBadRows,
    Unavailable,
    WorkerLost,
    WorkersOutdated,
)
from rowcast.errors.start_errors import BadKeysFile, BadReceiptKey, BadSetting, UnusableRedis
from rowcast.errors.url_errors import (
    FileUnreadable,
    HeaderDiffers,
    InputChanged,
    NoFilesFound,
    OutputExists,
    UrlRefused,
)

__all__ = [
    "PREFIX",
    "AliasMoved",
    "BadKeysFile",
    "BadReceiptKey",
    "BadRow",
    "BadSetting",
    "BodyCutShort",
    "BodyShape",
    "BrokenCompression",
    "BrokenFile",
    "BrokenForm",
    "Cancelled",
    "ColumnClash",
    "CorrectionFault",
    "CsvSyntax",
    "Drifted",
    "EmptyFile",
    "EveryRowBad",
    "ExpiredKey",
    "FileUnreadable",
    "FilesFull",
    "Forbidden",
    "Gone",
    "HeaderDiffers",
    "InputChanged",
    "InputLost",
    "InvalidName",
    "JobDeleted",
    "JobEnded",
    "JobExpired",
    "JobFault",
    "JobUnfinished",
    "KeyReused",
    "LineEndsLost",
    "LiveUploadsFull",
    "MissingColumns",
    "ModelRefused",
    "NoDefaultModel",
    "NoFile",
    "NoFilesFound",
    "NoKey",
    "NoReceipt",
    "NoReceiptKey",
    "NoResult",
    "NotAcceptable",
    "NotFound",
    "NotJson",
    "NotRepairable",
    "NotRetryable",
    "NotText",
    "NotUtf8",
    "OptionUnsuitable",
    "OptionValue",
    "OtherSite",
    "OutputExists",
    "ParquetUnfinished",
    "QueueFull",
    "RateLimited",
    "RedisFull",
    "RedisRefuses",
    "RedisUnreachable",
    "Refused",
    "Restoring",
    "ResultLost",
    "RowValues",
    "RowcastError",
    "ScoringFailed",
    "StillScoring",
    "StoreRefuses",
    "StoreUnavailable",
    "TimedOut",
    "TooLarge",
    "TooLate",
    "TooManyBadRows",
    "Unavailable",
    "UnknownFile",
    "UnknownJob",
    "UnknownKey",
    "UnknownKeyColumn",
    "UnknownModel",
    "UnknownOption",
    "UnknownUpload",
    "Unprocessable",
    "Unreadable",
    "UnsupportedType",
    "UnusableRedis",
    "UploadComplete",
    "UploadGone",
    "UploadTaken",
    "UrlRefused",
    "WebhookRefused",
    "WorkerLost",
    "WorkersOutdated",
    "WrongColumnType",
    "WrongOffset",
    "WrongRequests",
    "WrongState",
    "types",
]  # fmt: skip
