"""The rehearsal of docs/operations.md: a backup of a service that works, the loss of everything, and the way back."""

import shutil
from contextlib import closing
from pathlib import Path

import httpx
from programs import Stack, http_client, kill_group, until
from scored import ROWS, assert_whole, submit, wait

UNFINISHED = shutil.ignore_patterns("*#*")


def rows_done(http: httpx.Client, id: str) -> int:
    return http.get(f"/jobs/{id}").json()["progress"]["rows_done"]


def back_up_redis(stack: Stack, target: Path) -> None:
    """Copies the folder of Redis's file, while no rewrite can replace what is in it."""
    with closing(stack.redis) as redis:
        redis.config_set("auto-aof-rewrite-percentage", 0)  # type: ignore[attr-defined]
        until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"], "no rewrite goes on")
        shutil.copytree(stack.server.folder / "appendonlydir", target)
        redis.config_set("auto-aof-rewrite-percentage", 100)  # type: ignore[attr-defined]


def lose_everything(stack: Stack) -> None:
    for name in list(stack.processes):
        kill_group(stack.processes.pop(name))
    stack.server.kill()
    shutil.rmtree(stack.server.folder / "appendonlydir")
    shutil.rmtree(stack.store)


def test_a_service_that_lost_everything_comes_back_from_a_backup_of_its_work(
    own_stack: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    own_stack.start_worker()
    done = submit(http, "fixed")
    wait(http, done)
    row = http.post("/predict?wait=60", json={"model": "fixed", "features": [40]})
    running = submit(http, "slow")
    until(lambda: rows_done(http, running), "a chunk is done")

    counted = rows_done(http, running)
    back_up_redis(own_stack, tmp_path / "redis")
    assert rows_done(http, running) < ROWS, "the job has not ended in the backup"
    later = submit(http, "fixed")  # between the two copies: its record is not in the backup, but its files are
    wait(http, later)
    shutil.copytree(own_stack.store, tmp_path / "store", ignore=UNFINISHED)

    lose_everything(own_stack)
    shutil.copytree(tmp_path / "redis", own_stack.server.folder / "appendonlydir")
    shutil.copytree(tmp_path / "store", own_stack.store)
    own_stack.server.start()
    own_stack.start_gateway()
    own_stack.start_upkeep()
    with http_client(own_stack.url, timeout=90) as again:
        assert rows_done(again, done) == ROWS
        assert rows_done(again, running) >= counted, "what was counted is not done again"
        until(lambda: again.get(f"/jobs/{later}").status_code == 200, "upkeep has found it in the store")
        own_stack.start_worker("second")
        for id in (done, running, later):
            assert_whole(own_stack, again, id)
        assert again.get(f"/jobs/{row.json()['job']}").json()["status"] == "succeeded"
    own_stack.audit()
