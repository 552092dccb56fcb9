"""A result as NDJSON has the same rows as the CSV, with types."""

import csv
import io
import json
from collections.abc import Iterator

import httpx
import pandas as pd
import pytest
from programs import ROOT, Stack, http_client
from scored import submit, wait

TITANIC = (ROOT / "training" / "data" / "titanic.csv").read_bytes()
NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


def both(client: httpx.Client, body: bytes, **options: object) -> tuple[list[list[str]], list[dict]]:
    """Returns the rows of the CSV without its header, and the objects of the NDJSON."""
    id = submit(client, "titanic", body, **options)
    assert wait(client, id)["status"] == "succeeded"
    as_csv = client.get(f"/jobs/{id}/result").text
    as_ndjson = client.get(f"/jobs/{id}/result", headers=NDJSON)
    assert as_ndjson.headers["Content-Type"] == "application/x-ndjson"
    assert as_ndjson.content == client.get(f"/jobs/{id}/result", params={"format": "ndjson"}).content
    rows = list(csv.reader(io.StringIO(as_csv, newline=""), delimiter=str(options.get("delimiter", ","))))
    return rows, [json.loads(line) for line in as_ndjson.text.splitlines()]


def test_every_row_is_the_same_as_in_the_csv(client: httpx.Client) -> None:
    (header, *rows), objects = both(client, TITANIC, probabilities=True)
    assert len(rows) == len(objects) == 1309
    for row, found in zip(rows, objects, strict=True):
        assert list(found) == header
        for name, cell in zip(header, row, strict=True):
            value = found[name]
            assert (("" if value is None else str(value)) == cell) or float(cell) == value
    table = pd.read_json(io.StringIO("\n".join(map(json.dumps, objects))), lines=True)
    assert table["prediction"].dtype.kind == "i"
    assert table["probability_1"].dtype.kind == "f"


def test_types_are_those_of_the_model_and_digits_are_kept(client: httpx.Client) -> None:
    body = b'id,age,pclass,"say ""hi"""\n007,25.10,3,"a,b"\n"0\n8",,1,\xc3\xa9\n009,old,2,x\n'
    _, objects = both(client, body)
    assert objects == [
        {"id": "007", "age": 25.1, "pclass": 3, 'say "hi"': "a,b", "prediction": objects[0]["prediction"]},
        {"id": "0\n8", "age": None, "pclass": 1, 'say "hi"': "é", "prediction": objects[1]["prediction"]},
        {"id": "009", "age": "old", "pclass": 2, 'say "hi"': "x", "prediction": None},
    ]


def test_rows_with_too_many_or_too_few_cells_have_no_prediction(client: httpx.Client) -> None:
    _, objects = both(client, b"age,pclass\n31,1,9\n40\n25,3\n,\n,\n")
    assert objects == [
        {"age": 31, "pclass": 1, "prediction": None},
        {"age": 40, "pclass": None, "prediction": None},
        {"age": 25, "pclass": 3, "prediction": 0},
    ]


def test_only_the_key_and_the_predictions_if_those_are_wanted(client: httpx.Client) -> None:
    _, objects = both(client, b"id;age;pclass\n1;25;3\n", output="predictions", key="id", delimiter=";")
    assert objects == [{"id": "1", "prediction": 0}]
    _, objects = both(client, b"25,3\n40,1\n", header="false")
    assert [list(one) for one in objects] == [["age", "pclass", "prediction"]] * 2


def test_what_is_wrong_with_a_row_comes_along(client: httpx.Client) -> None:
    _, objects = both(client, b"age,pclass\n25,3\nold,3\n", on_error="column")
    assert objects[0] == {"age": 25, "pclass": 3, "prediction": 0, "prediction_error": None}
    assert objects[1]["prediction"] is None
    assert objects[1]["prediction_error"].startswith("age: not a number")


def test_another_format_is_refused(client: httpx.Client) -> None:
    id = submit(client, "titanic", b"age,pclass\n25,3\n")
    wait(client, id)
    refused = client.get(f"/jobs/{id}/result", params={"format": "xml"})
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "format")
    refused = client.get(f"/jobs/{id}/result", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert "application/x-ndjson" in refused.json()["detail"]


def test_a_file_is_not_followed_as_ndjson_and_leaves_no_job(client: httpx.Client) -> None:
    newest = client.get("/jobs", params={"limit": 1}).json()["jobs"][:1]
    headers = NDJSON | {"Content-Type": "text/csv"}
    answer = client.post("/predict", params={"follow": "true"}, content=b"age,pclass\n25,3\n", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (406, "urn:rowcast:problem:not-acceptable")
    assert client.get("/jobs", params={"limit": 1}).json()["jobs"] == newest


def test_decimal_commas_and_texts_that_mean_missing_are_numbers_and_null(client: httpx.Client) -> None:
    body = b"age;pclass;note\n25,5;3;1,5\nNA;1;NA\n?;2;?\n"
    _, objects = both(client, body, delimiter=";", decimal=",", na_values="?,NA")
    assert [(one["age"], one["pclass"], one["note"]) for one in objects] == [
        (25.5, 3, "1,5"),
        (None, 1, "NA"),
        (None, 2, "?"),
    ]
