"""The containers, for real: built from this checkout, three workers, one file."""

import io
import json
from pathlib import Path

import httpx
import pytest
from people import AGES, assert_whole, begun, ended, people, progress, submit
from programs import until

from rowcast.models.loading.load import load
from rowcast.models.registry import Registry
from rowcast.secret_files import PREFIX
from rowcast.settings import Settings
from rowcast.storage import Storage

pytestmark = [
    pytest.mark.timeout(600),  # the first test builds the images
    pytest.mark.xdist_group("compose"),
]

ROWS = 90_000


def test_a_row_is_predicted(client):
    answer = client.post("/predict", json={"features": [25, 3]}, params={"wait": "60"})
    assert answer.status_code == 200
    assert answer.json()["prediction"] == 0


def test_three_workers_share_one_file_and_the_answer_is_that_of_one_process(compose, client, trained: Path):
    body = people(ROWS)
    job = ended(client, submit(client, body)["id"])
    assert job["status"] == "succeeded"
    assert job["progress"]["rows_done"] == job["progress"]["rows_total"] == ROWS

    scored = [compose.events(worker, "chunk_scored", job["id"]) for worker in compose.containers("worker")]
    assert len(scored) == 3
    assert all(scored), [len(lines) for lines in scored]
    chunks = sorted(line["chunk"] for lines in scored for line in lines)
    assert chunks == list(range(len(chunks))), "a chunk was scored twice or not at all"
    assert len(chunks) >= ROWS / compose.chunk_rows

    registry = Registry(Storage(str(trained)))
    estimator = load(registry, registry.resolve("titanic"), "warn").estimator
    import pandas as pd

    table = pd.read_csv(io.BytesIO(body), usecols=["age", "pclass"])
    predicted = estimator.predict(table[["age", "pclass"]])
    lines = body.decode().splitlines()
    wanted = [f"{lines[0]},prediction", *(f"{line},{value}" for line, value in zip(lines[1:], predicted, strict=True))]
    assert client.get(f"/jobs/{job['id']}/result").text.splitlines() == wanted


def test_what_runs_is_confined(compose):
    containers = compose.containers()
    assert {container["Config"]["Labels"]["com.docker.compose.service"] for container in containers} == {
        "redis", "train", "gateway", "worker", "upkeep",
    }  # fmt: skip
    for container in containers:
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], container["Name"]
        assert host["CapDrop"] == ["ALL"], container["Name"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"], container["Name"]
        assert container["Config"]["User"] in ("10001:10001", "redis"), container["Name"]


@pytest.mark.parametrize("service", ["gateway", "worker", "upkeep"])
def test_a_program_is_nobody_and_writes_its_volumes_alone(compose, service: str):
    program = """
import errno, os, pathlib
print(os.getuid(), end=" ")
for folder in ("/", "/app", "/data", "/data/store"):
    try:
        pathlib.Path(folder, ".written").touch()
        pathlib.Path(folder, ".written").unlink()
        print(folder, end=" ")
    except OSError as error:
        assert error.errno in (errno.EROFS, errno.EACCES), error
"""
    assert compose.python(service, program) == "10001 /data/store"


def test_a_worker_reads_models_and_writes_none(compose):
    writes = "import pathlib; pathlib.Path('/data/models/.written').touch()"
    with pytest.raises(AssertionError, match="Read-only file system"):
        compose.python("worker", writes)


def test_models_are_signed_by_a_key_that_only_workers_read(compose, client):
    program = """
import pathlib
from rowcast.models.registry import Registry
from rowcast.storage import Storage
print(Registry(Storage("/data/models")).resolve("titanic").signature is not None, end=" ")
print(pathlib.Path("/data/keys/model-key").exists())
"""
    assert compose.python("worker", program) == "True True"
    assert compose.python("gateway", program) == "True False"
    assert [line["signed"] for line in compose.events(compose.containers("train")[0], "model_key_made")] == [0]
    with pytest.raises(AssertionError, match="Read-only file system"):
        compose.python("worker", "import pathlib; pathlib.Path('/data/keys/model-key').write_text('another')")


def test_a_model_that_the_gateway_writes_into_the_registry_is_not_opened(compose, client):
    forge = """
from rowcast.models.registry import Registry
from rowcast.storage import Storage
registry = Registry(Storage("/data/models"))
own = {"name", "version", "sha256", "created_at", "signature", "code", "golden"}
draft = registry.resolve("titanic").model_dump(exclude=own, exclude_unset=True)
registry.register("forged", b"not even a pickle", draft)
"""
    compose.python("gateway", forge)
    try:
        refused = client.post("/predict", json={"features": [25, 3], "model": "forged"}, params={"wait": "60"})
        assert "The manifest of forged@1 has no signature; the model is not opened." in refused.text
    finally:
        compose("exec", "--no-TTY", "gateway", "rm", "-r", "/data/models/forged")


def test_only_the_gateway_is_published_and_on_loopback_alone(compose):
    published = {
        container["Config"]["Labels"]["com.docker.compose.service"]: {
            address["HostIp"] for bound in container["NetworkSettings"]["Ports"].values() for address in bound or []
        }
        for container in compose.containers()
    }
    assert published.pop("gateway") == {"127.0.0.1"}
    assert not any(published.values()), published


def test_the_gateways_image_has_neither_scikit_learn_nor_pandas_nor_numba(compose):
    names = ("sklearn", "pandas", "numba", "flask")
    program = f"from importlib.util import find_spec; print([bool(find_spec(name)) for name in {names}])"
    assert compose.python("gateway", program) == "[False, False, False, True]"


def test_the_workers_image_lacks_only_what_no_worker_can_use(compose):
    """Each public module of the libraries that models are made of is imported, in the image."""
    program = """
import importlib, importlib.util, pathlib, pkgutil, warnings
warnings.simplefilter("ignore")
import numba, numpy, pandas, pyarrow, scipy, sklearn
found = {*pathlib.Path(numpy.__file__).parents[1].glob("**/tests")}
for name in ("numpy.testing", "pandas.testing", "numba.extending", "sklearn.utils.estimator_checks"):
    importlib.import_module(name)
for library in (scipy, sklearn):
    for name in library.__all__:
        if not name.startswith("_") and importlib.util.find_spec(f"{library.__name__}.{name}"):
            importlib.import_module(f"{library.__name__}.{name}")
optional = {"conftest", "cuda", "jvm", "cffi"}  # pytest, a graphics card, Java and cffi are not there before either
for library in (numpy, pandas, pyarrow):
    for module in pkgutil.iter_modules(library.__path__):
        if not module.name.startswith("_") and module.name not in optional:
            importlib.import_module(f"{library.__name__}.{module.name}")
print([str(folder) for folder in found if folder.is_dir()], end=" ")
print(importlib.util.find_spec("pyarrow.flight"))
from pyarrow import dataset, parquet
table = pyarrow.table({"a": [1, 2]})
parquet.write_table(table, "/tmp/t.parquet")
print(dataset.dataset("/tmp/t.parquet").to_table().equals(table), end=" ")
print(pandas.read_parquet("/tmp/t.parquet").a.sum(), end=" ")
print(numba.njit(lambda number: number + 1)(1))
"""
    assert compose.python("worker", program) == "[] None\nTrue 3 2"


def test_workers_use_the_fast_path_without_compiling(compose, client):
    job = ended(client, submit(client, people(3 * compose.chunk_rows))["id"])
    workers = compose.containers("worker")
    scored = [line for worker in workers for line in compose.events(worker, "chunk_scored", job["id"])]
    assert scored
    assert all(line["fast_path"] for line in scored)
    assert not any(compose.events(worker, "functions_compiled") for worker in workers)


def test_the_gateways_image_has_the_documentation(client):
    for path in ("/docs/quickstart", "/docs/quickstart.md", "/docs/pictures/page-job.png"):
        assert client.get(path).status_code == 200, path


def test_prometheus_of_the_profile_reads_the_gateway_by_both_paths(compose):
    compose("--profile", "metrics", "up", "--build", "--detach", "--no-deps", "prometheus")
    (container,) = compose.containers("prometheus")
    assert container["HostConfig"]["ReadonlyRootfs"]
    with httpx.Client(base_url=f"http://{compose('port', 'prometheus', '9090').strip()}") as http:

        def values(expression: str) -> list[str]:
            try:
                found = http.get("/api/v1/query", params={"query": expression}).json()["data"]["result"]
            except httpx.TransportError:
                return []  # it starts
            return [one["value"][1] for one in found]

        until(lambda: values("sum(up)") == ["2"], "both paths were read")
        until(lambda: values("rowcast:workers") == ["3"], "the rules were evaluated")
    compose("rm", "--stop", "--force", "prometheus")


def test_every_setting_can_be_given_to_the_programs(compose):
    services = json.loads(compose("config", "--format", "json"))["services"]
    for name in ("gateway", "worker", "upkeep"):
        missing = {PREFIX + field.upper() for field in Settings.model_fields} - set(services[name]["environment"])
        assert missing <= {"ROWCAST_OPEN", "ROWCAST_GENERATED_MODEL_KEY_FILE"}, (name, missing)


def test_running_chunks_end_at_a_stop_and_jobs_go_on_in_new_containers(compose, client, slow):
    whole = ended(client, submit(client, people(10))["id"])
    result = client.get(f"/jobs/{whole['id']}/result").content
    models = client.get("/models").json()
    assert [model["versions"] for model in models["models"] if model["name"] == "titanic"] == [["1"]]
    rows = 15 * compose.chunk_rows
    id = submit(client, people(rows, AGES[:-1]), model="slow")["id"]
    done = begun(client, id)

    compose("stop", "worker")
    workers = compose.containers("worker")
    assert [worker["State"]["Status"] for worker in workers] == ["exited"] * 3
    assert [worker["State"]["ExitCode"] for worker in workers] == [0] * 3, "SIGKILL gives 137"
    assert not any(compose.events(worker, "leases_released") for worker in workers)
    assert done < progress(client, id) < rows, "no chunk was at work when the signal came"
    scored = [line for worker in workers for line in compose.events(worker, "chunk_scored", id)]

    compose("down")
    compose.up()
    with httpx.Client(base_url=compose.url, verify=False, timeout=120) as again:
        assert again.get(f"/jobs/{whole['id']}").json() == whole
        assert again.get(f"/jobs/{whole['id']}/result").content == result
        assert again.get("/models").json() == models, "training the default model again has changed something"
        assert_whole(again, id, rows)
    scored += [line for worker in compose.containers("worker") for line in compose.events(worker, "chunk_scored", id)]
    assert sum(line["rows"] for line in scored) == rows, "a chunk was done twice"
    assert all(line["attempt"] == 1 for line in scored), "a chunk was broken off and begun again"
