"""An MLflow server, through its REST API: which version an alias means, and the files of that version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from rowcast.errors import Forbidden, NotFound, RowcastError, Unavailable, Unprocessable, Unreadable
from rowcast.models.model_manifest import MAX_CODE_BYTES, MAX_CODE_FILES
from training.source.mlflow_reference import MlflowAccess, MlflowReference
from training.source.mlmodel import FILE_NAME, parse

MAX_MODEL_BYTES = 8 * 1024**3
"""Largest model file that is fetched. It is held in memory several times while it is registered."""

_MAX_DESCRIPTION_BYTES = 8 * 1024**2
_TIMEOUT_SECONDS = 60.0
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""Codes with which servers answer that a model, a version or an alias does not exist."""


class MlflowServer:
    """A server and a connection to it. Use it in `with`."""

    def __init__(self, access: MlflowAccess, *, max_model_bytes: int = MAX_MODEL_BYTES) -> None:
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        by_name = not access.token and access.username is not None
        auth = httpx.BasicAuth(access.username or "", access.password or "") if by_name else None
        self._url = access.url
        self._max_model_bytes = max_model_bytes
        # Redirects are not followed: a token belongs to this address only.
        self._http = httpx.Client(base_url=access.url, headers=headers, auth=auth, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> "MlflowServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def fetch(self, reference: MlflowReference, folder: Path) -> dict[str, str]:
        """Fetches the files of a version that Rowcast reads into `folder`. Returns what is known about the version.

        Raises:
            Unavailable: the server cannot be reached, or fails.
            Forbidden: it does not accept the caller.
            NotFound: it has no such model, version, alias or file.
            Unprocessable, Unreadable: the model cannot be read, is too large, or its files are not on this server.
        """
        about = self._version(reference)
        name, version = str(about["name"]), str(about["version"])
        uri = self._call("model-versions/get-download-uri", reference, name=name, version=version)["artifact_uri"]
        root = self._path(str(uri))
        self._download(root, FILE_NAME, folder, _MAX_DESCRIPTION_BYTES)
        described = parse((folder / FILE_NAME).read_bytes())
        self._download(root, described.file, folder, self._max_model_bytes)
        if described.code:
            self._download_code(root, described.code, folder)
        if described.example:
            self._download(root, described.example, folder, _MAX_DESCRIPTION_BYTES)
        run = {"mlflow_run_id": str(about["run_id"])} if about.get("run_id") else {}
        return {"mlflow_server": self._url, "mlflow_model": name, "mlflow_version": version, **run}

    def _version(self, reference: MlflowReference) -> dict[str, Any]:
        if reference.alias is not None:
            found = self._call("registered-models/alias", reference, name=reference.name, alias=reference.alias)
        else:
            found = self._call("model-versions/get", reference, name=reference.name, version=reference.version or "")
        about = found.get("model_version")
        if not isinstance(about, dict) or not {"name", "version"} <= set(about):
            raise Unreadable(f"{self._url} answered without a `model_version`: is it an MLflow server?")
        return about

    def _call(self, path: str, reference: MlflowReference, **query: str) -> dict[str, Any]:
        with self._answer(f"/api/2.0/mlflow/{path}", query, str(reference)) as answer:
            answer.read()
            try:
                document = answer.json()
            except ValueError:
                document = None
        if not isinstance(document, dict):
            raise Unreadable(f"{self._url} did not answer with JSON: is MLFLOW_TRACKING_URI that of an MLflow server?")
        return document

    def _path(self, uri: str) -> str:
        """Returns the path of a version's folder among the files that the server passes on.

        Raises:
            Unprocessable: the server does not pass them on.
        """
        parts = urlsplit(uri)
        if parts.scheme == "mlflow-artifacts" and parts.netloc in ("", urlsplit(self._url).netloc):
            return parts.path.strip("/")
        raise Unprocessable(
            f"The files of this model are at {uri}, and the MLflow server does not pass them on. Start it with "
            "--artifacts-destination and log the model again; or fetch the folder with `mlflow artifacts download` and "
            "register that folder."
        )

    def _files(self, root: str, folder: str, depth: int = 0) -> Iterator[str]:
        """Yields the paths of all files below a folder of the version, relative to the version."""
        with self._answer("/api/2.0/mlflow-artifacts/artifacts", {"path": f"{root}/{folder}"}, folder) as answer:
            answer.read()
            entries = answer.json().get("files", [])
        for one in entries:
            name = PurePosixPath(str(one["path"])).name
            if one.get("is_dir") and depth < 20:
                yield from self._files(root, f"{folder}/{name}", depth + 1)
            elif not one.get("is_dir"):
                yield f"{folder}/{name}"

    def _download_code(self, root: str, code: str, folder: Path) -> None:
        left = MAX_CODE_BYTES
        for number, path in enumerate(self._files(root, code)):
            if number >= MAX_CODE_FILES:
                raise _too_large(f"has more than {MAX_CODE_FILES} files of code")
            left -= self._download(root, path, folder, left)

    def _download(self, root: str, path: str, folder: Path, limit: int) -> int:
        """Writes a file of the version below `folder`. Returns its length."""
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        length = 0
        url = f"/api/2.0/mlflow-artifacts/artifacts/{quote(f'{root}/{path}')}"
        with self._answer(url, {}, path) as answer, target.open("wb") as file:
            for piece in answer.iter_bytes():
                length += len(piece)
                if length > limit:
                    raise _too_large(f"has over {limit:,} bytes in {path}")
                file.write(piece)
        return length

    @contextmanager
    def _answer(self, path: str, query: dict[str, str], what: str) -> Iterator[httpx.Response]:
        """Yields the answer to a request, whose body is not read yet."""
        try:
            with self._http.stream("GET", path, params=query) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _refusal(self._url, answer, what)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"The MLflow server {self._url} cannot be reached ({error}): check MLFLOW_TRACKING_URI, and that "
                "it runs."
            ) from error


def _too_large(what: str) -> Unprocessable:
    return Unprocessable(
        f"The model on the MLflow server {what}, which is more than Rowcast fetches. Fetch its folder with `mlflow "
        "artifacts download`, take out what the model does not need, and register that folder."
    )


def _refusal(url: str, answer: httpx.Response, what: str) -> RowcastError:
    """Returns the error for an answer other than 200."""
    try:
        document = answer.json()
        code, message = str(document.get("error_code")), str(document.get("message"))
    except (ValueError, AttributeError):
        code, message = "", answer.reason_phrase
    if answer.status_code in (401, 403):
        return Forbidden(
            f"The MLflow server {url} answered {answer.status_code} ({message}): set MLFLOW_TRACKING_TOKEN, or "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, of a user with access to the model."
        )
    if answer.status_code == 404 or code in _MISSING:
        return NotFound(
            f"The MLflow server {url} has no {what}: {message}. Check the name, and the version or alias, on its page "
            "of registered models."
        )
    return Unavailable(f"The MLflow server {url} answered {answer.status_code} for {what}: {message}.")
