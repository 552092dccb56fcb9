"""A model file with what is known about it besides its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rowcast.errors import NotFound, Unreadable
from rowcast.models.model_manifest import Kind


@dataclass(frozen=True)
class ModelFile:
    """A model file, and what MLflow says about it if it comes from there."""

    #: The file's name, for example `model.pkl`.
    name: str
    content: bytes
    #: Modules and packages of the model's own code, which are read from the disk.
    code: Sequence[Path] = ()
    #: Names of the features, for an estimator that does not know them.
    features: Sequence[str] | None = None
    #: Kinds of columns that the file pandas reads does not show, for example text that consists of digits.
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    #: A CSV file to use as the sample if the user names none.
    example: Path | None = None
    #: What the manifest says about where the model is from, by name.
    facts: Mapping[str, str] = field(default_factory=dict)


def read_model_file(path: Path) -> ModelFile:
    """Reads a file as a model file.

    Raises:
        NotFound: there is no such file.
        Unreadable: it cannot be read.
    """
    try:
        return ModelFile(path.name, path.read_bytes())
    except FileNotFoundError:
        raise NotFound.file(path) from None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
