"""What `docker compose` makes of our file and of the examples in the documentation. No container is started."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rowcast.secret_files import SECRETS, file_variable, variable

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "containers.md").read_text(), re.DOTALL)
PROGRAMS = ("train", "gateway", "worker", "upkeep")

pytestmark = pytest.mark.skipif(
    shutil.which("docker") is None and os.environ.get("CI") != "true", reason="there is no docker command here"
)


def services(folder: Path, override: str = "services: {}", **environment: str) -> dict[str, Any]:
    """Returns the services that Compose would start with this `docker-compose.override.yml`."""
    file = folder / "docker-compose.override.yml"
    file.write_text(override)
    command = ["docker", "compose", "--file", "docker-compose.yml", "--file", str(file), "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_compose_understands_an_override_of_the_documentation(tmp_path: Path, example: str) -> None:
    example = example.replace("file: docker-compose.yml", f"file: {ROOT / 'docker-compose.yml'}")  # it is next to it
    assert set(PROGRAMS) < set(services(tmp_path, example))


def test_with_the_secrets_of_the_documentation_no_secret_is_in_the_environment(tmp_path: Path) -> None:
    (example,) = [example for example in EXAMPLES if "secrets:" in example]
    found = services(tmp_path, example)
    for program in PROGRAMS:
        names = {secret["source"] for secret in found[program]["secrets"]}
        assert names == set(SECRETS), program
        for name in SECRETS:
            assert variable(name) not in {key for key, value in found[program]["environment"].items() if value}
            assert found[program]["environment"][file_variable(name)] == f"/run/secrets/{name}"


@pytest.mark.parametrize("own", [{}, {"ROWCAST_MODEL_KEY": "ours"}, {"ROWCAST_MODEL_KEY_FILE": "/run/secrets/ours"}])
def test_workers_read_the_generated_key_and_the_operators_key_goes_first(tmp_path: Path, own: dict[str, str]) -> None:
    found = services(tmp_path, **own)
    for program in ("train", "worker"):
        settings = {key: value for key, value in found[program]["environment"].items() if "MODEL_KEY" in key and value}
        assert settings == {"ROWCAST_GENERATED_MODEL_KEY_FILE": "/data/keys/model-key", **own}
    mounts = {
        (program, mount["target"], mount.get("read_only", False))
        for program in PROGRAMS
        for mount in found[program]["volumes"]
        if mount["source"] == "keys"
    }
    assert mounts == {("train", "/data/keys", False), ("worker", "/data/keys", True)}
