"""The message filter: Celery gets a message as Rowcast makes it or nothing, whatever a message contains."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.jobs.records.celery_queues import BATCH, CHUNK_TASK, SINGLE, SINGLES_TASK, make_app, message_template
from rowcast.settings import Settings
from worker.consumer.message_filter import rebuild_message

APP = make_app(Settings.model_construct(**{name: field.default for name, field in Settings.model_fields.items()}))
TEXTS = {task: message_template(APP, task, queue) for task, queue in ((CHUNK_TASK, BATCH), (SINGLES_TASK, SINGLE))}
TEMPLATES = {task: json.loads(text) for task, text in TEXTS.items()}
TASKS = list(TEMPLATES)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def message(task: str) -> dict[str, Any]:
    return {**json.loads(TEXTS[task].replace("@TAG@", "h7")), "body": json.dumps([[], {}, {"callbacks": None}])}


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [path, *(deeper for name, inner in value.items() for deeper in paths(inner, (*path, name)))]


@pytest.mark.parametrize("task", TASKS)
def test_a_message_passes_with_its_task_and_tag(task: str) -> None:
    passed = rebuild_message(message(task), TEMPLATES)
    assert passed is not None
    assert json.loads(passed["body"])[0] == []
    assert (passed["headers"]["task"], passed["properties"]["delivery_tag"]) == (task, "h7")


@given(st.sampled_from(TASKS), st.data(), ANYTHING)
def test_nothing_else_of_a_message_passes(task: str, data: st.DataObject, junk: Any) -> None:
    wrong = message(task)
    *way, last = data.draw(st.sampled_from(paths(wrong)[1:]))
    place = wrong
    for name in way:
        place = place[name]
    place[last] = junk
    passed = rebuild_message(wrong, TEMPLATES)
    if passed is not None:
        tag = passed["properties"]["delivery_tag"]
        whole = rebuild_message(message(task), TEMPLATES)
        assert json.dumps(passed).replace(json.dumps(tag), '"h7"') == json.dumps(whole)


@given(ANYTHING)
def test_no_content_of_a_message_raises(junk: Any) -> None:
    assert rebuild_message(junk, TEMPLATES) is None


@pytest.mark.parametrize("task", TASKS)
@given(ANYTHING)
def test_no_message_passes_with_arguments(task: str, junk: Any) -> None:
    for body in (json.dumps(junk), json.dumps([junk]), json.dumps([[junk]]), str(junk)):
        passed = rebuild_message({**message(task), "body": body}, TEMPLATES)
        assert passed is None or json.loads(body)[0] == []
