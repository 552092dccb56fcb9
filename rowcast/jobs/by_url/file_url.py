"""URLs of files and folders that callers give, and whether the settings allow them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from rowcast.errors import UrlRefused

SCHEMES = ("file", "s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""`file` is a folder; the others are buckets, as obstore names them. http(s) is left out: it cannot be listed."""

LONGEST = 2048

_URL = re.compile(r"^([A-Za-z0-9+.-]+)://([^/]*)/(.*)$", re.DOTALL)
_HOST = re.compile(r"^[A-Za-z0-9._-]*$")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\?#%]")


@dataclass(frozen=True)
class FileUrl:
    """A URL of a file, of a folder (it ends with a slash), or a pattern with `*`."""

    scheme: str
    """One of SCHEMES."""
    host: str
    """The bucket or container; empty for `file`."""
    path: str
    """What follows, without the slash before it."""

    @classmethod
    def read(cls, text: object, where: str) -> "FileUrl":
        """Reads a URL. `where` names the option that has it.

        Raises:
            UrlRefused: it has another form, a user name, a query, or a path with `..`.
        """
        found = _URL.match(text) if isinstance(text, str) and len(text) <= LONGEST else None
        if found is None or found[1] not in SCHEMES:
            takes = f"must be a URL that begins with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
            raise UrlRefused.at(where, takes)
        scheme, host, path = found.groups()
        if "@" in host:
            raise UrlRefused.at(where, "must not have a user name or a password: the service has its own access")
        if not _HOST.match(host) or (scheme == "file") == bool(host):
            takes = "file:///FOLDER/NAME" if scheme == "file" else f"{scheme}://BUCKET/NAME"
            raise UrlRefused.at(where, f"must have the form {takes}")
        if _FORBIDDEN.search(path):
            raise UrlRefused.at(where, "must not have control characters, backslashes, or any of ? # %")
        folders = path.removesuffix("/").split("/")
        if path and any(name in ("", ".", "..") for name in folders):
            raise UrlRefused.at(where, "must not have an empty name, `.` or `..` in its path")
        return cls(scheme, host, path)

    def __str__(self) -> str:
        return f"{self.root}{self.path}"

    @property
    def root(self) -> str:
        """The bucket or the file system, for example `s3://data/`."""
        return f"{self.scheme}://{self.host}/"

    @property
    def folder(self) -> str:
        """The path up to the last slash before the first `*`; it is empty or ends with a slash."""
        fixed = self.path.partition("*")[0]
        return fixed[: fixed.rfind("/") + 1]

    @property
    def is_pattern(self) -> bool:
        """Whether it may stand for several files."""
        return "*" in self.path

    def matches(self, path: str) -> bool:
        """Returns whether a file's path fits the pattern. `*` stands for no slash, and not for a leading dot."""
        return bool(_pattern(self.path).match(path))

    def is_below(self, prefix: "FileUrl") -> bool:
        """Returns whether it lies in a folder, whose URL ends with a slash."""
        is_same_root = (self.scheme, self.host) == (prefix.scheme, prefix.host)
        return is_same_root and self.folder_or_path.startswith(prefix.path)

    @property
    def folder_or_path(self) -> str:
        """What of the path is sure to be in every path that fits."""
        return self.folder if self.is_pattern else self.path


def prefixes_in(setting: str) -> tuple[FileUrl, ...]:
    """Returns the allowed places of a setting, for example `s3://data/in/,file:///data/in/`."""
    return tuple(FileUrl.read(text.strip(), "prefix") for text in setting.split(",") if text.strip())


def input_url(text: object, setting: str) -> FileUrl:
    """Reads the URL of a job's input. `setting` has the value of `ROWCAST_INPUT_PREFIXES`.

    Raises:
        UrlRefused: it is not valid, or not allowed.
    """
    url = FileUrl.read(text, "input_url")
    _require_allowed(url, setting, "input_url", "ROWCAST_INPUT_PREFIXES")
    if not url.path or url.path.endswith("/"):
        raise UrlRefused.at("input_url", "must name a file, or files by a pattern such as `*.csv`")
    return url


def output_url(text: object, setting: str) -> FileUrl:
    """Reads the URL of a job's output, a folder. `setting` has the value of `ROWCAST_OUTPUT_PREFIXES`.

    Raises:
        UrlRefused: it is not valid, or not allowed.
    """
    url = FileUrl.read(f"{text.removesuffix('/')}/" if isinstance(text, str) else text, "output_url")
    if url.is_pattern:
        raise UrlRefused.at("output_url", "must be a folder, without `*`")
    _require_allowed(url, setting, "output_url", "ROWCAST_OUTPUT_PREFIXES")
    return url


def _require_allowed(url: FileUrl, setting: str, where: str, name: str) -> None:
    if not any(url.is_below(prefix) for prefix in prefixes_in(setting)):
        lies = "does not lie in a place that this service allows" if setting else "is not allowed by this service"
        raise UrlRefused.at(where, f"{lies}; the operator allows places with {name}")


@lru_cache(maxsize=64)
def _pattern(path: str) -> re.Pattern[str]:
    names = ["".join(_piece(piece) for piece in re.split(r"(\*+)", name)) for name in path.split("/")]
    guarded = [f"(?!\\.){name}" if name.startswith("[^/]*") else name for name in names]
    return re.compile("^" + "/".join(guarded) + "$")


def _piece(piece: str) -> str:
    return "[^/]*" if piece.startswith("*") else re.escape(piece)
