"""Files by skops: a zip with the types and arrays of an estimator. Only types that are trusted are constructed."""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from rowcast.errors import Unprocessable
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.pickle_scan import PickleScan
from training.formats.model_format import LoadContext, ModelFormat
from training.formats.trusted_types import TRUSTED_TYPES

_ZIP_MARK = b"PK\x03\x04"
_SCHEMA = "schema.json"
_VERSION_FIELD = "_sklearn_version"


def _is_skops(data: bytes) -> bool:
    if not data.startswith(_ZIP_MARK):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return _SCHEMA in file.namelist()
    except zipfile.BadZipFile:
        return False


def _scan(data: bytes) -> PickleScan:
    """Returns the types that the schema names. A file without a readable schema names none."""
    found = PickleScan()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            schema = json.loads(file.read(_SCHEMA))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError, OSError, EOFError):
        return found
    for node in _nodes(schema):
        module, name = node.get("__module__"), node.get("__class__")
        if isinstance(module, str) and isinstance(name, str):
            found.names.add((module, name))
            found.modules.add(module)
        version = node.get(_VERSION_FIELD)
        if isinstance(version, dict) and re.fullmatch(r'"[0-9]+\.[0-9][^"]*"', str(version.get("content"))):
            found.sklearn_versions.add(json.loads(version["content"]))
    return found


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _load(data: bytes, context: LoadContext) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skops.io  # imports every estimator of scikit-learn, some of which warn
    found = skops.io.get_untrusted_types(data=data)
    refused = sorted(one for one in found if one not in TRUSTED_TYPES and not _is_own(one, context.code))
    if refused:
        raise Unprocessable(_why_refused(context.name, refused))
    return skops.io.loads(data, trusted=found)


def _is_own(type_name: str, code: ModelCode) -> bool:
    """Returns whether the type is defined in a module that was given by --code. What such a module imports is not."""
    module, _, name = type_name.rpartition(".")
    source = code.source(module) if code.owns(module) else None
    return source is not None and re.search(rb"(?m)^(?:class|def) " + name.encode() + rb"\b", source) is not None


def _why_refused(name: str, refused: list[str]) -> str:
    several = len(refused) > 1
    module = refused[0].partition(".")[0]
    return (
        f"{name} contains {', '.join(refused)}, {'types' if several else 'a type'} that Rowcast does not trust in a "
        f"skops file. If {'they are' if several else 'it is'} your own, register the model with --code {module}.py, or "
        f"--code {module} if it is a folder. If you trust the file's source, save the model with pickle or cloudpickle "
        "instead. Nothing of the file was executed."
    )


SKOPS = ModelFormat(
    name="skops",
    endings=(".skops",),
    written_by="`skops.io.dump(model, file)`",
    danger="crash numerical code with false arrays; it cannot run code ([details](security.md#skops-files))",
    needs="skops",
    runs_code=False,
    recognises=_is_skops,
    scan=_scan,
    load=_load,
)
