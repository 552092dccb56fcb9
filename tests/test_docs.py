"""The documents keep their word: examples are run, tables are those of the code, what they name is there."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import url_stages
from programs import ROOT, Stack
from typer.main import get_command

from api.app import create_app
from api.calls.error_pages import markdown
from api.error_responses import public_types
from api.web.paths import is_page
from bench.table import kept, table
from rowcast.cli.main import app as cli
from rowcast.client.errors.problem_types import BY_TYPE
from rowcast.jobs.records import metric_fields, redis_keys, schema
from rowcast.jobs.states import markdown as states_markdown
from rowcast.secret_files import SECRETS, file_variable, variable
from rowcast.settings import Settings
from tools import cli_page, draw
from training.formats.formats import format_table

DOCS = ROOT / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))

VARIABLES = {
    "<id>": "ID",
    "<name>": "NAME",
    "<version>": "VERSION",
    "<alias>": "ALIAS",
    "<file>": "FILE",
    "<picture>": "PICTURE",
}
"""How the documents write the variables of a route."""


def text(name: str) -> str:
    return (DOCS / name).read_text()


def between(name: str, mark: str) -> str:
    """Returns what stands between `<!-- mark -->` and `<!-- /mark -->`."""
    (found,) = re.findall(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", text(name), re.DOTALL)
    return found


def first_cells(table: str) -> list[str]:
    """Returns the first column of a Markdown table, without its header."""
    return [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]


def examples(name: str) -> str:
    """All blocks that are to run, in order, as one session."""
    return "\n".join(re.findall(r"<!-- runs -->\n```sh\n(.*?)```", text(name), re.DOTALL))


def session(script: str, stack: Stack, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a script as a reader would in the checkout, but on the stack's port; statuses go to standard error."""
    (folder / "training").symlink_to(ROOT / "training")
    functions = [
        f"rowcast() {{ '{sys.executable}' -m rowcast.cli \"$@\"; }}",
        "curl() { command curl -sS -w '%{stderr}%{http_code}\\n' \"$@\"; }",
        "set -euo pipefail",
    ]
    script = script.replace("localhost:5000", f"127.0.0.1:{stack.port}")
    return subprocess.run(
        ["bash", "-c", "\n".join([*functions, script])],
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ROWCAST_URL": stack.url,
            "ROWCAST_MODELS": str(stack.models),
            "ROWCAST_REDIS_URL": stack.redis_url,
        },
        capture_output=True,
        text=True,
    )


def test_the_examples_of_the_api_answer_with_the_statuses_beside_them(stack: Stack, tmp_path: Path) -> None:
    script = examples("api.md")
    done = session(script, stack, tmp_path)
    wanted = re.findall(r"# (\d{3})$", script, re.MULTILINE)
    assert len(wanted) == len(re.findall(r"\bcurl ", re.sub(r"^#.*$", "", script, flags=re.MULTILINE)))
    assert (done.returncode, done.stderr.split()) == (0, wanted), done.stdout + done.stderr
    for shown in re.findall(r"<!-- shown -->\n```csv\n(.*?)```", text("api.md"), re.DOTALL):
        assert shown in done.stdout


@pytest.mark.parametrize(
    "name",
    ["cli.md", "doors.md", "drift.md", "explanations.md", "formats.md", "security.md", "training.md", "uploads.md"],
)
def test_the_examples_are_answered_with_the_statuses_beside_them(stack: Stack, tmp_path: Path, name: str) -> None:
    script = examples(name)
    done = session(script, stack, tmp_path)
    wanted = re.findall(r"# (\d{3})$", script, re.MULTILINE)
    answered = re.findall(r"^\d{3}$", done.stderr, re.MULTILINE)
    assert (done.returncode, answered) == (0, wanted), done.stdout + done.stderr


def test_the_examples_of_receipts_work_also_without_rowcast(stack: Stack, tmp_path: Path) -> None:
    done = session(examples("receipts.md"), stack, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("The receipt is signed by") == 1
    (script,) = re.findall(r"<!-- verify -->\n```python\n(.*?)```", text("receipts.md"), re.DOTALL)
    subprocess.run([sys.executable, "-I", "-c", script], check=True, cwd=tmp_path)
    with (tmp_path / "out.csv").open("ab") as file:
        file.write(b" ")
    assert subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, check=False
    ).returncode


def test_the_script_that_accelerates_a_model_works(tmp_path: Path) -> None:
    script = "".join(re.findall(r"<!-- script -->\n```python\n(.*?)```", text("fast-trees.md"), re.DOTALL))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "model.steps[1][1]: HistGradientBoostingClassifier: exact fast path\n"


def test_the_script_that_scores_needs_neither_a_service_nor_its_packages(trained: Path, tmp_path: Path) -> None:
    needless = ["celery", "kombu", "redis", "flask", "pyarrow", "skops", "xxhash", "yaml", "packaging", "psutil"]
    (tmp_path / ".rowcast").mkdir()
    (tmp_path / ".rowcast" / "models").symlink_to(trained)
    (tmp_path / "titanic.csv").symlink_to(ROOT / "training" / "data" / "titanic.csv")
    (script,) = re.findall(r"<!-- script -->\n```python\n(.*?)```", text("engines.md"), re.DOTALL)
    script = f"import sys; sys.modules.update(dict.fromkeys({needless}))\n{script}"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[2:] == ["1  Allison, Master. Hudson Trevor           1       0.939647"]
    assert not done.stderr


def test_a_recipe_for_an_engine_has_at_most_ten_lines() -> None:
    recipes = re.findall(r"<!-- (?:ray|spark|dask|daft) -->\n```python\n(.*?)```", text("engines.md"), re.DOTALL)
    assert len(recipes) == 4
    assert all(len(re.findall(r"^.*\S", recipe, re.MULTILINE)) <= 10 for recipe in recipes)


def test_the_page_of_commands_is_made_from_them() -> None:
    assert text("cli.md") == cli_page.markdown(), "run: python tools/cli_page.py"


def test_the_examples_of_the_client_work(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "titanic.csv").symlink_to(ROOT / "training" / "data" / "titanic.csv")
    script = "\n".join(re.findall(r"```python\n(.*?)```", text("client.md"), re.DOTALL))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ROWCAST_URL": stack.url}
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "['header.age']" in done.stdout
    assert (tmp_path / "bad.csv").read_text() == "_row,_error,_job,name,age,pclass\n"


def test_the_exceptions_of_the_client_are_those_of_the_code() -> None:
    by_base: dict[str, list[str]] = {}
    for kind in BY_TYPE.values():
        status_class = next(one for one in kind.__mro__ if one.__module__ == "rowcast.client.errors")
        by_base.setdefault(status_class.__name__, []).append(f"`{kind.__name__}`")
    lines = [f"| `{base}` | {', '.join(sorted(names))} |" for base, names in sorted(by_base.items())]
    wanted = ["| of the status | of the types below it |", "| --- | --- |", *lines]
    assert between("client.md", "exceptions").splitlines() == wanted, "\n".join(wanted)


def test_the_examples_of_models_work(stack: Stack, tmp_path: Path) -> None:
    done = session(examples("models.md"), stack, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (stack.models / "survival" / "1" / "manifest.json").exists()
    assert (stack.models / "mine" / "1" / "manifest.json").exists()


def test_the_examples_of_keys_work(stack: Stack, tmp_path: Path) -> None:
    done = session(examples("keys.md"), stack, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "keys.txt").read_text().startswith("alice:user:")


def test_the_table_of_calls_is_that_of_the_gateway(settings: Settings) -> None:
    calls = set()
    for rule in create_app(settings).url_map.iter_rules():
        if is_page(rule.rule):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: VARIABLES[f"<{name[1]}>"], rule.rule)
        calls |= {f"`{method} {path}`" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"} or {"HEAD"}}
    assert set(first_cells(between("api.md", "calls"))) == calls


def test_the_options_of_training_are_those_of_the_command() -> None:
    named = set(re.findall(r"^\| `(--[a-z-]+)", text("training.md"), re.MULTILINE))
    options = get_command(cli).commands["train"].params
    assert named == {option.opts[0] for option in options if option.name not in ("name", "help")}


def test_the_options_of_adding_a_model_are_those_of_the_command() -> None:
    table = text("models.md").split("This runs the pickle's code")[1].split("### Formats of model files")[0]
    cells = first_cells(table.strip().partition("\n\n")[2])
    named = {word for cell in cells for word in re.findall(r"--[a-z-]+", cell)}
    options = [option for option in get_command(cli).commands["models"].commands["add"].params if option.name != "file"]
    known_elsewhere = {"name", "help"}
    assert named == {
        (option.secondary_opts or option.opts)[0] for option in options if option.name not in known_elsewhere
    }


def test_every_status_of_our_errors_is_explained() -> None:
    explained = {status for cell in first_cells(between("api.md", "statuses")) for status in cell.split(", ")}
    assert explained >= set(map(str, public_types()))


def test_the_page_of_problems_is_made_from_the_error_tree() -> None:
    assert text("errors.md") == markdown(), "run: python -m api.calls.error_pages > docs/errors.md"


def test_the_table_of_formats_of_models_is_that_of_the_code() -> None:
    assert between("models.md", "formats").strip() == format_table()


def test_the_table_of_redis_keys_is_that_of_the_code() -> None:
    assert between("records.md", "keys").splitlines() == redis_keys.markdown()


def test_the_table_of_record_fields_is_that_of_the_code() -> None:
    assert between("records.md", "fields").splitlines() == schema.markdown()


def test_the_table_of_the_fields_of_an_upload_is_that_of_the_code() -> None:
    assert between("records.md", "upload fields").splitlines() == schema.upload_markdown()


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    assert between("metrics.md", "counted").splitlines() == metric_fields.markdown()


def test_the_table_of_states_is_that_of_the_code() -> None:
    assert between("records.md", "states").splitlines() == states_markdown()


def test_the_time_until_work_goes_on_is_measured_for_every_fault_that_recovery_knows() -> None:
    tree = ast.parse((ROOT / "tests" / "stack" / "recovery.py").read_text())
    known = ("FAULTS", "BUCKET_FAULTS")
    faults = [node for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in known]
    rows = between("faults.md", "recovery").splitlines()[2:]
    counts = [len(node.value.keys) for node in faults if isinstance(node.value, ast.Dict)]
    assert len(rows) == sum(counts) + len(url_stages.STAGES)
    assert all(re.fullmatch(r"\| .+ \| \d+\.\d \| \d+\.\d to \d+\.\d \| `test_\w+` \|", row) for row in rows)


def test_the_table_of_figures_is_what_the_benchmark_kept() -> None:
    assert between("performance.md", "figures").rstrip("\n") == table(kept())


def named_in(pattern: str) -> set[str]:
    """Returns the tests in the files below `tests/` that the pattern names."""
    nodes = [node for file in (ROOT / "tests").glob(pattern) for node in ast.parse(file.read_text()).body]
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_fault_names_a_test_that_there_is_and_every_such_test_is_named() -> None:
    named = set(re.findall(r"`(test_\w+)`", text("faults.md")))
    of_faults = [
        "*/test_*faults.py",
        *(f"stack/test_{name}.py" for name in ("clocks", "pickles", "retry", "sizes", "soak")),
    ]
    assert set().union(*map(named_in, of_faults)) <= named
    assert named <= named_in("stack/test_*.py") | named_in("compose/test_*.py") | named_in("rowcast/test_buckets.py")


def anchors(page: Path) -> set[str]:
    """Returns the fragments by which GitHub and other viewers address the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, "../README.md"])
def test_every_link_to_a_section_leads_to_a_heading(name: str) -> None:
    for page, fragment in re.findall(r"\]\(([\w./-]*)#([^)]+)\)", text(name)):
        assert fragment in anchors((DOCS / name).parent / page if page else DOCS / name), f"{page}#{fragment}"


@pytest.mark.parametrize("source", sorted(draw.FOLDER.glob("*.[dt][ox]t")), ids=lambda source: source.name)
def test_every_picture_was_drawn_from_its_text_and_is_shown(source: Path) -> None:
    tool = "draw" if source.suffix == ".dot" else "terminal"
    assert draw.is_current(source), f"run: python tools/{tool}.py"
    assert f"pictures/{source.stem}.svg" in (ROOT / "README.md").read_text() + text("architecture.md") + text(
        "fast-trees.md"
    )


def test_the_picture_of_the_layers_is_the_table_that_imports_are_checked_by() -> None:
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text())
    (rows,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS"
    )
    drawn: dict[str, int] = {}
    for row in (draw.FOLDER / "layers.dot").read_text().split("<tr>")[1:]:
        number, *rooms = re.findall(r"<b>([\w.]+)</b>", row)
        drawn |= dict.fromkeys(rooms, int(number))
    assert drawn == ast.literal_eval(rows)


def test_the_architecture_names_at_most_four_files_for_each_of_twenty_changes() -> None:
    rows = text("architecture.md").split("## Where do I change X?")[1].strip().splitlines()[2:]
    assert len(rows) >= 20
    for row in rows:
        assert 1 <= len(re.findall(r"`[\w/]+\.\w+`|`[\w/]+/`|\]\(", row)) <= 4, row


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_a_document_names_is_one(name: str) -> None:
    of_the_client = {"ROWCAST_URL", "ROWCAST_API_KEY"}
    of_compose = set(re.findall(r"\$\{(ROWCAST_[A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    in_files = {file_variable(name) for name in SECRETS}
    known = {variable(field) for field in Settings.model_fields} | in_files | of_the_client | of_compose
    assert set(re.findall(r"ROWCAST_[A-Z_]+", text(name))) <= known


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_link_that_a_document_names_is_there(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text(name)) if not link.startswith("https:")]
    paths = re.findall(r"`((?:rowcast|api|worker|training|upkeep|tests|tools)/[\w/.-]*)`", text(name))
    assert all((DOCS / link.partition("#")[0]).exists() for link in links), links
    missing = {path for path in paths if not (ROOT / path).exists()}
    assert not missing, missing
