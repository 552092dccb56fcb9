"""The error tree: every type is complete, stable and different from the others, wherever it is written."""

import re
from pathlib import Path

import pytest

import api.error_responses
import rowcast.jobs
from api.error_responses import problem, status_of
from rowcast import errors

KINDS = list(errors.types())
LUA = sorted((Path(rowcast.jobs.__file__).parent / "records" / "scripts" / "lua").rglob("*.lua"))


def test_no_two_classes_have_the_same_type() -> None:
    slugs = [kind.slug for kind in KINDS]
    assert len(slugs) == len(set(slugs))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_type_says_what_it_is_and_what_to_do(kind: type[errors.RowcastError]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.slug)
    assert "title" in vars(kind), "it must not inherit its title"
    assert vars(kind).get("__doc__"), "it must not inherit its cause"
    assert kind.cause().endswith(".")
    assert kind.remedy.endswith(".")
    assert 400 <= status_of(kind) < 600


def test_every_problem_that_a_script_of_redis_writes_is_of_the_tree() -> None:
    written = {slug for file in LUA for slug in re.findall(r"problem\('([\w-]+)'", file.read_text())}
    assert written <= {kind.slug for kind in KINDS}
    assert {"worker-lost", "too-many-bad-rows"} <= written


def test_a_problem_is_whole_and_its_help_lies_below_the_prefix() -> None:
    error = errors.OptionValue.at("wait", "must be a number")
    assert problem(error.recorded(), "/rowcast") == {
        "type": "urn:rowcast:problem:option-value",
        "title": "Invalid value of an option",
        "status": 422,
        "detail": "wait: must be a number",
        "errors": [{"where": "wait", "message": "must be a number"}],
        "help": "/rowcast/docs/errors#option-value",
    }


def test_what_names_an_address_stays_in_the_log() -> None:
    error = errors.StoreUnavailable("The store s3://secret failed.", public="The store cannot be reached.")
    assert error.recorded()["detail"] == "The store cannot be reached."
    assert "s3://secret" in error.detail


def test_a_type_of_a_later_version_is_still_a_problem() -> None:
    recorded = {"type": "urn:rowcast:problem:not-yet-known", "detail": "from a newer worker"}
    assert problem(recorded, "")["status"] == 500
    assert problem(recorded, "")["type"] == recorded["type"]


def test_a_subclass_without_a_type_of_its_own_has_that_of_its_parent() -> None:
    class Local(errors.UnknownJob):
        """An error that only this test knows."""

    assert problem(Local("gone").recorded(), "")["type"] == "urn:rowcast:problem:unknown-job"
    assert api.error_responses.status_of(Local) == 404
