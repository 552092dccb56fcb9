"""Pickles, by pickle and by cloudpickle. A version in the registry has its model in this format."""

import pickle
from typing import Any

from rowcast.models.loading.pickle_scan import scan_pickle
from training.formats.model_format import LoadContext, ModelFormat

_PROTOCOL_MARK = b"\x80"
"""First byte of pickles of protocol 2 and later. Older protocols have none."""


def _load(data: bytes, _context: LoadContext) -> Any:
    return pickle.loads(data)


PICKLE = ModelFormat(
    name="pickle",
    endings=(".pkl", ".pickle", ".cloudpickle"),
    written_by="`pickle.dump(model, file)`; `cloudpickle.dump(model, file)`, which also stores classes of a notebook",
    danger="run any code",
    needs=None,
    runs_code=True,
    recognises=lambda data: data.startswith(_PROTOCOL_MARK),
    scan=scan_pickle,
    load=_load,
)
