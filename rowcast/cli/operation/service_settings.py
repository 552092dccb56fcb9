"""Which service a command of operation looks at: the one that the settings name, or the one that runs here."""

from dataclasses import dataclass
from pathlib import Path

from rowcast.cli.data_location import DataLocation, find_data_location
from rowcast.settings import Settings


@dataclass(frozen=True)
class LookedAt:
    """A service, by its settings."""

    settings: Settings
    #: The data folder of a `rowcast up`; None if the environment names Redis or the store.
    location: DataLocation | None

    @property
    def is_default(self) -> bool:
        """Whether nothing says where Redis is: no service runs, and the setting has its default."""
        is_running = self.location is not None and self.location.instance is not None
        return not is_running and "redis_url" not in self.settings.model_fields_set


def find_service(data: Path | None) -> LookedAt:
    """Returns the service to look at. The environment wins over a running service, and `data` over both.

    Raises:
        BadSetting: a setting is not valid. SeveralServices: several run here, and nothing names one.
    """
    given = Settings.read()
    if given.model_fields_set & {"redis_url", "store"} and data is None:
        return LookedAt(given, None)
    location = find_data_location(data)
    if location.instance:
        found = Settings.read(redis_url=location.instance.redis_url, store=location.store, models=location.models)
        return LookedAt(found, location)
    models = given.models if "models" in given.model_fields_set else location.models
    return LookedAt(Settings.read(store=location.store, models=models), location)
