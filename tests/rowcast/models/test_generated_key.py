"""The generated key: made once, after the models that are there were signed, and only without a key of the operator."""

import stat
from pathlib import Path

import pytest

from rowcast.errors import BadSetting, ModelRefused
from rowcast.models.generated_key import make_key, signing_key
from rowcast.models.registry import Registry
from rowcast.settings import Settings


@pytest.fixture
def settings(registry: Registry, tmp_path: Path) -> Settings:
    return Settings(models=registry.storage.location, generated_model_key_file=str(tmp_path / "keys" / "model-key"))


def test_it_is_made_once_and_signs_the_models_that_are_there(registry: Registry, draft, settings: Settings) -> None:
    registry.register("m", b"the pickle", draft)
    registry.register("m", b"another", draft)
    assert make_key(settings) == 2
    key = signing_key(settings)
    assert key
    assert make_key(settings) is None
    assert signing_key(settings) == key
    file = Path(settings.generated_model_key_file or "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    signing = Registry(registry.storage, key)
    assert signing.model_bytes(signing.resolve("m@1")) == b"the pickle"
    registry.register("m", b"unsigned", draft)
    with pytest.raises(ModelRefused, match="m@3 has no signature"):
        signing.model_bytes(signing.resolve("m@3"))


def test_the_key_of_the_operator_goes_first(settings: Settings) -> None:
    own = settings.model_copy(update={"model_key": "the operator's"})
    assert make_key(own) is None
    assert signing_key(own) == "the operator's"
    assert not Path(settings.generated_model_key_file or "").exists()


def test_a_program_whose_generated_key_is_missing_does_not_start_without(settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"ROWCAST_GENERATED_MODEL_KEY_FILE=.*the file cannot be read: No such file"):
        signing_key(settings)


def test_without_settings_there_is_no_key() -> None:
    assert make_key(Settings()) is None
    assert signing_key(Settings()) is None
