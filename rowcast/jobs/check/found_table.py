"""What a worker finds in a Parquet file or a workbook that is checked, before it reads its rows, or of files by URL."""

from pydantic import BaseModel, ConfigDict

CHECKED_SOURCE_BYTES = 64 * 1024 * 1024
"""Largest file that a check takes if a worker has to convert it: no beginning of it can be read by itself."""


class FoundTable(BaseModel):
    """The table in a file, as JSON in the store while the check lasts."""

    model_config = ConfigDict(frozen=True)

    #: Names of the columns, as pandas reads them.
    columns: tuple[str, ...]
    #: Number of rows of the whole file. In a workbook, empty ones at the end are counted.
    rows: int


class FoundFiles(BaseModel):
    """The files by URL that are checked, as JSON in the store while the check lasts."""

    model_config = ConfigDict(frozen=True)

    #: URL of the first one, in the order of their names.
    first: str
    #: Its length in bytes.
    first_bytes: int
    #: Number of the files.
    files: int
    #: Length of all files in bytes.
    bytes: int
