"""Which service, and which data, a command means if it does not say so."""

import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fake_service import FakeService

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.local import running_services
from rowcast.local.running_services import Instance, instance_at, publish_instance, running_instances

Announce = Callable[..., Path]


@pytest.fixture
def announce(tmp_path: Path) -> Announce:
    """Announces a service, as `rowcast up` does; it is not there, only its notes are."""
    with ExitStack() as at_end:

        def begin(name: str, **changes: str) -> Path:
            data = tmp_path / name
            data.mkdir()
            at_end.enter_context(publish_instance(replace(instance(data), **changes)))
            return data

        yield begin


def instance(data: Path) -> Instance:
    return Instance(
        url=f"http://127.0.0.1:5000/{data.name}",
        data=str(data),
        redis_url="redis://127.0.0.1:1/0",
        models=str(data / "models"),
        store=str(data / "store"),
        api_keys_file=None,
        logs=str(data / "logs"),
        pid=1,
    )


@pytest.fixture
def train(rowcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trains a model in a separate folder."""
    file = tmp_path / "people.csv"
    file.write_text("age,survived\n" + "".join(f"{age},{int(age < 40)}\n" for age in range(80)))
    monkeypatch.chdir(tmp_path)
    words = ["--target", "survived", "--name", "people", "--estimator", "logistic_regression"]
    return lambda *more: rowcast("train", "--data", file, *words, *more)


def test_a_model_goes_to_the_service_that_runs(rowcast, train, announce: Announce) -> None:
    data = announce("one")
    done = train("--alias", "production")
    place = f"{data} (the service at http://127.0.0.1:5000/one)"
    assert done.stderr.decode().splitlines()[-1] == f"Registered people@1, people@production in {place}."
    assert (data / "models" / "people" / "1" / "manifest.json").is_file()
    listed = rowcast("models", "list")
    assert (listed.stdout, listed.stderr.decode()) == (b"people\t1\tlatest=1 production=1\n", f"Models in {place}:\n")
    assert place in rowcast("models", "alias", "people", "staging", "1").stderr.decode()
    assert place in rowcast("models", "rm", "people", "--yes", "--force").stderr.decode()


def test_without_a_service_it_goes_to_the_current_folder(rowcast, train, tmp_path: Path) -> None:
    place = f"{tmp_path}/.rowcast (no service is running there)"
    assert train().stderr.decode().endswith(f"Registered people@1 in {place}.\n")
    assert (tmp_path / ".rowcast" / "models" / "people" / "1" / "manifest.json").is_file()
    assert rowcast("models", "list", "--data", "elsewhere", "--json").stdout == b"[]\n"


def test_with_several_services_one_has_to_be_chosen(rowcast, train, announce: Announce) -> None:
    one, other = announce("one"), announce("other")
    listed = f":\n  http://127.0.0.1:5000/one  {one}\n  http://127.0.0.1:5000/other  {other}\n"
    for command, option in (
        (["models", "list"], "--data"),
        (["models", "show", "m"], "--data"),
        (["audit"], "--data"),
        (["keys", "list"], "--data"),
        (["jobs"], "--data or --url"),
    ):
        done = rowcast(*command)
        assert done.returncode == 2, command
        assert done.stderr.decode() == f"rowcast: Several services are running. Choose one with {option}{listed}"
    assert b"Choose one with --data-dir" in train().stderr
    assert train("--data-dir", other).stdout == b"people@1\n"
    assert (other / "models" / "people").is_dir()
    assert not (one / "models").exists()
    for option in ("--data", "--data-dir"):
        assert rowcast("models", "list", option, other).stdout == b"people\t1\tlatest=1\n"


def test_a_registry_that_is_named_wins(rowcast, announce: Announce, tmp_path: Path, monkeypatch) -> None:
    announce("one")
    monkeypatch.setenv("ROWCAST_MODELS", str(tmp_path / "named"))
    assert rowcast("models", "list").returncode == 0
    assert (tmp_path / "named").is_dir()
    assert not (tmp_path / "one" / "models").exists()


def test_the_audit_finds_the_redis_of_the_service(rowcast, announce: Announce, redis: RedisClient, redis_url) -> None:
    data = announce("one", redis_url=redis_url)
    done = rowcast("audit")
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode().startswith(f"Auditing {data} (the service at http://127.0.0.1:5000/one).\n")
    assert rowcast("audit", "--data", data).returncode == 0


def test_keys_go_into_the_file_of_the_service(rowcast, announce: Announce, tmp_path: Path) -> None:
    announce("one", api_keys_file=str(tmp_path / "keys"))
    assert rowcast("keys", "new", "alice").returncode == 0
    assert rowcast("keys", "list").stdout.startswith(b"alice\tuser\t")
    assert (tmp_path / "keys").is_file()


def test_a_service_without_api_keys_is_named_in_the_error(rowcast, announce: Announce) -> None:
    announce("one")
    done = rowcast("keys", "new", "alice")
    assert done.returncode == 2
    assert b"/one has no" in done.stderr
    assert b"--file" in done.stderr


def test_jobs_are_those_of_the_service_that_runs(
    rowcast, announce: Announce, service: FakeService, monkeypatch
) -> None:
    monkeypatch.delenv("ROWCAST_URL")
    data = announce("one", url=service.url)
    assert rowcast("jobs").returncode == 0
    assert service.seen
    announce("other")
    assert rowcast("jobs", "--data", data).returncode == 0
    stopped = rowcast("jobs", "--data", "stopped here")
    assert stopped.returncode == 3
    assert re.search(
        rb"No service is running on .*\. Start it with `rowcast up --data '.*/stopped here'`", stopped.stderr
    )


def test_what_a_killed_service_left_is_ignored_and_removed(announce: Announce, tmp_path: Path) -> None:
    data = announce("one")
    note = data / running_services.NOTE
    assert note.stat().st_mode & 0o777 == 0o600
    assert [one.data for one in running_instances()] == [str(data)]
    shutil.copy(note, tmp_path / "left")
    (tmp_path / "left").replace(note)  # no process holds the lock of this one
    assert running_instances() == []
    assert not note.exists()
    assert not list(running_services._pointers().iterdir())


def test_the_notes_go_with_the_service(tmp_path: Path) -> None:
    with publish_instance(instance(tmp_path)):
        assert instance_at(tmp_path) == instance(tmp_path)
    assert instance_at(tmp_path) is None
    assert running_instances() == []
    assert not (tmp_path / running_services.NOTE).exists()


def test_what_another_version_wrote_is_ignored(announce: Announce) -> None:
    data = announce("one")
    (data / running_services.NOTE).write_text("{}")  # into the same file: its lock is held
    assert running_instances() == []


def test_a_home_folder_that_cannot_be_written_is_no_obstacle(announce: Announce, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    data = announce("one")
    assert running_instances() == []
    assert instance_at(data)
