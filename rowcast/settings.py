"""Settings: one frozen class. Each program reads it from the environment once, at its entry point.

The variable of a field is `ROWCAST_` and the field's name in capitals, for example `ROWCAST_CHUNK_ROWS`. A secret may
be in a file instead, which a variable with `_FILE` at its end names.
`python -m rowcast.settings` prints the README's table; a test compares the two.
"""

import base64
import binascii
import ipaddress
import os
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from rowcast.errors import BadSetting
from rowcast.memory import GIB, MIB
from rowcast.pools import NAME_PATTERN, POOLS_PATTERN
from rowcast.redis_access.redis_url import BadRedisUrl, read_redis_url
from rowcast.secret_files import SECRETS, file_variable, secret_of, variable

SECRET = re.compile(r"^.+(?=@)|(?<=password=)[^&]+", re.DOTALL)
"""The places in a URL, even a malformed one, that may hold a password."""

HIDDEN = frozenset({"model_key", "webhook_secret"})
"""Settings whose values no message repeats."""

WEBHOOK_KEY_BYTES = range(24, 65)
"""Lengths of a webhook's signing key (Standard Webhooks, "Signature scheme")."""

PREFIX_PATTERN = r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)+"
"""One or more path segments (RFC 3986 §3.3), without a slash at the end."""

PREFIXES_PATTERN = r"^$|^ *[a-z0-9]+://[^,?#]*/ *(?:, *[a-z0-9]+://[^,?#]*/ *)*$"
"""URLs with commas between them, each with a slash at the end."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(BaseModel):
    """Every setting of the gateway, the workers and upkeep. Create it with `read`."""

    model_config = ConfigDict(frozen=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="The Redis (or Valkey) server that carries the queue and the job records: `redis://`, `rediss://` "
        "with TLS, `unix://`, or `redis+sentinel://` (`rediss+sentinel://`) and the Sentinels.",
    )
    redis_replicas: int = Field(
        default=0,
        ge=0,
        description="Replicas of Redis that must have a single row before it is accepted. Above 0, a fail-over loses "
        "no row that was accepted; while too few replicas run, rows are refused (503). Files need none.",
    )
    store: str = Field(
        default=".rowcast/store",
        description="Store of inputs and results: a folder, or a bucket (`s3://`, `az://` or `gs://`), for example "
        "`s3://jobs`.",
    )
    store_sync: bool = Field(
        default=True,
        description="`false`: files in a folder are not synced to the disk before a request is answered. A power cut "
        "may then lose rows that were accepted.",
    )
    presigned_seconds: int = Field(
        default=0,
        ge=0,
        le=7 * 86_400,
        description="Seconds that presigned URLs are valid, with which callers fetch results from the bucket "
        "(`format=urls`, `redirect=true`); 0 for none. Anyone with such a URL can read that file until then.",
    )
    models: str = Field(default=".rowcast/models", description="Model registry: a folder or a bucket, as for `STORE`.")
    default_model: str = Field(
        default="titanic",
        description="Model for requests that name no model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`. "
        "If this is not set and `titanic` does not exist, the only registered model is used.",
    )
    predict_wait: float = Field(
        default=0,
        ge=0,
        le=60,
        description="Seconds that `POST /predict` waits for the result if the caller does not set `wait`.",
    )
    open: bool = Field(default=False, description="`true`: a gateway without API keys may listen beyond loopback.")
    url_prefix: str = Field(
        default="",
        pattern=rf"^({PREFIX_PATTERN})?$",
        max_length=256,
        description="Path below which a proxy serves the gateway, for example `/rowcast`. Every link starts with it.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.0/8,::1",
        description="Proxies, as addresses and networks separated by commas. If `URL_PREFIX` is not set, their "
        "`X-Forwarded-Prefix` is used.",
    )
    api_keys_file: str | None = Field(
        default=None,
        min_length=1,
        description="File of API keys (`rowcast keys new NAME`). If it is set, every call needs a key.",
    )
    rate_limit: int = Field(default=600, ge=0, description="Maximum requests per minute and API key; 0 for no limit.")
    max_upload_bytes: Count = Field(
        default=50 * GIB, description="Maximum bytes of one file, as sent and after decompression."
    )
    max_row_bytes: Count = Field(
        default=1 * MIB, description="Maximum bytes of one row of a file, including the header line."
    )
    max_json_bytes: Count = Field(default=16 * MIB, description="Maximum bytes of one JSON body.")
    max_columns: Count = Field(default=10_000, description="Maximum columns of one file.")
    input_prefixes: str = Field(
        default="",
        pattern=PREFIXES_PATTERN,
        description="Places whose files callers may have scored by URL, separated by commas: folders and prefixes of "
        "buckets, for example `s3://data/in/,file:///data/in/`. If it is not set, `input_url` is refused.",
    )
    output_prefixes: str = Field(
        default="",
        pattern=PREFIXES_PATTERN,
        description="Places into which results may be written by URL, in the same form. If it is not set, "
        "`output_url` is refused.",
    )
    max_jobs: Count = Field(default=10_000, description="Maximum unfinished jobs; more are refused (503).")
    max_jobs_per_key: Count = Field(default=1_000, description="Maximum unfinished jobs per API key.")
    max_files_per_key: Count = Field(default=1_000, description="Maximum files of requests (`/v1/files`) per API key.")
    max_file_bytes_per_key: Count = Field(default=500 * GIB, description="Maximum bytes of these files per API key.")
    chunk_bytes: Count = Field(
        default=4 * MIB, description="Maximum bytes per chunk; a chunk ends at the end of a row."
    )
    chunk_rows: Count = Field(default=50_000, description="Maximum rows per chunk.")
    lease_seconds: Seconds = Field(
        default=15,
        description="Seconds after which a chunk is taken from a worker that has stopped renewing its lease. "
        "Workers renew it at least three times in that time. If a worker was killed, it takes some four seconds.",
    )
    chunk_timeout_seconds: Seconds = Field(
        default=90,
        description="Maximum seconds per chunk. Then its process is killed and the chunk is retried.",
    )
    retention: Seconds = Field(
        default=7 * 86_400,
        description="Seconds that a job's files are kept after it has ended. Its record is kept twice as long.",
    )
    receipt_key_file: str | None = Field(
        default=None,
        min_length=1,
        description="File of the private key (Ed25519, PEM) that signs receipts; `rowcast receipt-key new` makes one. "
        "Without it there are no receipts. `rowcast up` makes one in its data folder.",
    )
    model_key: str | None = Field(
        default=None,
        description="Secret key for signatures. If it is set, only models with a manifest signed with it "
        "(HMAC-SHA256) are loaded.",
    )
    generated_model_key_file: str | None = Field(
        default=None,
        min_length=1,
        description="File of the key that is used if there is no `MODEL_KEY`. In containers, `train` makes it.",
    )
    model_versions: Literal["strict", "warn"] = Field(
        default="strict",
        description="`warn`: also load models of another scikit-learn version (`MAJOR.MINOR`). `strict`: refuse them.",
    )
    fast_trees: bool = Field(
        default=True,
        description="`false`: workers evaluate trees with scikit-learn instead of the fast path. The predictions are "
        "the same, bit for bit.",
    )
    pools: str = Field(
        default="",
        pattern=POOLS_PATTERN,
        description="Models that only the workers of a pool serve, for example `heavy=fraud,images-*;team-b=churn`. "
        "Set it for every program. If it is not set, all workers serve all models.",
    )
    pool: str = Field(
        default="", pattern=NAME_PATTERN, description="The pool of a worker. If it is not set: models of no pool."
    )
    backlog_seconds: Seconds = Field(
        default=30,
        description="Seconds in which the work that waits should be done, if as many worker processes run as are "
        "wanted. Upkeep counts them.",
    )
    scale_down_seconds: Seconds = Field(
        default=60,
        description="Seconds that a worker process stays wanted after it was last needed, so that the number falls "
        "slowly.",
    )
    webhook_secret: str | None = Field(
        default=None,
        min_length=1,
        description="Secret key that signs webhooks: `whsec_` and 24 to 64 bytes in Base64. Two with a comma between "
        "them sign each message twice, while receivers change to the new one. If it is not set, `webhook` is refused.",
    )
    webhook_private: bool = Field(
        default=False,
        description="`true`: webhooks may also lead to loopback and private addresses, and begin with `http://`.",
    )
    heartbeat_file: str | None = Field(
        default=None,
        description="File that a worker or upkeep touches every two seconds while it works and reaches Redis, for a "
        "container's health check.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="Format of log lines. `auto`: short lines if standard error is a terminal, otherwise JSON.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_folder: str | None = Field(
        default=None,
        min_length=1,
        description="Folder in which every program also keeps its newest log lines, as JSON. `rowcast up` keeps them "
        "in `logs` in its data folder, for `rowcast logs`.",
    )

    @classmethod
    def read(cls, **overrides: Any) -> "Settings":
        """Reads the environment, and the files of secrets that it names. `overrides` take precedence.

        Raises:
            BadSetting: names the first invalid variable, its value and the valid values.
        """
        variables = ((name, os.environ.get(variable(name))) for name in cls.model_fields)
        given = {name: value for name, value in variables if value is not None}
        files = {name: file for name in SECRETS if (file := os.environ.get(file_variable(name))) is not None}
        secrets = {name: secret_of(name, file) for name, file in files.items() if name not in overrides}
        try:
            return cls(**(given | secrets | overrides))
        except ValidationError as error:
            first = error.errors()[0]
            field, takes = str(first["loc"][0]), first["msg"][0].lower() + first["msg"][1:]
            if field in secrets:
                raise BadSetting(file_variable(field), files[field], f"the secret in the file {takes}") from None
            value = "***" if field in HIDDEN else SECRET.sub("***", str(first["input"]))
            raise BadSetting(variable(field), value, takes) from None

    @cached_property
    def trusted_networks(self) -> tuple[Network, ...]:
        """The networks in `trusted_proxies`."""
        return _networks(self.trusted_proxies)

    @cached_property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys in `webhook_secret`; empty if it is not set."""
        return _webhook_keys(self.webhook_secret or "")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        try:
            _networks(proxies)
        except ValueError:
            takes = "takes addresses and networks with commas between them, for example 10.0.0.0/8,::1"
            raise PydanticCustomError("trusted_proxies", takes) from None
        return proxies

    @field_validator("webhook_secret")
    @classmethod
    def _are_webhook_keys(cls, secrets: str | None) -> str | None:
        try:
            _webhook_keys(secrets or "")
        except ValueError:
            takes = "takes whsec_ and 24 to 64 bytes in Base64, for example whsec_$(openssl rand -base64 32)"
            raise PydanticCustomError("webhook_secret", takes) from None
        return secrets

    @field_validator("redis_url")
    @classmethod
    def _can_be_taken_apart(cls, url: str) -> str:
        try:
            read_redis_url(url)
        except BadRedisUrl as error:
            raise PydanticCustomError("redis_url", str(error)) from None
        return url


def _networks(proxies: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(proxy.strip()) for proxy in proxies.split(",") if proxy.strip())


def _webhook_keys(secrets: str) -> tuple[bytes, ...]:
    return tuple(_webhook_key(secret.strip()) for secret in secrets.split(",") if secret.strip())


def _webhook_key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("not Base64") from error
    if encoded == secret or len(decoded) not in WEBHOOK_KEY_BYTES:
        raise ValueError("no prefix, or another length")
    return decoded
