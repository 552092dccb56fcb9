"""A job by URL that a bucket holds at each stage of its work, for what kills the programs meanwhile."""

import io
import json
from contextlib import closing

import numpy as np
import pandas as pd
import psutil
from buckets import Bucket, Fault
from programs import Stack, until

from rowcast.jobs.chunk_tables import CONVERSION, FIRST_RANGE
from rowcast.jobs.records.redis_keys import key
from rowcast.storage import Storage

STAGES = {
    "scan of a range": (FIRST_RANGE + 1, "GET", "/in/kills/2.csv"),
    "merge of the scans": (CONVERSION, "PUT", "/spans/"),
    "writing of a part": (3, "PUT", "/out/kills/part-0000003.csv"),
    "writing of the manifest": (CONVERSION, "PUT", "/out/kills/manifest.json"),
}
"""The stages in their order: the chunk whose lease has the work, and the request in which a bucket holds it."""


def lay_files(bucket: Bucket, rows: int) -> list[pd.DataFrame]:
    """Writes two files whose notes have line ends and quotes. Returns what a script reads of them."""
    random = np.random.default_rng(3)
    inside, frames = Storage(f"{bucket.location}/in"), []
    for name in ("1.csv", "2.csv"):
        notes = random.choice(["two\nlines", 'a "quote", a comma', "\n\n", "x" * 200], rows)
        frame = pd.DataFrame({"age": random.integers(1, 80, rows), "note": notes})
        inside.put(f"kills/{name}", frame.to_csv(index=False).encode())
        frames.append(frame)
    return frames


def request(bucket: Bucket, model: str) -> dict[str, object]:
    """Returns the request of the job. It may be sent again."""
    urls = {"input_url": f"{bucket.location}/in/kills/*.csv", "output_url": f"{bucket.location}/out/kills/"}
    return {"model": model, **urls, "overwrite": True}


def hold(bucket: Bucket, stage: str) -> Fault:
    """Lets work stand still at a stage, and no longer at the one before it."""
    _, method, path = STAGES[stage]
    before, bucket.fault = bucket.fault, Fault(method=method, path=path)
    before.ended.set()
    return bucket.fault


def wait_until_held(fault: Fault, times: int = 1) -> None:
    """Waits until work stands still, or does so again."""
    until(lambda: fault.met >= times, f"work stands still at {fault.path}")


def let_go(bucket: Bucket) -> Fault:
    """Lets work go on."""
    bucket.fault.ended.set()
    return bucket.fault


def kill_holder(stack: Stack, id: str, stage: str) -> None:
    """Kills the process that has the work of a stage."""
    with closing(stack.redis) as redis:
        lease = redis.hget(key("leases"), f"{id}/{STAGES[stage][0]}")
    assert lease, f"nothing works on the {stage}"
    psutil.Process(int(lease.decode().rpartition("/")[2])).kill()


def output_of(bucket: Bucket) -> tuple[list[pd.DataFrame], dict]:
    """Returns each part of the output in order, and the manifest."""
    outside = Storage(f"{bucket.location}/out/kills")
    manifest = json.loads(outside.get("manifest.json"))
    names = [file["name"] for file in manifest["files"]]
    assert sorted(name for name, _ in outside.entries("")) == ["manifest.json", *names], "there is something else"
    return [pd.read_csv(io.BytesIO(outside.get(name))) for name in names], manifest
