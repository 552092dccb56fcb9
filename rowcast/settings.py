"""Settings: one frozen class, read once at the entry point of each program, from the environment.

A variable is `ROWCAST_` and the field's name in capitals. The README's table is made from this class
(`python -m rowcast.settings`), and a test holds them together.
"""

import ipaddress
import re
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rowcast.errors import BadSetting

PREFIX = "ROWCAST_"
SECRET = re.compile(r"^.+(?=@)|(?<=password=)[^&]+", re.DOTALL)
"""Where a URL, however malformed, may have a password."""

GIB = 1024**3
MIB = 1024**2

PREFIX_PATTERN = r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)+"
"""One or more segments of a path (RFC 3986 §3.3), without a slash at the end."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(BaseSettings):
    """Every setting of the gateway, the workers and upkeep. `read` is the way to make one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        pattern=r"^(rediss?|unix)://",
        description="The Redis (or Valkey) server that carries the queue and the job records.",
    )
    store: str = Field(
        default=".rowcast/store",
        description="Where inputs and parts lie: a folder, or `s3://`, `az://`, `gs://` and a bucket.",
    )
    models: str = Field(
        default=".rowcast/models", description="The model registry: a folder, or a bucket as for `STORE`."
    )
    default_model: str = Field(
        default="titanic",
        description="The model of a request that names none: `NAME`, `NAME@VERSION` or `NAME@ALIAS`. "
        "If this is not set and there is no `titanic`, the only model that there is.",
    )
    predict_wait: float = Field(
        default=0,
        ge=0,
        le=60,
        description="Seconds to wait for the answer where the caller asks for no wait.",
    )
    open: bool = Field(
        default=False, description="`true`: an open gateway (one without keys) may listen beyond loopback."
    )
    url_prefix: str = Field(
        default="",
        pattern=rf"^({PREFIX_PATTERN})?$",
        max_length=256,
        description="The path below which a proxy serves the gateway, like `/rowcast`; every link starts with it.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.0/8,::1",
        description="Addresses and networks, with commas between them, whose `X-Forwarded-Prefix` is used if "
        "`URL_PREFIX` is not set.",
    )
    api_keys_file: str | None = Field(
        default=None,
        min_length=1,
        description="The file of API keys (`rowcast keys new NAME`); with it every call needs one.",
    )
    rate_limit: int = Field(default=600, ge=0, description="Requests a minute with one key; 0 for no limit.")
    max_upload_bytes: Count = Field(default=50 * GIB, description="Bytes of one file, as sent and when decompressed.")
    max_row_bytes: Count = Field(default=1 * MIB, description="Bytes of one row of a file, the header line too.")
    max_json_bytes: Count = Field(default=16 * MIB, description="Bytes of one JSON body.")
    max_columns: Count = Field(default=10_000, description="Columns of one file.")
    max_jobs: Count = Field(default=10_000, description="Jobs that have not ended yet; more are refused with 503.")
    max_jobs_per_key: Count = Field(default=1_000, description="The same, of one key.")
    chunk_bytes: Count = Field(default=4 * MIB, description="A chunk ends at the record end before so many bytes,")
    chunk_rows: Count = Field(default=50_000, description="or after so many rows, whichever comes first.")
    lease_seconds: Seconds = Field(
        default=15,
        description="How long a worker that has gone silent keeps its chunk; it renews at least three times as often.",
    )
    chunk_timeout: Seconds = Field(
        default=90,
        description="Seconds that one chunk may take before its process is ended and it is tried again.",
    )
    retention: Seconds = Field(
        default=7 * 86_400,
        description="Seconds that a job's files are kept after its end; its record is kept as long again.",
    )
    model_key: str | None = Field(
        default=None,
        description="With it, only models whose manifest this key has signed (HMAC-SHA256) are opened.",
    )
    model_versions: Literal["strict", "warn"] = Field(
        default="strict", description="`warn`: open models of another scikit-learn `MAJOR.MINOR` too."
    )
    alive_file: str | None = Field(
        default=None,
        description="A file that a worker, and upkeep, touches every two seconds while it can do its work, "
        "for a container's health check.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="How log lines are written; `auto`: short lines if standard error is a terminal, JSON otherwise.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is logged."
    )

    @classmethod
    def read(cls, **overrides: Any) -> "Settings":
        """Reads the environment; `overrides` win over it.

        Raises:
            BadSetting: for the first value that does not fit, naming the variable, the value and what it takes.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise BadSetting(name, SECRET.sub("***", str(first["input"])), _takes(first["msg"])) from None

    @cached_property
    def trusted_networks(self) -> tuple[Network, ...]:
        """`trusted_proxies` taken apart."""
        return _networks(self.trusted_proxies)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        try:
            _networks(proxies)
        except ValueError:
            takes = "takes addresses and networks with commas between them, for example 10.0.0.0/8,::1"
            raise PydanticCustomError("trusted_proxies", takes) from None
        return proxies

    @field_validator("redis_url")
    @classmethod
    def _can_be_taken_apart(cls, url: str) -> str:
        try:
            urlsplit(url).port  # noqa: B018 - it is what complains
        except ValueError:
            takes = "takes redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], with / ? # @ in a password as %XX"
            raise PydanticCustomError("redis_url", takes) from None
        return url


def _networks(proxies: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(proxy.strip()) for proxy in proxies.split(",") if proxy.strip())


def _takes(message: str) -> str:
    return message[0].lower() + message[1:]


def table() -> str:
    """The settings as a Markdown table: variable, default, meaning."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, "") else f"`{_plain(field.default)}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:_}".replace("_", "") if isinstance(value, int) else f"{value}"


if __name__ == "__main__":
    print(table(), end="")
