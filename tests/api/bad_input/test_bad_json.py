"""JSON and NDJSON that is refused."""

import httpx
import pytest
from refusals import refused


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b'{"features": [NaN, 3]}', 400),
        (b'{"features": [25, 3], "features": [1, 1]}', 400),
        (b"[" * 200_000, 400),
        (b'{"features": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
        (b'{"features": [' + b"9" * 5_000 + b", 3]}", 400),
        (b'{"features": [1e999, 3]}', 422),
        (b'{"features": [' + b"9" * 400 + b", 3]}", 422),
        (b"\xff\xfe", 400),
        (b"[25, 3]", 422),
        (b"25", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"features": null}', 422),
        (b'{"features": "25,3"}', 422),
        (b'{"features": [25]}', 422),
        (b'{"features": [25, 3, 1]}', 422),
        (b'{"features": ["25", 3]}', 422),
        (b'{"features": [true, 3]}', 422),
        (b'{"features": [[25], 3]}', 422),
        (b'{"features": {"age": 25}}', 422),
        (b'{"features": {"age": 25, "pclas": 3}}', 422),
        (b'{"features": [25, 3], "instances": [[25, 3]]}', 422),
        (b'{"instances": []}', 422),
        (b'{"instances": 7}', 422),
        (b'{"instances": [[25, 3], [25, "x"]]}', 422),
        (b'{"features": [25, 3], "modell": "titanic"}', 422),
        (b'{"features": [25, 3], "probabilities": "maybe"}', 422),
        (b'{"features": [25, 3], "max_errors": -1}', 422),
        (b'{"features": [25, 3], "output": "all"}', 422),
        (b'{"features": [25, 3], "\\ud800": 1}', 400),
        (b'{"features": [25, 3], "model": "\\ud800"}', 400),
        (b'{"features": [25, 3], "columns": "prediction:label"}', 422),
        (b'{"features": [25, 3], "columns": [1]}', 422),
        (b'{"features": [25, 3], "columns": 1}', 422),
        (b'{"features": [25, 3], "threshold": true}', 422),
        (b'{"features": [25, 3], "top": 3}', 422),
        (b'{"instances": [[25, 3]], "columns": {"prediction": 7}}', 422),
        (b'{"instances": [[25, 3]], "prediction_column": "a\\u0000"}', 422),
    ],
)
def test_json_that_does_not_fit_is_refused(http: httpx.Client, body: bytes, status: int) -> None:
    refused(http.post("/predict", content=body, headers={"Content-Type": "application/json"}), status)


def test_a_fault_in_json_says_where(http: httpx.Client) -> None:
    problem = refused(http.post("/predict", json={"instances": [[25, 3], {"age": 1, "pclass": "x"}]}), 422)
    assert problem["errors"] == [{"where": "instances[1].pclass", "message": "must be a number"}]
    problem = refused(http.post("/predict", json={"features": {"age": 25, "pclas": 3}}), 422)
    assert {"where": "features.pclas", "message": "unknown; the nearest is 'pclass'"} in problem["errors"]


@pytest.mark.parametrize("body", [{"features": [25, 3]}, {"features": {}}], ids=["options", "features"])
def test_of_any_number_of_unknown_names_the_first_are_told(http: httpx.Client, body: dict) -> None:
    unknown = {f"agee{number}": 1 for number in range(30_000)}
    many = body | unknown if body["features"] else {"features": unknown}
    assert len(refused(http.post("/predict", json=many), 422, "agee0")["errors"]) <= 100
    one = {"a" * 500_000: 1}
    long = body | one if body["features"] else {"features": one}
    assert len(refused(http.post("/predict", json=long), 422)["errors"][0]["where"]) < 250


def test_too_many_instances_and_too_large_json_are_refused(http: httpx.Client) -> None:
    refused(http.post("/predict", json={"instances": [[25, 3]] * 10_001}), 422, "10000")
    refused(http.post("/predict", json={"features": ["x" * 1_100_000, 3]}), 413, "ROWCAST_MAX_JSON_BYTES")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b'{"age": 25, "pclass": 3}\n{"age": 25', 400, "Line 2"),
        (b'{"age": 25, "pclass": 3}\n[25, 3]\n', 400, "Line 2"),
        (b'{"age": 25, "pclass": 3}\n{"age": 25, "pclass": 3, "sex": 1}\n', 422, "sex"),
        (b'{"agee": 25, "pclass": 3}\n', 422, "agee"),
        (b"", 422, "empty"),
        (b'{"age": "' + b"x" * 70_000 + b'"}', 413, "ROWCAST_MAX_ROW_BYTES"),
    ],
)
def test_ndjson_that_does_not_fit_is_refused(http: httpx.Client, body: bytes, status: int, word: str) -> None:
    refused(http.post("/predict", content=body, headers={"Content-Type": "application/x-ndjson"}), status, word)
