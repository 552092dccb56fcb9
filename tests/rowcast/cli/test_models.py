import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ROOT


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("age,pclass,survived\n" + "".join(f"{age},{1 + age % 3},{int(age < 40)}\n" for age in range(80)))
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def trained(rowcast, people: Path, models: Path) -> None:
    words = ["--target", "survived", "--name", "people", "--estimator", "logistic_regression", "--models", models]
    done = rowcast("train", "--data", people, *words, "--alias", "production")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"people@1\n"
    assert b"rows held out" in done.stderr


@pytest.mark.usefixtures("trained")
def test_a_model_is_trained_listed_and_shown(rowcast, models: Path) -> None:
    assert rowcast("models", "list", "--models", models).stdout == b"people\t1\tlatest=1 production=1\n"
    listed = json.loads(rowcast("models", "list", "--models", models, "--json").stdout)
    assert listed == [{"name": "people", "versions": ["1"], "aliases": {"latest": "1", "production": "1"}}]
    assert "age\tnumber" in rowcast("models", "show", "people@production", "--models", models).stdout.decode()
    shown = json.loads(rowcast("models", "show", "people", "--models", models, "--json").stdout)
    assert shown["classes"] == [0, 1]


@pytest.mark.usefixtures("trained")
def test_a_pickle_of_somebody_elses_is_added_and_an_alias_moved(rowcast, models: Path, people: Path, tmp_path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    file = tmp_path / "tree.pkl"
    file.write_bytes(pickle.dumps(DecisionTreeClassifier().fit([[1.0, 1.0], [50.0, 2.0]], [1, 0])))
    words = ["--name", "people", "--features-from", people, "--target", "survived", "--models", models]
    done = rowcast("models", "add", file, *words)
    assert (done.returncode, done.stdout) == (0, b"people@2\n"), done.stderr
    assert rowcast("models", "alias", "people", "production", "2", "--models", models).returncode == 0
    assert rowcast("models", "show", "people@production", "--models", models).stdout.startswith(b"model:     people@2")


@pytest.mark.parametrize(
    "words",
    [
        ["models", "show", "nobody"],
        ["models", "alias", "nobody", "production", "1"],
        ["models", "add", "none.pkl", "--name", "m", "--features-from", "none.csv"],
        ["train", "--data", "none.csv", "--target", "t", "--name", "m"],
        ["train", "--data", "none.csv", "--target", "t", "--name", "../m"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_exit_code_2(rowcast, models: Path, words: list[str]) -> None:
    done = rowcast(*words, "--models", models)
    assert done.returncode == 2
    assert done.stderr.startswith(b"rowcast: ")


def test_the_data_folder_of_up_holds_the_registry(rowcast, tmp_path: Path) -> None:
    assert rowcast("models", "list", "--data-dir", tmp_path).returncode == 0
    assert (tmp_path / "models").is_dir()


@pytest.mark.usefixtures("trained")
def test_a_version_is_removed_and_its_number_is_not_used_again(rowcast, models: Path, people: Path) -> None:
    words = ["--target", "survived", "--name", "people", "--estimator", "logistic_regression", "--models", models]
    refused = rowcast("models", "rm", "people@1", "--yes", "--models", models)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"people@1 is what people@production means; move the alias first, or add --force." in refused.stderr
    assert rowcast("train", "--data", people, *words).stdout == b"people@2\n"
    unasked = rowcast("models", "rm", "people@2", "--models", models)
    assert unasked.returncode == 2
    assert b"Jobs that still run with people@2 fail" in unasked.stderr
    assert b"Add --yes" in unasked.stderr
    assert rowcast("models", "rm", "people@2", "--yes", "--models", models).returncode == 0
    assert rowcast("models", "list", "--models", models).stdout == b"people\t1\tlatest=1 production=1\n"
    assert rowcast("train", "--data", people, *words).stdout == b"people@3\n"
    assert rowcast("models", "rm", "people", "--yes", "--force", "--models", models).returncode == 0
    assert rowcast("models", "list", "--models", models).stdout == b""
    assert rowcast("models", "show", "people", "--models", models).returncode == 2


def test_a_client_alone_says_what_to_install_for_the_rest() -> None:
    code = (
        "import sys; sys.modules['obstore'] = None; from rowcast.cli.main import main;"
        "sys.exit(main(['models', 'list']))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "rowcast: this command needs obstore, which is not installed: pip install 'rowcast[local]'"
    ]


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from rowcast.cli.main import main; assert main(['--help']) == 0;"
        "heavy = {'numpy', 'pandas', 'sklearn', 'celery', 'redis', 'flask', 'httpx', 'pydantic', 'obstore'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
