"""The generated key: signs models if the operator has set no key, so that models in containers are signed at once."""

import os
import secrets
from pathlib import Path

from rowcast.errors import RowcastError
from rowcast.models.manifest_cache import manifest_key
from rowcast.models.registry import Registry
from rowcast.models.signature import signed
from rowcast.secret_files import read_secret, variable
from rowcast.settings import Settings
from rowcast.storage import Storage

_KEY_BYTES = 32
_MODE = 0o600


def signing_key(settings: Settings) -> str | None:
    """Returns the key that signs models: that of the operator, else the generated one, else None.

    Raises:
        BadSetting: the file of the generated key cannot be read.
    """
    if settings.model_key or settings.generated_model_key_file is None:
        return settings.model_key
    return read_secret(variable("generated_model_key_file"), settings.generated_model_key_file)


def make_key(settings: Settings) -> int | None:
    """Makes the generated key if it is wanted and missing, and returns the number of models that it signed, or None.

    The models that are already in the registry are signed with it: they were trusted until now. The file is written
    after that, in one step, so that an interrupted call is repeated.

    Raises:
        RowcastError: the file cannot be written.
    """
    if settings.model_key or settings.generated_model_key_file is None:
        return None
    file = Path(settings.generated_model_key_file)
    if file.exists():
        return None
    key = secrets.token_hex(_KEY_BYTES)
    count = _sign_all(Storage(settings.models), key)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(target, "w") as written:
            written.write(f"{key}\n")
            written.flush()
            os.fsync(target)
        temporary.replace(file)
    except OSError as error:
        raise RowcastError(f"The key of models cannot be written to {file}: {error.strerror}") from error
    return count


def _sign_all(storage: Storage, key: str) -> int:
    """Signs every manifest, and returns their number."""
    registry = Registry(storage)
    manifests = [registry.manifest(name, version) for name in registry.names() for version in registry.versions(name)]
    for manifest in manifests:
        content = signed(manifest, key).model_dump_json(indent=2).encode() + b"\n"
        storage.put(manifest_key(manifest.name, manifest.version), content)
    return len(manifests)
