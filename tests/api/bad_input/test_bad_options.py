"""Options, headers, paths and queries that are refused."""

import httpx
import pytest
from refusals import GOOD, csv, refused


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"modle": "titanic"}, "modle"),
        ({"delimiter": "x"}, "delimiter"),
        ({"header": "perhaps"}, "header"),
        ({"on_error": "shrug"}, "on_error"),
        ({"key": "nobody"}, "key"),
        ({"wait": "61"}, "wait"),
        ({"wait": "soon"}, "wait"),
        ({"wait": "nan"}, "wait"),
        ({"prediction_column": ""}, "prediction_column"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_by_its_name(http: httpx.Client, options: dict, where: str) -> None:
    problem = refused(csv(http, GOOD, **options), 422)
    assert where in problem["errors"][0]["where"]


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        ({"tags": "nightly"}, "tags: must be pairs, for example run:nightly,team:risk"),
        ({"tags": "läuf:a"}, "tags: a name takes 1 to 64 letters from a to z, digits and any of . _ -"),
        ({"tags": "run:" + "x" * 129}, "a value takes up to 128 characters, but no comma"),
        ({"delimiter": ";;"}, "'|' or 'tab'"),
        ({"priority": "urgent"}, "priority: input should be 'low', 'normal' or 'high'"),
        ({"expires_in": "soon"}, "expires_in: must be a time from 1 second to 30 days, for example 90, 90s, 15m"),
        ({"expires_in": "0"}, "expires_in: must be a time from 1 second"),
        ({"threshold": "1.5"}, "threshold: must be a number from 0 to 1, for example 0.3, or auto"),
        ({"threshold": "nan"}, "threshold: must be a number from 0 to 1"),
        ({"threshold": "high"}, "threshold: must be a number from 0 to 1"),
        ({"top": "0"}, "top: input should be greater than or equal to 1"),
        ({"top": "3"}, "top: must not be more than 2: titanic@1 has 2 classes"),
        ({"explain": "3"}, "explain: must not be more than 2: titanic@1 has 2 features"),
        ({"columns": "explanation_1_value"}, "columns: 'explanation_1_value' is only there with explain and a number"),
        ({"columns": "predicton:label"}, "columns: the result does not add 'predicton'; the nearest is 'prediction'"),
        ({"columns": "prediction:a,prediction:b"}, "columns: names 'prediction' twice"),
        ({"columns": "prediction:"}, "columns: string should have at least 1 character"),
        ({"columns": "prediction:age"}, "columns.age is a column of the file; choose another name"),
        ({"expires_in": "31d"}, "expires_in: must be a time from 1 second to 30 days"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_fits(http: httpx.Client, options: dict, fix: str) -> None:
    problem = refused(csv(http, GOOD, **options), 422)
    assert fix in problem["detail"]


def test_an_option_given_twice_is_refused(http: httpx.Client) -> None:
    refused(http.post("/predict?model=a&model=b", json={"features": [25, 3]}), 422, "more than once")
    refused(http.post("/predict?model=titanic", json={"features": [25, 3], "model": "titanic"}), 422, "more than once")


@pytest.mark.parametrize(
    "model", ["titanik", "titanic@99", "titanic@prod", "../titanic", "titanic@../1", "%2e%2e", "a/b", "@", ""]
)
def test_a_model_that_is_not_there_is_404(http: httpx.Client, model: str) -> None:
    refused(http.post("/predict", json={"features": [25, 3], "model": model}), 404)


@pytest.mark.parametrize("word", ["", "x" * 256, "tab\there", "umlaut-\u00fc"])
def test_an_idempotency_key_that_is_none_is_refused(http: httpx.Client, word: str) -> None:
    headers = {"Idempotency-Key": word.encode("utf-8")}
    refused(http.post("/predict", json={"features": [25, 3]}, headers=headers), 422, "Idempotency-Key")


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/jobs/abc",
        "/jobs/..%2f..%2fetc",
        "/jobs/019a0000-0000-7000-8000-000000000000",
        "/models/nope",
        "/models/..%2f",
        "/models/titanic/versions/99",
        "/models/titanic/versions/01",
    ],
)
def test_what_never_was_is_404(http: httpx.Client, path: str) -> None:
    refused(http.get(path), 404)


def test_an_alias_in_the_place_of_a_version_says_what_it_means(http: httpx.Client) -> None:
    answer = http.get("/models/titanic/versions/production")
    refused(answer, 404, "is an alias of the model 'titanic'; it means version '1' now")


def test_another_method_is_405_with_those_that_there_are(http: httpx.Client) -> None:
    response = http.put("/jobs")
    refused(response, 405)
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=done", "cursor=x"])
def test_a_list_with_a_wrong_query_is_refused(http: httpx.Client, query: str) -> None:
    refused(http.get(f"/jobs?{query}"), 422)


def test_a_request_id_that_could_forge_a_log_line_is_replaced(http: httpx.Client) -> None:
    for forged in ("a b", "x" * 129, 'a","level":"error'):
        assert http.get("/health", headers={"X-Request-ID": forged}).headers["X-Request-ID"] != forged
    assert http.get("/health", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("titanic,titanic@1,titanic", "names 3 models; at most 2"),
        ("titanic,", "a comma without a model"),
        (",titanic", "a comma without a model"),
        ("titanic@1,titanic@1", "names titanic@1 twice; name two different versions"),
        ("titanic@1, titanic@latest", "titanic@1 and titanic@latest are the same version"),
    ],
)
def test_two_models_that_are_not_two_are_refused(http: httpx.Client, model: str, says: str) -> None:
    problem = refused(csv(http, GOOD, model=model), 422, says)
    assert problem["errors"][0]["where"] == "model"
    refused(http.post("/predict", json={"features": [25, 3], "model": model}), 422, says)


def test_a_second_model_that_is_not_there_is_404(http: httpx.Client) -> None:
    refused(csv(http, GOOD, model="titanic,titanik"), 404, "titanik")
