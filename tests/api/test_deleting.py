"""Calls that race with `DELETE`: each finds the job as it was, or gone; none gets a 404 as if it had never existed."""

import threading
from concurrent.futures import ThreadPoolExecutor

from programs import Stack, http_client

CALLS = (
    ("POST", "/cancel"),
    ("DELETE", ""),
    ("POST", "/retry"),
    ("GET", ""),
    ("DELETE", ""),
    ("GET", "/result"),
    ("GET", "/errors"),
    ("GET", "/events"),
)
ALLOWED = {200, 202, 204, 409, 410}


def test_no_call_that_races_with_a_delete_answers_404(gateway: Stack) -> None:
    with (
        http_client(gateway.url, timeout=30) as http,
        ThreadPoolExecutor(len(CALLS)) as pool,
    ):
        for _ in range(25):
            made = http.post("/predict", content=b"age,pclass\n25,3\n", headers={"Content-Type": "text/csv"})
            here = made.headers["Location"]
            at_once = threading.Barrier(len(CALLS))

            def call(what: tuple[str, str], here: str = here, at_once: threading.Barrier = at_once) -> int:
                method, path = what
                at_once.wait(10)
                return http.request(method, here + path).status_code

            statuses = list(pool.map(call, CALLS))
            assert set(statuses) <= ALLOWED, statuses
            assert sorted(
                status for status, (method, _) in zip(statuses, CALLS, strict=True) if method == "DELETE"
            ) == [
                204,
                410,
            ], "one deletes it, the other gets 410"
            assert {http.request(method, here + path).status_code for method, path in CALLS} == {410}
