"""The faults after which `recovery.py` measures how long it takes until work goes on.

Each does its worst, and returns when (by `monotonic`) things were as they should be again.
"""

from time import monotonic, sleep

import psutil
from buckets import Bucket
from programs import Stack
from proxy import Proxy

AWAY_SECONDS = 20
WORKERS = ("first", "second")


def kill_worker_process(stack: Stack, _: Proxy) -> float:
    stack.worker_processes("first")[0].kill()
    return monotonic()


def kill_worker(stack: Stack, _: Proxy) -> float:
    stack.supervised["first"].kill()
    return monotonic()


def kill_all_workers(stack: Stack, _: Proxy) -> float:
    for name in WORKERS:
        stack.supervised[name].kill()
    return monotonic()


def ask_worker_to_stop(stack: Stack, _: Proxy) -> float:
    psutil.Process(stack.supervised["first"].pid).terminate()
    return monotonic()


def stop_redis(stack: Stack, _: Proxy) -> float:
    stack.server.stop()
    stack.server.start()
    return monotonic()


def kill_redis(stack: Stack, _: Proxy) -> float:
    stack.server.kill()
    stack.server.start()
    return monotonic()


def freeze_redis(stack: Stack, _: Proxy) -> float:
    with stack.server.frozen():
        sleep(AWAY_SECONDS)
    return monotonic()


def cut_connections(stack: Stack, _: Proxy) -> float:
    stack.redis.client_kill_filter(_type="normal")
    return monotonic()


def swallow_packets(stack: Stack, proxy: Proxy) -> float:
    proxy.swallow()
    sleep(AWAY_SECONDS)
    proxy.forward()
    return monotonic()


def kill_gateway(stack: Stack, _: Proxy) -> float:
    stack.supervised["gateway"].kill()
    return monotonic()


def lose_bucket(bucket: Bucket) -> float:
    with bucket.out():
        sleep(AWAY_SECONDS)
    return monotonic()


def hang_bucket(bucket: Bucket) -> float:
    with bucket.broken():
        sleep(AWAY_SECONDS)
    return monotonic()


def throttle_bucket(bucket: Bucket) -> float:
    with bucket.broken(status=503, code="SlowDown"):
        sleep(AWAY_SECONDS)
    return monotonic()


def expire_credentials(bucket: Bucket) -> float:
    with bucket.broken(status=400, code="ExpiredToken"):
        sleep(AWAY_SECONDS)
    return monotonic()
