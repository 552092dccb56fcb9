import pytest

from rowcast.tracing.origin import Origin, fields_of_each
from rowcast.tracing.trace_context import TraceContext

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-adds", True),
    ],
)
def test_a_valid_traceparent_is_read(header: str, sampled: bool) -> None:
    assert TraceContext.read(header) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1g",
        f"cc-{TRACE}-{SPAN}-01.x",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_a_traceparent_that_is_not_valid_is_not_read(header: str) -> None:
    assert TraceContext.read(header) is None


def test_a_new_trace_is_valid_and_not_recorded() -> None:
    new = TraceContext.new()
    assert TraceContext.read(str(new)) == new
    assert not new.is_sampled


def test_lines_about_several_jobs_list_each_id_once() -> None:
    first, second = Origin("r", f"00-{TRACE}-{SPAN}-01"), Origin()
    assert Origin.read(str(first)) == first
    assert fields_of_each([("a", first)]) == {"job": "a", "request_id": "r", "trace_id": TRACE}
    listed = {"jobs": ["a", "b", "c"], "request_ids": ["r"], "trace_ids": [TRACE]}
    assert fields_of_each([("a", first), ("b", first), ("c", second)]) == listed
