"""Errors in what a program is started with: its settings, and the files of keys."""

from typing import ClassVar

from rowcast.errors.root import RowcastError


class BadSetting(RowcastError):
    """The value of a setting is not valid. The program does not start."""

    slug: ClassVar[str] = "bad-setting"
    title = "Invalid setting"
    remedy = "Correct the environment variable that the message names."

    def __init__(self, name: str, value: object, takes: str) -> None:
        super().__init__(f"{name}={value!s} is not valid: {takes}")
        self.name, self.value, self.takes = name, value, takes


class BadKeysFile(RowcastError):
    """The file of API keys cannot be read, or a line of it is not valid."""

    slug: ClassVar[str] = "bad-keys-file"
    title = "Invalid file of API keys"
    remedy = "Correct the line that the message names, or make a new file with `rowcast keys new NAME`."

    def __init__(self, file: object, line: int | None, takes: str) -> None:
        """`line` is None if it concerns the whole file."""
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {takes}")
        self.file, self.line, self.takes = file, line, takes


class BadReceiptKey(RowcastError):
    """A file of keys for receipts cannot be read, or does not have the keys that it must have."""

    slug: ClassVar[str] = "bad-receipt-key"
    title = "Invalid key for receipts"
    remedy = "Correct the file that the message names, or make a new one with `rowcast receipt-key new`."

    def __init__(self, file: object, takes: str) -> None:
        super().__init__(f"{file}: {takes}")
        self.file, self.takes = file, takes


class UnusableRedis(RowcastError):
    """Redis answers, but Rowcast cannot use it as it is set. The program does not start."""

    slug: ClassVar[str] = "unusable-redis"
    title = "Redis cannot be used"
    remedy = "Correct what the message names: the setting `ROWCAST_REDIS_URL`, or Redis itself."
