"""A trace from the request to the commit, received as a collector receives it, from real programs."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from otlp_receiver import ReceivedSpan, Receiver, receiving
from programs import ROOT, Stack, http_client, until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = "1bf7651916cd43dd8448eb211c80319d"
ROWS = b"age\n" + b"40\n" * 128
"""Two chunks of a misbehaving stack."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced(unstarted_stack: Stack, receiver: Receiver) -> Stack:
    """A misbehaving stack that exports its traces; its worker has one process."""
    unstarted_stack.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    unstarted_stack.start_gateway()
    unstarted_stack.start_upkeep()
    unstarted_stack.start_worker(concurrency=1)
    return unstarted_stack


@pytest.fixture
def http(traced: Stack) -> Iterator[httpx.Client]:
    with http_client(traced.url, timeout=90) as client:
        yield client


def test_a_file_is_one_trace_from_the_callers_span_to_each_commit(http: httpx.Client, receiver: Receiver) -> None:
    headers = {"Content-Type": "text/csv", "traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "mine"}
    made = http.post("/predict?model=fixed&wait=60", content=ROWS, headers=headers)
    assert made.headers["X-Trace-ID"] == TRACE
    id = made.json()["id"]
    until(lambda: len(receiver.of_job(id)) >= 6, "all spans arrive")
    spans = [span for span in receiver.of_job(id) if not span.name.startswith("GET")]
    (request,) = [span for span in spans if span.kind == "server"]
    (queued,) = [span for span in spans if span.name == "queue job"]
    chunks = [span for span in spans if span.name == "score chunk"]
    commits = [span for span in spans if span.name == "commit chunk"]
    assert len(spans) == 6
    assert (request.name, request.parent, request.service) == ("POST /predict", CALLER, "rowcast-gateway")
    assert (request["http.response.status_code"], request["rowcast.request_id"]) == (200, "mine")
    assert (queued.kind, queued.parent, queued["rowcast.model"]) == ("producer", request.id, "fixed@1")
    assert {(span.kind, span.parent, span.service) for span in chunks} == {("consumer", queued.id, "rowcast-worker")}
    assert [(s["rowcast.chunk"], s["rowcast.attempt"], s["rowcast.rows"]) for s in chunks] == [(0, 1, 64), (1, 1, 64)]
    assert all("/" in span["rowcast.worker"] for span in chunks)
    assert [span.parent for span in commits] == [span.id for span in chunks]
    assert [span["rowcast.outcome"] for span in commits] == ["counted", "ended"]
    assert not any(span.failed for span in spans)
    assert all(span.began <= span.ended for span in spans)


def test_each_attempt_at_a_chunk_is_a_span_and_a_failed_one_says_why(
    http: httpx.Client, traced: Stack, receiver: Receiver
) -> None:
    (traced.folder / "stuck").touch()
    id = http.post("/predict?model=stuck", content=b"age\n40\n", headers={"Content-Type": "text/csv"}).json()["id"]
    until(lambda: http.get(f"/jobs/{id}").json()["status"] == "running", "it is being scored")
    folder = traced.store / "jobs" / id / "parts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file where a folder is needed")
    (traced.folder / "stuck").unlink()
    until(lambda: receiver.of_job(id, "score chunk"), "the first attempt fails")
    folder.unlink()
    assert http.get(f"/jobs/{id}?wait=60").json()["status"] == "succeeded"
    until(lambda: receiver.of_job(id, "commit chunk"), "the commit arrives")
    *failed, last = receiver.of_job(id, "score chunk")
    assert all(span.failed for span in failed)
    assert "store" in failed[0].message.lower()
    assert not last.failed
    assert [span["rowcast.attempt"] for span in (*failed, last)] == list(range(1, len(failed) + 2))
    assert len({span.parent for span in (*failed, last)}) == 1
    (commit,) = receiver.of_job(id, "commit chunk")
    assert commit.parent == last.id


def test_a_row_is_one_trace_too_and_what_is_not_sampled_is_not_exported(http: httpx.Client, receiver: Receiver) -> None:
    for trace, flags in ((OTHER, "00"), (TRACE[::-1], "01")):
        headers = {"traceparent": f"00-{trace}-{CALLER}-{flags}"}
        row = http.post("/predict?wait=60", json={"model": "fixed", "features": [40]}, headers=headers)
        assert row.headers["X-Trace-ID"] == trace
    traces: dict[str, list[ReceivedSpan]] = {}

    def arrived() -> bool:
        traces.clear()
        for span in receiver.spans:
            traces.setdefault(span.trace_id, []).append(span)
        return len(traces.get(TRACE[::-1], [])) == 4

    until(arrived, "the spans of the second row arrive")
    by_name = {span.name: span for span in traces[TRACE[::-1]]}
    parents = ["POST /predict", "queue job", "predict rows", "commit rows"]
    assert [by_name[name].parent for name in parents[1:]] == [by_name[name].id for name in parents[:-1]]
    assert by_name["predict rows"]["rowcast.rows"] == 1
    assert OTHER not in traces


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "OTEL_EXPORTER_OTLP_ENDPOINT is set, but"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
def test_an_endpoint_without_opentelemetry_is_said_and_stops_nothing(
    variables: dict[str, str], said: str, traced: Stack, tmp_path: Path
) -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None;"
        "from rowcast.tracing.export import open_tracer, why_not_exported; print(why_not_exported() or '');"
        "print(open_tracer('x').begin('n', 'server', 'p').traceparent)"
    )
    environment = {name: value for name, value in traced.variables.items() if not name.startswith("OTEL_")} | variables
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    first, second = done.stdout.splitlines()
    assert first.startswith(said)
    assert ("pip install 'rowcast[otel]'" in first) == bool(said)
    assert second == "p"


def test_programs_that_stop_send_their_last_spans(traced: Stack, receiver: Receiver) -> None:
    for name in ("gateway", "worker"):
        traced.stop(name)
    traced.environment["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    traced.start_gateway()
    traced.start_worker(concurrency=1)
    with http_client(traced.url, timeout=90) as http:
        headers = {"Content-Type": "text/csv"}
        id = http.post("/predict?model=fixed&wait=60", content=ROWS, headers=headers).json()["id"]
    assert not receiver.of_job(id)
    for name in ("gateway", "worker"):
        traced.stop(name)
    assert len(receiver.of_job(id)) == 6
