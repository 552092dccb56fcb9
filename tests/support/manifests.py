"""Checks of the files for clusters: their settings, images, commands, ports and probes are those of the programs."""

import re
from typing import Any

import yaml
from programs import ROOT

from rowcast.settings import Settings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SETTINGS = {f"ROWCAST_{name.upper()}" for name in Settings.model_fields}
OTHERS = {
    "REMAP_SIGTERM",  # of Celery
    "AWS_REGION", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY",  # of obstore
    "REDIS_PASSWORD", "REDISCLI_AUTH",  # of Redis' own container
}  # fmt: skip
"""Variables that are not Rowcast's."""

BUILT_FROM = {"gateway": "api", "upkeep": "api", "worker": "worker", "train": "worker"}
"""Service of Compose → the ending of the Dockerfile that its image is built from."""


def unknown_variables(names: set[str]) -> set[str]:
    """Returns the variables that nothing reads."""
    return names - SETTINGS - OTHERS


def bad_values(variables: dict[str, str]) -> None:
    """Raises BadSetting if a value is not one that its setting takes."""
    Settings.read(**{name.removeprefix("ROWCAST_").lower(): value for name, value in variables.items() if value})


def image_of(name: str) -> str:
    """Returns the name of the image that Compose runs as this service, without the project: `api` or `worker`."""
    return str(COMPOSE[name]["image"]).rpartition("-")[2]


def without_processes(command: list[str] | None) -> list[str] | None:
    """Returns a command without the number of processes, which each deployment chooses itself."""
    if command is None:
        return None
    at = command.index("--concurrency") if "--concurrency" in command else len(command)
    return [*command[:at], *command[at + 2 :]]


def command_of(name: str) -> list[str] | None:
    """Returns the command of a service of Compose; None if it is the image's."""
    return without_processes(COMPOSE[name].get("command"))


def seconds_to_stop(name: str) -> int:
    """Returns how long Compose waits for the end of a service after SIGTERM."""
    return int(str(COMPOSE[name]["stop_grace_period"]).removesuffix("s"))


def exposed_port() -> int:
    """Returns the port on which the gateway's image listens."""
    text = (ROOT / "Dockerfile.api").read_text()
    (exposed,) = re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE)
    assert f'"--port", "{exposed}"' in text
    return int(exposed)


def paths_of_probes(container: dict[str, Any], names: tuple[str, ...]) -> set[str]:
    """Returns the paths that the probes of a container of Kubernetes ask for."""
    return {container[name]["httpGet"]["path"] for name in names if "httpGet" in container.get(name, {})}
