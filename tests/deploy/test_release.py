"""What a release needs: a semantic version, bills of materials, and checks that find what they look for."""

import json
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml
from programs import ROOT

from rowcast.version import VERSION

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def tool(name: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sysconfig.get_path("scripts"), name)
    return subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_version_is_semantic() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", VERSION)


@pytest.mark.parametrize("of", ["api", "worker"])
def test_a_bill_of_materials_has_every_package_with_its_hash(tmp_path: Path, of: str) -> None:
    made = tmp_path / "bom.json"
    requirements = ROOT / "requirements" / f"{of}.txt"
    words = ["requirements", "--pyproject", "pyproject.toml", "--output-file", made, requirements]
    done = tool("cyclonedx-py", *words)
    assert done.returncode == 0, done.stderr
    bom = json.loads(made.read_text())
    wanted = re.findall(r"^([a-z0-9-]+)==", requirements.read_text(), re.MULTILINE)
    assert {part["name"] for part in bom["components"]} == set(wanted)
    for part in bom["components"]:
        assert any("hashes" in reference for reference in part["externalReferences"]), part["name"]


def test_the_jobs_of_the_workflow_may_only_read() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    assert {str(job["permissions"]) for job in workflow["jobs"].values()} == {"{'contents': 'read'}"}


def test_an_action_without_a_hash_and_a_wrong_key_are_found(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    file = folder / "ci.yml"
    file.write_text(re.sub(r"checkout@\w+ # \S+", "checkout@v4", WORKFLOW.read_text()))
    assert "unpinned-uses" in tool("zizmor", "--offline", "--format", "plain", folder).stdout
    file.write_text(WORKFLOW.read_text().replace("runs-on:", "runs:"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", file).returncode == 1


def test_a_wrong_key_in_compose_and_a_bad_line_in_a_dockerfile_are_found(tmp_path: Path) -> None:
    compose, dockerfile = tmp_path / "docker-compose.yml", tmp_path / "Dockerfile"
    compose.write_text((ROOT / "docker-compose.yml").read_text().replace("restart:", "restarts:"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose).returncode == 1
    dockerfile.write_text("FROM debian\nRUN cd /tmp && sudo ls\n")
    assert {"DL3004", "DL3006"} <= set(re.findall(r"DL\d+", tool("hadolint", dockerfile).stdout))
