"""Summaries: they are exact for any pieces in any order, in Python and in Redis."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowcast.jobs.number_summary import MAX_BINS, Numbers
from rowcast.jobs.records import redis_keys
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.scripts.lua_source import LuaSource
from rowcast.jobs.summary import Outputs, Pair, Summary, merge, not_finite_in, render_fields
from rowcast.settings import Settings

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10) | st.sampled_from([0.0, 1.0, -1e-9])
pieces = st.lists(st.lists(numbers, max_size=8), min_size=1, max_size=5)


def of(values: list[float]) -> Summary:
    return Summary(numbers=Numbers.of(np.array(values, np.float64)))


def merged(parts: list[Summary]) -> Summary:
    whole = parts[0]
    for part in parts[1:]:
        whole = merge(whole, part)
    return whole


@given(pieces, st.randoms(use_true_random=False))
def test_pieces_in_any_order_make_the_summary_of_the_whole(parts, random) -> None:
    whole = of([value for part in parts for value in part])
    summaries = [of(part) for part in parts]
    random.shuffle(summaries)
    assert merged(summaries).render() == whole.render()
    known = merged(summaries).numbers
    assert (known.count, known.minimum, known.maximum, known.bins, known.exponent) == (
        whole.numbers.count,
        whole.numbers.minimum,
        whole.numbers.maximum,
        whole.numbers.bins,
        whole.numbers.exponent,
    )


@given(st.lists(numbers.filter(lambda value: abs(value) < 1e307), min_size=1, max_size=30))
def test_figures_are_exact_and_bars_count_the_numbers_between_their_edges(values) -> None:
    shown = of(values).render()
    assert shown["min"] == min(values)
    assert shown["max"] == max(values)
    assert shown["mean"] == float(sum(map(Fraction, values)) / len(values))
    edges, counts = shown["histogram"]["edges"], shown["histogram"]["counts"]
    assert len(edges) == 21
    assert edges == sorted(edges)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        assert count == sum(low <= value < high for value in values)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_there_are_never_more_bins_than_allowed(values) -> None:
    bins = Numbers.of(np.array(values)).bins
    assert max(bins) - min(bins) < MAX_BINS


@given(st.lists(numbers, max_size=9))
def test_a_summary_survives_json(values) -> None:
    for summary in (
        of(values),
        Summary(classes={"a": 1, "é:": 2}),
        outputs(values, {"a": 1}, 3),
        pair(values, {"a": 1}, 2),
    ):
        assert Summary.from_json(json.loads(json.dumps(summary.to_json(), allow_nan=False))) == summary


def test_infinite_numbers_and_nan_are_counted_and_left_out_of_the_figures() -> None:
    assert of([1.0, math.nan, math.inf, 3.0]).render() == of([1.0, 3.0]).render() | {"not_finite": 2}
    nothing = {"min": None, "mean": None, "max": None, "histogram": None}
    assert of([math.nan]).render() == {**nothing, "not_finite": 1}


def test_the_largest_numbers_have_edges_that_json_can_write() -> None:
    json.dumps(of([-1.7e308, 1.7976931348623157e308]).render(), allow_nan=False)


def test_classes_are_counted_together() -> None:
    assert merge(Summary(classes={"a": 1, "b": 2}), Summary(classes={"b": 3})) == Summary(classes={"a": 1, "b": 5})
    assert merge(Summary(classes={}), Summary(classes={"b": 3})).render() == {"classes": {"b": 3}}


@pytest.fixture
def in_redis(redis: RedisClient, settings: Settings):
    """Returns a function that adds summaries up as a commit does, and renders what Redis has then."""
    script = LuaSource(settings).linked("add_summary(ARGV[1], cjson.decode(ARGV[2]))")
    add = redis.register_script(script)

    def add_up(parts: list[Summary]):
        redis.flushdb()
        for part in parts:
            add(args=["job", json.dumps(part.to_json())])
        return render_fields(redis.hgetall(redis_keys.key("summary", "job")))

    return add_up


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces)
def test_redis_adds_up_numbers_as_python_does(in_redis, parts) -> None:
    whole = of([value for part in parts for value in part])
    if whole.numbers.count:
        assert in_redis([of(part) for part in parts]) == whole.render()


@pytest.mark.parametrize("parts", [[[math.nan]], [[math.inf], [1.0, -math.inf]], [[1.0], [math.nan]], [[2.0]]])
def test_redis_counts_infinite_numbers_and_nan_as_python_does(in_redis, parts) -> None:
    assert in_redis([of(part) for part in parts]) == merged([of(part) for part in parts]).render()


def test_redis_adds_up_classes_as_python_does(in_redis) -> None:
    parts = [Summary(classes={"a": 1, "x:y é": 2}), Summary(classes={}), Summary(classes={"x:y é": 3})]
    assert in_redis(parts) == merged(parts).render() == {"classes": {"a": 1, "x:y é": 5}}


def outputs(first: list[float], second: dict[str, int], not_finite: int = 0) -> Summary:
    return Summary(outputs=Outputs((("height, cm", of(first)), ("1/class:x", Summary(classes=second))), not_finite))


def test_redis_adds_up_each_of_several_outputs_as_python_does(in_redis) -> None:
    parts = [
        outputs([1.0, 2.0], {"a/b": 1}),
        outputs([], {}),
        outputs([1e9, math.nan], {"a/b": 1, "é:": 3}, not_finite=4),
        outputs([-3.5], {"0/": 2}, not_finite=1),
    ]
    whole = in_redis(parts)
    assert whole == merged(parts).render()
    assert whole["not_finite"] == 5
    assert whole["outputs"]["height, cm"] == of([1.0, 2.0, 1e9, math.nan, -3.5]).render()
    assert whole["outputs"]["1/class:x"] == {"classes": {"a/b": 2, "é:": 3, "0/": 2}}


def pair(first: list[float], second: dict[str, int], compared: int | None, disagreeing: int = 0) -> Summary:
    return Summary(pair=Pair((("a", of(first)), ("b@2", Summary(classes=second))), compared, disagreeing))


def test_redis_adds_up_the_summaries_of_two_models_as_python_does(in_redis) -> None:
    parts = [
        pair([1.0, 2.0], {"m0/x": 1}, 2, 1),
        pair([], {}, 0),
        pair([1e9, math.nan], {"m0/x": 1, "é:": 1}, 2, 2),
        pair([-3.5], {"0/": 1}, 1),
    ]
    whole = in_redis(parts)
    assert whole == merged(parts).render()
    assert whole["disagreement"] == {"rows": 3, "fraction": 3 / 5}
    assert whole["models"]["a"] == of([1.0, 2.0, 1e9, math.nan, -3.5]).render()
    assert whole["models"]["b@2"] == {"classes": {"m0/x": 2, "é:": 1, "0/": 1}}
    assert not_finite_in(whole) == 1


def test_two_models_may_have_several_outputs_or_be_impossible_to_compare(in_redis) -> None:
    one, other = outputs([1.0], {"x": 1}, not_finite=2), outputs([5.0, 6.0], {"x": 2})
    parts = [Summary(pair=Pair((("a", one), ("b", Summary(classes={"y": 1}))))) for one in (one, other)]
    whole = in_redis(parts)
    assert whole == merged(parts).render()
    assert whole["disagreement"] is None
    assert whole["models"]["a"] == merge(one, other).render()
    assert not_finite_in(whole) == 2
