"""Files by joblib: pickles with the bytes of arrays between their opcodes, or compressed."""

import io
from typing import Any

import joblib

from rowcast.models.loading.pickle_scan import scan_pickle
from training.formats.model_format import LoadContext, ModelFormat
from training.formats.pickle_format import PICKLE

_ZLIB = tuple(b"x" + level for level in (b"\x01", b"\x5e", b"\x9c", b"\xda"))
_COMPRESSED = (*_ZLIB, b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x5d\x00\x00", b"\x04\x22\x4d\x18")
"""First bytes of zlib (at its four levels), gzip, bzip2, xz, lzma and lz4, which joblib writes."""

_ARRAY = b"NumpyArrayWrapper"
"""The class that stands for an array, by whose name joblib's files differ from other pickles."""


def _is_joblib(data: bytes) -> bool:
    return data.startswith(_COMPRESSED) or (PICKLE.recognises(data) and _ARRAY in data)


def _load(data: bytes, _context: LoadContext) -> Any:
    return joblib.load(io.BytesIO(data))


JOBLIB = ModelFormat(
    name="joblib",
    endings=(".joblib", ".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4"),
    written_by="`joblib.dump(model, file)`, compressed or not",
    danger="run any code",
    needs=None,
    runs_code=True,
    recognises=_is_joblib,
    scan=scan_pickle,
    load=_load,
)
