"""What `mlflow:models:/NAME@ALIAS` means, and how the server is reached: from the variables that MLflow itself uses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rowcast.errors import Unprocessable

PREFIX = "mlflow:"
"""How a model on a server begins, in place of a path."""

_FORMS = "mlflow:models:/NAME@ALIAS or mlflow:models:/NAME/VERSION"


@dataclass(frozen=True)
class MlflowReference:
    """A version of a registered model; it has either an alias or a version."""

    name: str
    alias: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return f"models:/{self.name}{f'@{self.alias}' if self.alias else f'/{self.version}'}"


@dataclass(frozen=True)
class MlflowAccess:
    """The address of a server, and how it knows the caller."""

    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_reference(text: str) -> MlflowReference:
    """Reads `mlflow:models:/NAME@ALIAS` or `mlflow:models:/NAME/VERSION`.

    Raises:
        Unprocessable: it has another form.
    """
    found = re.fullmatch(r"mlflow:models:/([^/@]+)(?:@([^/@]+)|/([0-9]+))", text)
    if found is None:
        raise Unprocessable(f"{text!r} does not name a version of a model: write {_FORMS}.")
    return MlflowReference(found[1], found[2], found[3])


def access_from(environment: Mapping[str, str]) -> MlflowAccess:
    """Reads `MLFLOW_TRACKING_URI`, `MLFLOW_TRACKING_TOKEN`, `MLFLOW_TRACKING_USERNAME` and `…_PASSWORD`.

    Raises:
        Unprocessable: there is no address, or it is not that of a server.
    """
    url = environment.get("MLFLOW_TRACKING_URI", "").strip()
    if not url:
        raise Unprocessable(
            "MLFLOW_TRACKING_URI is not set: set it to the address of the MLflow server, for example "
            "https://mlflow.example.com."
        )
    if not url.startswith(("http://", "https://")):
        raise Unprocessable(
            f"MLFLOW_TRACKING_URI={url} is not the address of a server (http:// or https://). To register a model "
            "from a local folder, give the folder that has the file MLmodel."
        )
    return MlflowAccess(
        url.rstrip("/"),
        environment.get("MLFLOW_TRACKING_TOKEN") or None,
        environment.get("MLFLOW_TRACKING_USERNAME") or None,
        environment.get("MLFLOW_TRACKING_PASSWORD") or None,
    )
