"""The containers: built once, brought up under a separate name, taken down with their volumes."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WORKERS = 3
PROGRAMS = ("redis", "gateway", "worker", "upkeep")


@dataclass(frozen=True)
class Compose:
    """One Compose project. Its gateway's port is one that the engine chose."""

    project: str = field(default_factory=lambda: f"rowcast-test-{uuid4().hex[:8]}")
    chunk_rows: int = 3_000

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Runs `docker compose WORDS` and answers what it prints."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.project, *words],
            cwd=ROOT,
            env={
                **os.environ,
                "ROWCAST_PORT": "0",
                "ROWCAST_PROMETHEUS_PORT": "0",
                "ROWCAST_DEBIAN": "python:3.13-slim-trixie",  # Debian as well, and an image that is there
                "ROWCAST_CHUNK_ROWS": str(self.chunk_rows),
                "ROWCAST_WORKER_PROCESSES": "1",
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-6000:]}"
        return done.stdout

    def up(self, *, build: bool = False) -> None:
        """Everything is there and healthy, with all workers, after a run of `train`."""
        self("up", *(["--build"] if build else []), "--detach", "--wait", "--scale", f"worker={WORKERS}")

    def scale(self, workers: int) -> None:
        """The programs are there and healthy, with this number of workers. `train` is not run again."""
        self("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"worker={workers}", *PROGRAMS)

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """What the engine knows of the services' containers, of those that have ended, too."""
        ids = self("ps", "--all", "--quiet", *services).split()
        return json.loads(docker("inspect", *ids))

    def restarts(self, container: dict[str, Any]) -> int:
        """Returns how often the engine has started this container again."""
        return int(docker("inspect", "--format", "{{.RestartCount}}", container["Id"]))

    def python(self, service: str, program: str) -> str:
        """Returns what a Python program prints in one of the service's containers."""
        return self("exec", "--no-TTY", service, "python", "-", stdin=program).strip()

    def events(self, container: dict[str, Any], name: str, job: str | None = None) -> list[dict[str, Any]]:
        """The lines called `name` in the container's log, of its whole life; those of one job."""
        lines = [json.loads(line) for line in docker("logs", container["Id"]).splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name and job in (None, line.get("job"))]

    @property
    def url(self) -> str:
        return f"http://{self('port', 'gateway', '5000').strip()}"


def docker(*words: str) -> str:
    """Runs `docker WORDS` and answers what it prints on stdout and stderr."""
    return subprocess.run(
        ["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout


def _missing() -> str | None:
    """Returns what these tests lack on this machine, or None."""
    if shutil.which("docker") is None:
        return "there is no docker command here"
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        return "docker has no compose here"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no Docker engine answers here (docker info)"
    return None


@pytest.fixture(scope="package")
def compose() -> Iterator[Compose]:
    """The service with three workers of one process each, and chunks so small that there is work for all."""
    if missing := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing}, and CI must test the containers")
        pytest.skip(f"{missing}: the containers are not tested")
    project = Compose()
    try:
        project.up(build=True)
        yield project
    finally:
        project("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5")


@pytest.fixture(scope="package")
def slow(compose: Compose) -> None:
    """Registers the model `slow`, in the image of the workers."""
    program = Path(__file__).with_name("slow_model.py").read_text()
    compose("run", "--rm", "--no-TTY", "train", "python", "-", stdin=program)


@pytest.fixture
def client(compose: Compose) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=compose.url, verify=False, timeout=120) as client:
        yield client
