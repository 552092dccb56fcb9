"""The schema of a job's record: each field is in the table, and no program spells its name out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rowcast.jobs.records
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_hash import fields_of
from rowcast.jobs.records.schema import TABLE, JobField
from rowcast.jobs.records.scripts.lua_source import LuaSource
from rowcast.settings import Settings

ROOT = Path(rowcast.jobs.records.__file__).parents[3]
LUA = sorted((ROOT / "rowcast" / "jobs" / "records" / "scripts" / "lua").rglob("*.lua"))
PYTHON = sorted(
    file
    for folder in ("api", "bench", "rowcast", "tests", "upkeep", "worker")
    for file in (ROOT / folder).rglob("*.py")
)
HASH_COMMANDS = {"hdel", "hexists", "hget", "hincrby", "hmget", "hset", "hsetnx", "hstrlen"}
NAMES = {str(name) for name in JobField}


def calls_of_redis(source: str) -> Iterator[str]:
    """Yields the text of each `redis.call(...)`, with its arguments."""
    for start in re.finditer(r"redis\.call\(", source):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(source[end], 0)
            end += 1
        yield source[start.start() : end]


def literals_in_lua(source: str) -> list[str]:
    """Returns the names of fields that a command on a job's record spells out."""
    on_records = [call for call in calls_of_redis(source) if "K.job(" in call]
    return [text for call in on_records for text in re.findall(r"'([^']*)'", call) if text in NAMES]


def literals_in_python(source: str) -> list[str]:
    """Returns the names of fields that are spelled out in a command on a job's record, or in a look into one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in HASH_COMMANDS:
            is_other_hash = re.match(r"key\('(?!job')", ast.unparse(node.args[0])) if node.args else None
            found += [one.value for one in node.args[1:] if isinstance(one, ast.Constant) and not is_other_hash]
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("record"):
            found += [node.slice.value] if isinstance(node.slice, ast.Constant) else []
    return [text for text in found if text in NAMES or text in {name.encode() for name in NAMES}]


def test_every_field_is_in_the_table_and_explained() -> None:
    assert list(TABLE) == list(JobField)
    assert all(all(field) for field in TABLE.values())


@pytest.mark.parametrize("file", LUA, ids=lambda file: file.stem)
def test_no_script_spells_out_a_field(file: Path) -> None:
    assert literals_in_lua(file.read_text()) == []


def test_no_program_and_no_test_spells_out_a_field() -> None:
    found = {str(file.relative_to(ROOT)): literals_in_python(file.read_text()) for file in PYTHON}
    assert {file: names for file, names in found.items() if names} == {}


def test_a_field_that_is_spelled_out_would_be_found() -> None:
    assert literals_in_lua("redis.call('HMGET', K.job(id), F.rows,\n 'status')") == ["status"]
    assert literals_in_lua("redis.call('HSET', K.job(id), F.status, 'queued')") == []
    assert literals_in_python("redis.hget(key('job', id), 'status')") == ["status"]
    assert literals_in_python("redis.hexists(name, 'verdict')") == ["verdict"]
    assert literals_in_python("redis.hget(key('totals'), 'rows')") == []
    assert literals_in_python("record[b'owner']") == [b"owner"]


@pytest.mark.parametrize("file", LUA, ids=lambda file: file.stem)
def test_every_field_that_a_script_uses_is_in_the_table(file: Path) -> None:
    assert set(re.findall(r"\bF\.(\w+)", file.read_text())) <= NAMES


@pytest.mark.parametrize("name", ["F.stauts", "K.jbo", "STATUS.runing", "KIND.many"])
def test_a_name_that_is_not_in_a_table_is_an_error(settings: Settings, name: str) -> None:
    with pytest.raises(LookupError, match=name):
        LuaSource(settings).linked(f"return {name}")


def test_a_script_carries_only_what_it_uses(settings: Settings) -> None:
    source = LuaSource(settings)
    assert source.linked("return STATUS.queued\n") == "return 'queued'\n"
    assert source.linked("return status_of(ARGV[1])\n").count("local function") == 2  # and the key of the record


@pytest.mark.parametrize("kind", ["single", "batch"])
def test_a_new_record_has_only_fields_of_its_kind(kind: str) -> None:
    spec = Spec(kind=kind, model=ModelRef(name="m", version="1"), options=Options(probabilities=True))
    more = {"values": [1]} if kind == "single" else {"plan": pack_plan([PlanEntry(1, 1, 1)]), "max_errors": 1}
    fields = fields_of(NewJob("id", "", spec, 1, 1, **more))
    assert {TABLE[name].jobs for name in fields} == {"both", kind}
    assert all(re.fullmatch(r"batch|single|both", field.jobs) for field in TABLE.values())
