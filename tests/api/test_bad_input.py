"""What is refused, each with its clear problem, nothing left behind, and the next request served."""

import gzip
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from rowcast.errors import Gone, NotFound, Refused, RowcastError, Unprocessable, WrongState
from rowcast.jobs.records.redis_keys import key

GOOD = b"age,pclass\n25,3\n"
GENERAL = {kind.problem_type() for kind in (RowcastError, Refused, Unprocessable, NotFound, WrongState, Gone)}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(gateway, http: httpx.Client) -> Iterator[None]:
    def left() -> tuple[list[str], set[bytes]]:
        names = {name for name in gateway.redis.keys("*") if name != key("totals").encode()}
        return gateway.files(), names

    before = left()
    yield
    assert left() == before, "files or keys were left behind"
    assert http.get("/health").json() == {"status": "API is running"}


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


@pytest.mark.parametrize(
    ("header", "where", "message"),
    [
        ("agee,pclass", "header.age", "'agee'"),
        ("AGE ,pclass", "header.age", "'AGE '"),
        ("pclass", "header.age", "missing"),
        ("agee;pclass", "header.age", "'agee'"),
    ],
)
def test_a_wrong_header_names_each_fault(http: httpx.Client, header: str, where: str, message: str) -> None:
    problem = refused(csv(http, f"{header}\n1,2\n".encode()), 422)
    assert [fault["where"] for fault in problem["errors"]] == [where]
    assert message in problem["errors"][0]["message"]


def test_every_missing_column_is_named(http: httpx.Client) -> None:
    problem = refused(csv(http, b"name,sex\n1,2\n"), 422)
    assert {fault["where"] for fault in problem["errors"]} == {"header.age", "header.pclass"}


def test_a_column_of_the_predictions_name_is_refused(http: httpx.Client) -> None:
    refused(csv(http, b"age,pclass,prediction\n1,2,3\n"), 422, "prediction")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 422, "empty"),
        (b"\xef\xbb\xbf", 422, "empty"),
        (b"\n\n\n", 422, "empty"),
        (b"age,pclass\n", 422, "no rows"),
        (b"age,pclass", 422, "no rows"),
        (b'age,pclass\n25,"3\n26,2\n', 422, "quote"),
        (b"age,pclass\n25,3\n\xff\xfe,3\n", 422, "16"),
        (b"age,pclass\n25,\x003\n", 422, "NUL"),
        (b"age,pclass\n" + b"1" * 70_000 + b",3\n", 413, "ROWCAST_MAX_ROW_BYTES"),
        (b"x" * 70_000, 413, "ROWCAST_MAX_ROW_BYTES"),
        (b"a," * 10_000 + b"age,pclass\n", 413, "ROWCAST_MAX_COLUMNS"),
        ("\ufeffage,pclass\n1,2\n".encode("utf-32"), 422, "UTF-32"),
    ],
    ids=[
        "empty",
        "bom-only",
        "blank-lines",
        "header-only",
        "header-without-end",
        "open-quote",
        "not-utf8",
        "nul",
        "giant-row",
        "giant-header",
        "many-columns",
        "utf32",
    ],
)
def test_a_file_that_is_no_csv_is_refused(http: httpx.Client, body: bytes, status: int, word: str) -> None:
    refused(csv(http, body), status, word)


def test_what_is_wrong_late_in_a_file_is_refused_with_all_that_was_stored_gone(http: httpx.Client) -> None:
    refused(csv(http, b"age,pclass\n" + b"25,3\n" * 5_000 + b'26,"3\n'), 422, "quote", "5001")
    refused(csv(http, b"age,pclass\n" + b"25,3\n" * 5_000 + b"26,\xff\n"), 422, str(11 + 5 * 5_000 + 3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"this is no gzip", ["not gzip"]),
        (gzip.compress(GOOD, mtime=0)[:-9], ["too early"]),
        (gzip.compress(GOOD, mtime=0) + b"trailing", ["not gzip"]),
        (b"", ["too early"]),
    ],
    ids=["garbage", "truncated", "trailing", "empty"],
)
def test_gzip_that_is_none_is_refused(http: httpx.Client, body: bytes, words: list[str]) -> None:
    response = http.post("/predict", content=body, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    refused(response, 400, *words)


def test_a_gzip_bomb_is_refused_before_it_has_gone_off(http: httpx.Client) -> None:
    bomb = gzip.compress(b"age,pclass\n" + b"25,3\n" * 20_000_000)
    assert len(bomb) < 1_000_000
    response = http.post("/predict", content=bomb, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    refused(response, 400, "grows more than")


def test_another_content_encoding_is_refused(http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": "br"}
    refused(http.post("/predict", content=GOOD, headers=headers), 415, "br")


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png"])
def test_another_content_type_is_refused_with_those_that_are_taken(http: httpx.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    refused(http.post("/predict", content=GOOD, headers=headers), 415, "text/csv", "application/json")


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


def form(http: httpx.Client, body: bytes, boundary: str = "b") -> httpx.Response:
    kind = f"multipart/form-data; boundary={boundary}" if boundary else "multipart/form-data"
    return http.post("/predict", content=body, headers={"Content-Type": kind})


def part(disposition: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


FILE = part('name="file"; filename="in.csv"', GOOD)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"nonsense", 400, "multipart"),
        (FILE, 400, "multipart"),
        (part('name="model"', b"titanic") + b"--b--\r\n", 422, "file"),
        (part('name="upload"; filename="in.csv"', GOOD) + b"--b--\r\n", 422, "called 'file'"),
        (FILE + part('name="model"', b"titanic") + part('name="model"', b"titanic") + b"--b--\r\n", 422, "once"),
        (
            part('name="file"; filename="in.csv"', b"age,pclass\n" + b"25,3\n" * 2**21)
            + part('name="model"', b"titanic")
            + b"--b--\r\n",
            422,
            "options before the file",
        ),
        (FILE + FILE + b"--b--\r\n", 422, "file"),
        (part('name="model"', b"\xff") + FILE + b"--b--\r\n", 400, "UTF-8"),
        (part('name="model"', b"x" * 100_000) + FILE + b"--b--\r\n", 413, "form"),
        (part('name="nonsense"', b"1") + FILE + b"--b--\r\n", 422, "nonsense"),
        (part('name="file"; filename="in.csv.gz"', GOOD) + b"--b--\r\n", 400, "gzip"),
    ],
    ids=[
        "none",
        "cut",
        "no-file",
        "other-name",
        "option-twice",
        "option-late",
        "two-files",
        "not-utf8",
        "field-huge",
        "unknown",
        "gz-none",
    ],
)
def test_a_form_that_does_not_fit_is_refused(http: httpx.Client, body: bytes, status: int, word: str) -> None:
    refused(form(http, body), status, word)


def test_a_form_without_a_boundary_is_refused(http: httpx.Client) -> None:
    refused(form(http, FILE + b"--b--\r\n", boundary=""), 400, "boundary")


def talk(gateway, request: bytes, *, then_close: bool = True) -> bytes:
    """Sends raw bytes, closes the sending side, and reads what comes back."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(request)
        if then_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    return answer


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000000\r\n\r\n%s", b"Transfer-Encoding: chunked\r\n\r\n9\r\n%s\r\n"]
)
def test_a_wrong_header_is_refused_though_the_client_sends_no_more(gateway, framing: bytes) -> None:
    answer = talk(gateway, HEAD + framing % b"a,pclass\n", then_close=False)
    assert b" 422 " in answer.split(b"\r\n", 1)[0]
    assert b"'age' is missing" in answer


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing(gateway) -> None:
    rows = b"age,pclass\n" + b"25,3\n" * 10_000
    answer = talk(gateway, HEAD + b"Content-Length: 1000000\r\n\r\n" + rows)
    assert b" 400 " in answer.split(b"\r\n", 1)[0]
    assert b"broke off" in answer
    answer = talk(gateway, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(rows), rows))
    assert b" 400 " in answer.split(b"\r\n", 1)[0]


def test_a_chunked_body_with_a_broken_chunk_is_refused(gateway) -> None:
    answer = talk(gateway, HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nage,p\r\nZZ\r\n")
    assert b" 400 " in answer.split(b"\r\n", 1)[0]


def test_nonsense_instead_of_http_is_answered_with_a_problem_not_a_page(gateway) -> None:
    answer = talk(gateway, b"NONSENSE\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 400


def test_a_wrong_header_is_refused_while_its_gigabytes_are_still_to_come(gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\nagee,pclass\n" + b"25,3\n" * 1_000)
        answer = connection.recv(65_536)
    assert b" 422 " in answer.split(b"\r\n", 1)[0]
    assert b"Connection: close" in answer


def test_a_body_over_the_limit_is_refused_before_it_is_sent(gateway) -> None:
    answer = talk(gateway, HEAD + b"Content-Length: 99999999999999\r\n\r\n", then_close=False)
    assert b" 413 " in answer.split(b"\r\n", 1)[0]


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
