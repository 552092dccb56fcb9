"""Calls of other services' clients that are refused."""

import json

import httpx
import pytest
from refusals import GOOD, refused

ROWS = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [25, 3]}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"inputs": [[25, Infinity]]}', 400, "Infinity is not a JSON number"),
        (b"age,pclass\n25,3\n", 400, "not JSON"),
        (b'{"inputs": [[25, 3]], "params": {"a": 1}}', 422, "params: is not supported"),
        (b'{"instances": []}', 422, "instances: must be a list of 1 to 10000 rows"),
        (b'{"dataframe_records": [{"age": 25}]}', 422, "dataframe_records[0].pclass missing"),
        (b'{"dataframe_records": [{"age": 25, "Pclass": 3}, {}]}', 422, "dataframe_records[0].pclass missing"),
        (b'{"dataframe_split": {"data": [[25, 3], [25, "x"]]}}', 422, "dataframe_split.data[1].pclass must be a nu"),
        (b'{"inputs": {"age": [NaN], "pclass": [true]}}', 422, "inputs[0].pclass must be a number"),
        (b'{"inputs": [25, 3]}', 422, "inputs[0]: has 1 value, the model takes 2: age, pclass"),
    ],
)
def test_rows_that_do_not_fit_are_refused_at_invocations(
    http: httpx.Client, body: bytes, status: int, words: str
) -> None:
    answer = http.post("/invocations", content=body, headers={"Content-Type": "application/json"})
    problem = refused(answer, status)
    assert words in problem["detail"]
    assert (problem["error_code"], problem["message"]) == ("BAD_REQUEST", problem["detail"])


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("model=titanik", 404, "the nearest is 'titanic'"),
        ("model=titanic,titanic@1", 422, "model: names two models; this call takes one"),
        ("probabilities=true", 422, "probabilities: is only for `POST /predict`"),
        ("top=2", 422, "top: is only for `POST /predict`"),
        ("explain=1", 422, "explain: is only for `POST /predict`"),
        ("tag=x", 422, "tag: unknown option; the nearest is 'tags'"),
        ("wait=soon", 422, "wait: must be a number of seconds"),
    ],
)
@pytest.mark.parametrize("is_json", [True, False], ids=["json", "csv"])
def test_options_that_do_not_fit_are_refused_at_invocations(
    http: httpx.Client, query: str, status: int, words: str, is_json: bool
) -> None:
    content, media = (b'{"inputs": [[25, 3]]}', "application/json") if is_json else (GOOD, "text/csv")
    problem = refused(http.post(f"/invocations?{query}", content=content, headers={"Content-Type": media}), status)
    assert words in problem["detail"]


def test_a_body_of_another_type_is_refused_with_the_types_that_are_taken(http: httpx.Client) -> None:
    answer = http.post("/invocations", content=b"<a/>", headers={"Content-Type": "application/xml"})
    refused(answer, 415, "send application/json or text/csv")
    header = {"Content-Type": "application/json"}
    problem = refused(http.post("/invocations?delimiter=;", content=b'{"inputs": [[25, 3]]}', headers=header), 422)
    assert problem["detail"] == "delimiter: is only for CSV files"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "body: must be a JSON object with `inputs`"),
        ({"inputs": [ROWS], "input": 1}, "input: unknown; the body has inputs, id, outputs, parameters"),
        ({"inputs": [ROWS], "id": 7}, "id: must be text"),
        ({"inputs": [ROWS], "parameters": []}, "parameters: must be an object"),
        ({"inputs": [ROWS], "outputs": [{"name": "probability"}]}, "outputs[0].name: must be one of predict"),
        ({"inputs": [{**ROWS, "shape": [2, 1]}]}, "rows[0]: has 1 value, the model takes 2: age, pclass"),
        ({"inputs": [{**ROWS, "name": "age", "shape": [2, 1]}]}, "rows[0].pclass missing"),
        ({"inputs": [{**ROWS, "datatype": "BYTES", "data": ["25", "3"]}]}, "rows[0].age must be a number"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(http: httpx.Client, body: object, words: str) -> None:
    problem = refused(http.post("/v2/models/titanic/infer", json=body), 422)
    assert words in problem["detail"]
    assert problem["error"] == problem["detail"]


def test_what_the_protocol_has_and_we_do_not_is_named(http: httpx.Client) -> None:
    url, body = "/v2/models/titanic/infer", json.dumps({"inputs": [ROWS]})
    binary = http.post(url, content=body, headers={"Inference-Header-Content-Length": "7"})
    assert "binary_data=False" in refused(binary, 415)["error"]
    refused(http.post(url, content=body, headers={"Content-Type": "text/csv"}), 415, "send application/json")
    refused(http.post(f"{url}?model=titanic", content=body), 422, "model: is given more than once")
    refused(http.post("/v2/models/titanic/versions/9/infer", content=body), 404, "no version or alias '9'")
    refused(http.get("/v2/models/titanic/versions/9/ready"), 404)
