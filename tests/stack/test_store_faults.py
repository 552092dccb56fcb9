"""What happens when the store loses what it was given, is full, or cannot be written: no row is lost or wrong."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from metrics import samples, total
from programs import NO_OVERRIDE, Stack, until
from scored import CSV, WANTED, assert_whole, submit, wait


def file_of(stack: Stack, id: str, name: str) -> Path:
    return stack.store / "jobs" / id / name


def done(stack: Stack, http: httpx.Client, body: bytes = CSV) -> str:
    """A job that has ended, after its worker was started."""
    stack.start_worker()
    id = submit(http, "fixed", body)
    assert wait(http, id)["status"] == "succeeded"
    return id


def spoil(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut": content[:-3], "changed": content[:-2] + b"x\n"}[how])


def test_parts_that_are_bad_are_made_again(kept_stack: Stack, http: httpx.Client) -> None:
    id = done(kept_stack, http)
    before = http.get(f"/jobs/{id}").json()
    for number, how in ((0, "gone"), (0, "changed"), (5, "cut"), (9, "gone")):
        spoil(file_of(kept_stack, id, f"parts/{number:07d}"), how)
        assert http.get(f"/jobs/{id}/result").content == WANTED
    assert http.get(f"/jobs/{id}").json() == before, "nothing was counted again"
    assert_whole(kept_stack, http, id)


def test_a_part_that_no_worker_makes_again_is_503_and_never_wrong(kept_stack: Stack, http: httpx.Client) -> None:
    id = done(kept_stack, http)
    kept_stack.stop("worker")
    spoil(file_of(kept_stack, id, "parts/0000000"), "changed")
    answer = http.get(f"/jobs/{id}/result")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    kept_stack.start_worker("second")
    until(lambda: http.get(f"/jobs/{id}/result").status_code == 200, "it was made again")
    assert_whole(kept_stack, http, id)


def test_a_list_of_bad_rows_that_is_gone_is_made_again(kept_stack: Stack, http: httpx.Client) -> None:
    id = done(kept_stack, http, CSV.replace(b"\n17\n", b"\nx\n", 1))
    errors = http.get(f"/jobs/{id}/errors").content
    assert errors.count(b"\n") == 2
    spoil(file_of(kept_stack, id, "errors/0000000"), "gone")
    assert http.get(f"/jobs/{id}/errors").content == errors


def test_a_part_whose_input_is_gone_too_is_lost_and_says_so(kept_stack: Stack, http: httpx.Client) -> None:
    id = done(kept_stack, http)
    for folder in ("parts", "input"):
        file_of(kept_stack, id, f"{folder}/0000000").unlink()
    answer = http.get(f"/jobs/{id}/result")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:rowcast:problem:result-lost")
    assert "Send the file again" in answer.json()["detail"]
    http.delete(f"/jobs/{id}")


def test_an_input_that_is_bad_fails_the_job_and_names_the_rows(kept_stack: Stack, http: httpx.Client) -> None:
    ids = [submit(http, "fixed"), submit(http, "fixed")]
    for id, how in zip(ids, ("gone", "cut"), strict=True):
        spoil(file_of(kept_stack, id, "input/0000003"), how)
    kept_stack.start_worker()
    for id in ids:
        job = wait(http, id)
        assert job["status"] == "failed"
        assert "(rows 193 to 256)" in job["error"]["detail"]
        http.delete(f"/jobs/{id}")


@pytest.fixture
def small_disk(kept_stack: Stack) -> Iterator[Path]:
    """The store on a separate file system of one MiB."""
    kept_stack.store.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(kept_stack.store)], check=True)
    yield kept_stack.store
    subprocess.run(["umount", "--lazy", str(kept_stack.store)], check=True)  # the programs still run


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Fills the disk except for this number of bytes."""
    file = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    file.write_bytes(bytes(free - leave_bytes))
    return file


def test_a_full_disk_refuses_uploads_and_leaves_nothing_behind(
    kept_stack: Stack, small_disk: Path, http: httpx.Client
) -> None:
    kept_stack.start_worker()
    ballast = fill(small_disk, leave_bytes=16 * 1024)
    answer = http.post("/predict?model=fixed", content=CSV, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), answer.text
    assert answer.json()["detail"] == "The store has no space left."
    assert kept_stack.files() == []
    assert http.get("/jobs").json()["jobs"] == []
    seen = samples(http, "/metrics?all=true")
    assert total(seen, "rowcast_gateway_store_errors_total") >= 1
    assert total(seen, "rowcast_store_free_bytes") <= 16 * 1024 < 2**20 == total(seen, "rowcast_store_size_bytes")
    assert http.get("/health").status_code == 200
    ballast.unlink()
    assert_whole(kept_stack, http, submit(http, "fixed"))


def test_a_disk_that_fills_while_a_job_runs_puts_its_chunks_off(
    kept_stack: Stack, small_disk: Path, http: httpx.Client
) -> None:
    id = submit(http, "fixed")
    ballast = fill(small_disk)
    kept_stack.start_worker()
    until(lambda: "work_postponed" in kept_stack.log("worker"), "a part cannot be stored")
    assert http.get("/ready").json()["checks"]["store"]["ok"] is False
    assert total(samples(http), "rowcast_store_errors_total", program="worker") >= 1
    assert "The store has no space left." in http.get(f"/jobs/{id}/log").text
    ballast.unlink()
    assert_whole(kept_stack, http, id)


def test_a_store_that_may_only_be_read_still_gives_results_and_refuses_uploads(
    kept_stack: Stack, small_disk: Path, http: httpx.Client
) -> None:
    id = done(kept_stack, http)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_whole(kept_stack, http, id)
    assert http.post("/predict?model=fixed", content=CSV, headers={"Content-Type": "text/csv"}).status_code == 503
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert_whole(kept_stack, http, submit(http, "fixed"))


@pytest.fixture
def without_override(own_stack: Stack) -> None:
    """Root's programs are held to the permissions of files as everybody's are."""
    if os.geteuid() == 0:
        own_stack.wrapper = NO_OVERRIDE


def test_work_waits_for_a_store_without_permission_until_it_may_be_used(
    own_stack: Stack, without_override: None, http: httpx.Client
) -> None:
    id = submit(http, "fixed")
    own_stack.store.chmod(0)
    own_stack.start_worker()
    until(lambda: "work_postponed" in own_stack.log("worker"), "the input cannot be read")
    for method, path in (("POST", "/predict?model=fixed"), ("DELETE", f"/jobs/{id}")):
        answer = http.request(method, path, content=CSV, headers={"Content-Type": "text/csv"})
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), answer.text
    assert "Permission denied" in own_stack.log("gateway")
    own_stack.store.chmod(0o700)
    assert_whole(own_stack, http, id)
    own_stack.store.chmod(0)
    assert http.get(f"/jobs/{id}/result").status_code == 503
    own_stack.store.chmod(0o700)
    assert_whole(own_stack, http, id)
    assert [job["id"] for job in http.get("/jobs").json()["jobs"]] == [id], "what was refused is not there"


def test_a_store_whose_folder_is_gone_loses_no_record_and_takes_new_work(kept_stack: Stack, http: httpx.Client) -> None:
    id = submit(http, "fixed")
    shutil.rmtree(kept_stack.store)
    kept_stack.start_worker()
    job = wait(http, id)
    assert (job["status"], "missing from the store" in job["error"]["detail"]) == ("failed", True)
    http.delete(f"/jobs/{id}")
    assert_whole(kept_stack, http, submit(http, "fixed"))
