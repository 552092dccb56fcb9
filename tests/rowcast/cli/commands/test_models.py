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
    assert b"held-out rows" in done.stderr


@pytest.mark.usefixtures("trained")
def test_a_model_is_trained_listed_and_shown(rowcast, models: Path) -> None:
    assert rowcast("models", "list", "--models", models).stdout == b"people\t1\tlatest=1 production=1\n"
    listed = json.loads(rowcast("models", "list", "--models", models, "--json").stdout)
    assert listed == [{"name": "people", "versions": ["1"], "aliases": {"latest": "1", "production": "1"}}]
    assert "age\tnumber" in rowcast("models", "show", "people@production", "--models", models).stdout.decode()
    shown = json.loads(rowcast("models", "show", "people", "--models", models, "--json").stdout)
    assert shown["classes"] == [0, 1]
    assert shown["fast_path"]["exact"] is False


@pytest.mark.usefixtures("trained")
def test_two_versions_are_compared_rolled_back_and_described(rowcast, models: Path, people: Path) -> None:
    words = ["--target", "survived", "--name", "people", "--models", models, "--features", "age"]
    about = ["--description", "Who survives."]
    assert rowcast("train", "--data", people, *words, *about, "--alias", "production").returncode == 0
    found = json.loads(rowcast("models", "compare", "people@1", "people@2", "--models", models, "--json").stdout)
    assert found["features"] == {"added": [], "removed": ["pclass"], "changed": [], "same_order": True}
    assert {one["name"] for one in found["metrics"]} == {"accuracy", "balanced_accuracy", "log_loss", "roc_auc"}
    assert found["golden"][0]["differing"] is not None, "the columns of the first have those of the second"
    assert found["golden"][1]["reason"] == "people@1 needs pclass"
    done = rowcast("models", "compare", "people@1", "people@2", "--models", models)
    assert b"feature pclass" in done.stdout
    assert b"Golden sample of people@2: not compared: people@1 needs pclass." in done.stderr
    shown = rowcast("models", "show", "people@2", "--models", models).stdout.decode()
    assert "about:     Who survives.\naliases:   latest, production\n" in shown
    assert "trained:   data people.csv, target survived" in shown
    assert json.loads(rowcast("models", "show", "people", "--models", models, "--json").stdout)["aliases"]
    done = rowcast("models", "rollback", "people", "--models", models)
    assert b"people@production is now version 1; it was version 2" in done.stderr
    assert rowcast("models", "rollback", "people", "--models", models).returncode == 2
    refused = rowcast("models", "rollback", "people@production", "--models", models)
    assert b"people --alias production" in b" ".join(refused.stderr.replace("│".encode(), b"").split())
    assert rowcast("train", "--data", people, *words, "--description", "x" * 2001).returncode == 2
    refused = rowcast("models", "prune", "people", "--models", models)
    assert b"Nothing says which service uses this registry" in refused.stderr
    pruned = rowcast("models", "prune", "people", "--keep", "1", "--models", models, "--no-service", "--json")
    assert json.loads(pruned.stdout)["kept"] == {"1": "production", "2": "latest"}


@pytest.mark.usefixtures("trained")
def test_a_pickle_of_somebody_elses_is_added_and_an_alias_moved(rowcast, models: Path, people: Path, tmp_path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    file = tmp_path / "tree.pkl"
    file.write_bytes(pickle.dumps(DecisionTreeClassifier().fit([[1.0, 1.0], [50.0, 2.0]], [1, 0])))
    words = ["--name", "people", "--features-from", people, "--target", "survived", "--models", models]
    done = rowcast("models", "add", file, *words)
    assert (done.returncode, done.stdout) == (0, b"people@2\n"), done.stderr
    fast = "Yes, with the same bits: DecisionTreeClassifier."
    assert f"Fast path for trees: {fast}" in done.stderr.decode()
    assert f"fast path: {fast}\n" in rowcast("models", "show", "people@2", "--models", models).stdout.decode()
    assert rowcast("models", "alias", "people", "production", "2", "--models", models).returncode == 0
    assert rowcast("models", "show", "people@production", "--models", models).stdout.startswith(b"model:     people@2")


@pytest.mark.parametrize(
    "words",
    [
        ["models", "add", "none.pkl", "--name", "m", "--features-from", "README.md"],
        ["models", "add", "README.md", "--name", "m", "--features-from", "none.csv"],
        ["train", "--data", "none.csv", "--target", "t", "--name", "m"],
    ],
    ids=" ".join,
)
def test_a_missing_file_is_reported_before_libraries_are_imported(words: list[str]) -> None:
    code = f"import sys; from rowcast.cli.main import main; print(main({words}), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert done.stderr.startswith("rowcast: File not found: none.")


@pytest.mark.parametrize(
    "words",
    [
        ["models", "show", "nobody"],
        ["models", "alias", "nobody", "production", "1"],
        ["train", "--data", "README.md", "--target", "t", "--name", "../m"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_exit_code_2(rowcast, models: Path, words: list[str]) -> None:
    done = rowcast(*words, "--models", models)
    assert done.returncode == 2
    assert done.stderr.startswith(b"rowcast: ")


ROWS = [
    (10_000 + row % 5, ("NA", "DE", "FR")[row % 3], f"2024-01-{1 + row % 28:02}", row if row % 4 else "-", row % 2)
    for row in range(60)
]
SAMPLE = "zip,land,day,age,y\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)
"""Cells that pandas reads otherwise than people mean them, unless its options say how."""


@pytest.fixture
def add_model(rowcast, tmp_path: Path, models: Path):
    """Registers a model that is fitted on some columns of the sample, read as `read_csv` says, with the words given."""

    def add(*words: str, column: str, **read_csv: object) -> "subprocess.CompletedProcess[bytes]":
        import pandas as pd
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder

        sample = tmp_path / "sample.csv"
        sample.write_text(SAMPLE)
        frame = pd.read_csv(sample, **read_csv)
        encoded = make_pipeline(OneHotEncoder(), LogisticRegression())
        model = HistGradientBoostingClassifier(max_iter=3) if column == "age" else encoded
        file = tmp_path / "model.pkl"
        file.write_bytes(pickle.dumps(model.fit(frame[[column]], frame["y"])))
        return rowcast("models", "add", file, "--name", "m", "--features-from", sample, "--models", models, *words)

    return add


@pytest.mark.parametrize(
    ("column", "words", "read_csv", "shown"),
    [
        ("zip", ["--kind", "zip=text"], {"dtype": {"zip": str}}, "zip\ttext\trequired"),
        ("zip", ["--parse-dates", "day"], {}, "zip\tnumber\trequired"),
        ("day", ["--parse-dates", "day"], {"parse_dates": ["day"]}, "day\tdate\trequired"),
        ("land", ["--no-default-na"], {"keep_default_na": False}, "land\ttext\trequired"),
        ("land", ["--default-na"], {}, "land\ttext\tmay be missing"),
        ("age", ["--na-values", "-,?"], {"na_values": ["-", "?"]}, "age\tnumber\tmay be missing"),
    ],
    ids=str,
)
def test_a_sample_is_read_as_the_users_script_reads_it(
    rowcast, add_model, models: Path, column: str, words: list[str], read_csv: dict, shown: str
) -> None:
    done = add_model(*words, column=column, **read_csv)
    assert (done.returncode, done.stdout) == (0, b"m@1\n"), done.stderr.decode()
    assert shown in rowcast("models", "show", "m", "--models", models).stdout.decode()


@pytest.mark.parametrize(
    ("column", "words", "sentence"),
    [
        ("zip", ["--kind", "zip"], "'zip' is not NAME=KIND, for example zip=text"),
        ("zip", ["--kind", "zip=txt"], "zip=txt: 'txt' is not a kind; use one of number, integer"),
        ("zip", ["--kind", "zap=text"], "sample.csv has no column 'zap'; the nearest is 'zip'"),
        ("zip", ["--parse-dates", "dey"], "sample.csv has no column 'dey'; the nearest is 'day'"),
        ("land", ["--parse-dates", "land"], "land: pandas cannot read all of its cells as dates of one format"),
        (
            "land",
            ["--kind", "land=number"],
            "land=number does not fit sample.csv: could not convert string to",
        ),
        (
            "land",
            ["--kind", "land=integer"],
            "land=integer does not fit sample.csv: some cells are not numbers",
        ),
        (
            "land",
            ["--kind", "land=boolean"],
            "land=boolean does not fit sample.csv: the column 'land' has cells",
        ),
        ("zip", ["--default-na=no"], "--default-na"),
        ("age", ["--na-values", "?"], "age"),
    ],
    ids=str,
)
def test_a_sample_that_cannot_be_read_so_is_refused_with_the_reason(
    rowcast, add_model, models: Path, column: str, words: list[str], sentence: str
) -> None:
    refused = add_model(*words, column=column, na_values=["-"])
    print(refused.stderr.decode())
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert sentence in refused.stderr.decode()
    assert rowcast("models", "list", "--models", models).stdout == b""


def test_the_data_folder_of_up_holds_the_registry(rowcast, tmp_path: Path) -> None:
    assert rowcast("models", "list", "--data-dir", tmp_path).returncode == 0
    assert (tmp_path / "models").is_dir()


@pytest.mark.usefixtures("trained")
def test_a_version_is_removed_and_its_number_is_not_used_again(rowcast, models: Path, people: Path) -> None:
    words = ["--target", "survived", "--name", "people", "--estimator", "logistic_regression", "--models", models]
    refused = rowcast("models", "rm", "people@1", "--yes", "--models", models)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"people@1 is what people@production points at. Move the alias first, or add --force." in refused.stderr
    assert rowcast("train", "--data", people, *words).stdout == b"people@2\n"
    unasked = rowcast("models", "rm", "people@2", "--models", models)
    assert unasked.returncode == 2
    assert b"Running jobs that use people@2 will fail" in unasked.stderr
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
