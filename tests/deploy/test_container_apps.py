"""The files for Azure Container Apps: every field exists, and they say the same of the programs as Compose."""

import re
import sys
import typing
from copy import deepcopy
from types import NoneType
from typing import Any

import manifests
import pytest
import yaml
from azure.mgmt.appcontainers import models
from programs import ROOT

from api.app import create_app
from rowcast.jobs.records.redis_keys import key
from rowcast.settings import Settings

FOLDER = ROOT / "deploy" / "azure-container-apps"
PROGRAMS = ("gateway", "worker", "upkeep")
SIZES = {(0.25, "0.5Gi"), (0.5, "1Gi"), (0.75, "1.5Gi"), (1.0, "2Gi"), (2.0, "4Gi")}
"""Pairs of cores and memory that the plan Consumption has."""

SCALER_FIELDS = {"address", "enableTLS", "databaseIndex", "listName", "listLength", "activationListLength"}
"""Fields of KEDA's scaler for Redis lists. Azure does not check them before it scales."""

(MODEL,) = models.EnvironmentVar.__bases__
"""The base of all types of Azure that have fields."""

every_program = pytest.mark.parametrize("name", PROGRAMS)


def app(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def container(name: str) -> dict[str, Any]:
    (found,) = app(name)["properties"]["template"]["containers"]
    return found


def faults(value: Any, kind: Any, where: str = "") -> list[str]:
    """Returns the fields that the type of Azure does not have, and the values of another type."""
    kinds = [one for one in typing.get_args(kind) if one is not NoneType] if _is_union(kind) else [kind]
    model = next((one for one in kinds if isinstance(one, type) and issubclass(one, MODEL)), None)
    if model is not None:
        return _faults_of_model(value, model, where)
    if typing.get_origin(kinds[0]) is list:
        (item,) = typing.get_args(kinds[0])
        assert isinstance(value, list), where
        return [fault for index, one in enumerate(value) for fault in faults(one, item, f"{where}[{index}]")]
    if typing.get_origin(kinds[0]) is dict:
        _, item = typing.get_args(kinds[0])
        return [fault for name, one in value.items() for fault in faults(one, item, f"{where}.{name}")]
    plain = tuple(str if not isinstance(one, type) or issubclass(one, str) else one for one in kinds)
    is_number = float in plain and isinstance(value, int | float)
    is_fine = is_number or (isinstance(value, plain) and not (isinstance(value, bool) and bool not in plain))
    return [] if is_fine else [f"{where}: {value!r} is not {kind}"]


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) is typing.Union


def _faults_of_model(value: Any, model: type, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    fields = model()._attr_to_rest_field
    hints = typing.get_type_hints(model, globalns={**vars(sys.modules[model.__module__]), "_models": models})
    known = {field._rest_name: hints[attribute] for attribute, field in fields.items()}
    unknown = [f"{where}.{name}" for name in value if name not in known]
    return unknown + [
        fault for name, one in value.items() if name in known for fault in faults(one, known[name], f"{where}.{name}")
    ]


@every_program
def test_every_field_exists(name: str) -> None:
    assert faults(app(name), models.ContainerApp) == []


@pytest.mark.parametrize(
    "place", ["configuration", "template", "template.containers.0", "template.scale.rules.0.custom"]
)
def test_a_misspelt_field_is_found(place: str) -> None:
    document = deepcopy(app("worker"))
    target = document["properties"]
    for step in place.split("."):
        target = target[int(step) if step.isdigit() else step]
    name = next(iter(target))
    target[f"{name}x"] = target.pop(name)
    assert faults(document, models.ContainerApp) == [f".properties.{_with_brackets(place)}.{name}x"]


def _with_brackets(place: str) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", place)


@pytest.mark.parametrize("value", ["3", 1.5, True, [1]])
def test_a_value_of_another_type_is_found(value: object) -> None:
    document = app("worker")
    document["properties"]["template"]["scale"]["maxReplicas"] = value
    assert len(faults(document, models.ContainerApp)) == 1


@every_program
def test_every_variable_is_a_setting_with_a_value_that_it_takes(name: str) -> None:
    variables = container(name)["env"]
    assert not manifests.unknown_variables({one["name"] for one in variables})
    plain = {one["name"]: one["value"] for one in variables if "value" in one and one["name"].startswith("ROWCAST_")}
    manifests.bad_values(plain)
    secrets = {one["name"] for one in app(name)["properties"]["configuration"]["secrets"]}
    used = set(re.findall(r"secretRef: ([\w-]+)", (FOLDER / f"{name}.yaml").read_text()))
    assert used == secrets


@every_program
def test_images_commands_sizes_and_times_to_stop_fit(name: str) -> None:
    one = container(name)
    assert one["image"] == f"REGISTRY/rowcast-{manifests.image_of(name)}:VERSION"
    assert manifests.without_processes(one.get("command")) == manifests.command_of(name)
    assert (one["resources"]["cpu"], one["resources"]["memory"]) in SIZES
    assert app(name)["properties"]["template"]["terminationGracePeriodSeconds"] >= manifests.seconds_to_stop(name)


def test_the_gateway_is_asked_at_its_port_for_paths_that_it_has_and_needs_keys(settings: Settings) -> None:
    gateway = container("gateway")
    port = manifests.exposed_port()
    assert app("gateway")["properties"]["configuration"]["ingress"]["targetPort"] == port
    assert {probe["type"] for probe in gateway["probes"]} == {"Startup", "Readiness", "Liveness"}
    routes = {str(rule) for rule in create_app(settings).url_map.iter_rules()}
    assert {(probe["httpGet"]["path"], probe["httpGet"]["port"]) for probe in gateway["probes"]} == {("/health", port)}
    assert "/health" in routes
    variables = {one["name"]: one.get("value") for one in gateway["env"]}
    (volume,) = app("gateway")["properties"]["template"]["volumes"]
    (mount,) = gateway["volumeMounts"]
    assert volume["name"] == mount["volumeName"]
    assert variables["ROWCAST_API_KEYS_FILE"] == f"{mount['mountPath']}/{volume['secrets'][0]['path']}"


def test_workers_are_scaled_from_none_by_the_set_that_upkeep_keeps() -> None:
    scale = app("worker")["properties"]["template"]["scale"]
    (rule,) = scale["rules"]
    assert (scale["minReplicas"], rule["custom"]["type"]) == (0, "redis")
    assert set(rule["custom"]["metadata"]) == SCALER_FIELDS
    assert rule["custom"]["metadata"]["listName"] == key("wanted")
    assert rule["custom"]["metadata"]["listLength"] == container("worker")["command"][-1] == "1"
    assert {"name": "REMAP_SIGTERM", "value": ""} in container("worker")["env"]
    assert app("upkeep")["properties"]["template"]["scale"]["minReplicas"] >= 1, "nothing else counts"
