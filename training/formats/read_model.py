"""Reading a model in any of the formats: it is looked into first, and becomes a plain pickle, which workers read."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rowcast.errors import RowcastError, Unprocessable, Unreadable
from rowcast.models.loading.load import unpickle
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.pickle_errors import why_unreadable
from rowcast.models.loading.vetting import require_this_sklearn, vet_pickle, vet_scan
from training.add_options import Versions
from training.formats.formats import FORMATS, recognise
from training.formats.model_format import LoadContext, ModelFormat
from training.formats.pickle_format import PICKLE
from training.formats.trial_reading import require_survival


@dataclass(frozen=True)
class ReadModel:
    """A model as it was read."""

    estimator: Any
    #: The plain pickle to register: the bytes of the file itself, if it is one.
    pickled: bytes
    #: The version of scikit-learn that saved it, if that is not the installed one.
    trained_with: str | None
    #: The format of the file.
    format: ModelFormat


def read_model(name: str, data: bytes, own: ModelCode, versions: Versions, classes: Sequence[str] = ()) -> ReadModel:
    """Reads a model file. It may run the file's code, so the caller has to trust it unless its format runs none.

    Raises:
        Unreadable: it is damaged, or of no format that is known.
        Unprocessable: it needs something that is not here, contains what is not trusted, or cannot predict.
    """
    format = recognise(name, data)
    if classes and not format.takes_classes:
        raise Unprocessable.at("--classes", f"{name} is a {format.name} file, which has its classes: leave it out")
    scan = format.scan(data)
    if format.needs is not None:
        scan.modules.add(format.needs)
    vet_scan(name, scan, own, versions)
    if not format.runs_code and not format.recognises(data):
        raise Unreadable(_why(name, data, format, f"its bytes are not those of a {format.name} file"))
    if format.trial is not None:
        require_survival(name, data, format.trial)
    context = LoadContext(name, own, classes)
    try:
        estimator, trained_with = unpickle(data, lambda content: format.load(content, context))
    except (MemoryError, RowcastError):
        raise
    except Exception as fault:
        raise Unreadable(_why(name, data, format, why_unreadable(fault, own))) from fault
    if not callable(getattr(estimator, "predict", None)):
        raise Unprocessable(f"{name} contains a {type(estimator).__name__}, which has no `predict` method.")
    if format is not PICKLE:
        data = pickle.dumps(estimator, protocol=5)
        vet_pickle(name, data, own, versions)
    if versions == "strict" and trained_with is not None:
        require_this_sklearn(name, [trained_with])
    return ReadModel(estimator, data, trained_with, format)


def _why(name: str, data: bytes, format: ModelFormat, fault: str) -> str:
    """Returns why a file cannot be read, and which formats can, if it has the bytes of none of them."""
    why = f"{name} cannot be read here: {fault}"
    if any(one.recognises(data) for one in FORMATS):
        return why
    names = ", ".join(one.name for one in reversed(FORMATS))
    return f"{why.rstrip('.')}. It was taken for a {format.name} file; the formats are {names}."
