"""Requests that are refused, and the check of the problem that answers each."""

import httpx

from rowcast.errors import Gone, NotFound, Refused, RowcastError, Unprocessable, WrongState

GOOD = b"age,pclass\n25,3\n"
GENERAL = {kind.problem_type() for kind in (RowcastError, Refused, Unprocessable, NotFound, WrongState, Gone)}


def csv(http: httpx.Client, body: bytes, **options: str) -> httpx.Response:
    return http.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=options)


def refused(response: httpx.Response, status: int, *words: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert {"type", "title", "detail"} <= problem.keys()
    assert problem["type"] not in GENERAL, "programs cannot distinguish it from others"
    assert problem["help"] == f"/docs/errors#{problem['type'].rpartition(':')[2]}"
    for word in words:
        assert word in response.text
    assert "Traceback" not in response.text
    return problem
