"""`rowcast.score`: the predictions of the user's own script, the checks of the service, the errors of the client."""

import hashlib
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import sklearn
import structlog
from own_code import pickle_here
from programs import ROOT

import rowcast
from rowcast.models.model_manifest import Draft, Feature, Golden
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import GoldenSample
from rowcast.storage import Storage

TITANIC = ROOT / "training" / "data" / "titanic.csv"


@pytest.fixture
def frame() -> pd.DataFrame:
    """Rows with missing ages, and an index that is neither sorted nor numeric."""
    frame = pd.read_csv(TITANIC, nrows=300)
    return frame.set_index(frame.index[::-1].map("row {}".format))


@pytest.fixture
def models(trained: Path, tmp_path: Path) -> Path:
    """A registry of the test's own."""
    return Path(shutil.copytree(trained, tmp_path / "models"))


def test_a_frame_gets_the_bits_of_the_users_own_script(trained: Path, frame: pd.DataFrame) -> None:
    model = pickle.loads((trained / "titanic" / "1" / "model.pkl").read_bytes())
    before = frame.copy()
    done = rowcast.score(frame, "titanic@production", models=trained, probabilities=True)
    table = frame[["age", "pclass"]]
    assert frame["age"].isna().any()
    assert list(done.columns) == [*frame.columns, "prediction", "probability_0", "probability_1"]
    assert done["prediction"].tolist() == model.predict(table).tolist()
    assert done[["probability_0", "probability_1"]].to_numpy().tobytes() == model.predict_proba(table).tobytes()
    assert done.index.equals(frame.index)
    pd.testing.assert_frame_equal(frame, before)
    of_polars = rowcast.score(pl.from_pandas(frame), "titanic", models=str(trained), probabilities=True)
    assert of_polars["probability_1"].to_list() == done["probability_1"].tolist()


def test_a_bad_row_has_missing_values_and_the_warning_names_the_first(trained: Path, frame: pd.DataFrame) -> None:
    bad = frame.assign(age=frame["age"].astype(object))[:4].copy()
    bad.iloc[2, bad.columns.get_loc("age")] = "old"
    with pytest.warns(UserWarning, match=r"^1 of 4 rows .* row 3, column age: .* on_error=") as caught:
        done = rowcast.score(bad, "titanic", models=trained)
    assert caught[0].filename == __file__
    assert (done["prediction"].dtype, done["prediction"].isna().tolist()) == ("Int64", [False, False, True, False])
    with pytest.warns(UserWarning, match="1 of 4"):
        done = rowcast.score(bad, "titanic", models=trained, on_error="column")
    assert done["prediction_error"].tolist()[2].startswith("age: ")
    with pytest.raises(rowcast.BadRow, match="row 3, column age"):
        rowcast.score(bad, "titanic", models=trained, on_error="fail")
    with pytest.raises(rowcast.TooManyBadRows, match="allows 0"):
        rowcast.score(bad, "titanic", models=trained, max_errors=0)


@pytest.mark.parametrize("rows", [0, 2])
def test_columns_without_a_value_have_the_types_of_columns_with_values(
    trained: Path, frame: pd.DataFrame, rows: int
) -> None:
    bad = frame.assign(age="old")[:rows]
    options: dict[str, Any] = {"probabilities": True, "on_error": "column"}
    if rows:
        with pytest.warns(UserWarning, match="2 of 2"):
            done = rowcast.score(bad, "titanic", models=trained, **options)
    else:
        done = rowcast.score(bad, "titanic", models=trained, **options)
    text = pd.Series(["text"]).dtype
    assert done.dtypes[-4:].tolist() == ["Int64" if rows else "int64", "float64", "float64", text]
    if not rows:
        of_polars = rowcast.score(pl.from_pandas(bad), "titanic", models=trained, **options)
        assert of_polars.dtypes[-4:] == [pl.Int64, pl.Float64, pl.Float64, pl.String]


@pytest.mark.parametrize(
    ("model", "change", "options", "error", "says"),
    [
        ("titanik", {}, {}, rowcast.UnknownModel, r"the nearest is 'titanic'\. The registry is /.*models\.$"),
        ("titanic@prduction", {}, {}, rowcast.UnknownModel, "the nearest is 'production'"),
        ("titanic,titanic@1", {}, {}, rowcast.OptionValue, "same version"),
        (
            "titanic",
            {"age": "Age "},
            {},
            rowcast.MissingColumns,
            r"needs: 'age' is missing; the nearest column is 'Age '",
        ),
        ("titanic", {"sex": "prediction"}, {}, rowcast.WrongUse, "already has a column 'prediction'"),
        ("titanic", {}, {"probabilites": True}, rowcast.UnknownOption, "the nearest is 'probabilities'"),
        ("titanic", {}, {"on_error": "stop"}, rowcast.OptionValue, "on_error"),
        ("titanic", {}, {"top": 3}, rowcast.OptionUnsuitable, "top"),
        ("titanic", {}, {"tags": "run:1"}, rowcast.UnknownOption, "tags"),
    ],
)
def test_what_is_wrong_is_refused_with_the_clients_error(
    trained: Path,
    frame: pd.DataFrame,
    model: str,
    change: Mapping[str, str],
    options: dict[str, Any],
    error: type[Exception],
    says: str,
) -> None:
    with pytest.raises(error, match=says):
        rowcast.score(frame.rename(columns=change), model, models=trained, **options)


def test_a_folder_that_does_not_exist_is_not_made(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(rowcast.UnknownModel, match=r"does not exist\. Name a registry with models="):
        rowcast.score(frame, "titanic", models=tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_without_models_it_is_the_registry_that_commands_use(
    models: Path, frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / ".rowcast").mkdir(parents=True)
    models.rename(tmp_path / "work" / ".rowcast" / "models")
    monkeypatch.chdir(tmp_path / "work")
    assert rowcast.version_of("titanic@latest") == "titanic@1"
    assert len(rowcast.score(frame[:3])["prediction"]) == 3
    monkeypatch.setenv("ROWCAST_MODELS", str(tmp_path / "none"))
    with pytest.raises(rowcast.UnknownModel, match="none"):
        rowcast.version_of("titanic")


def test_a_changed_file_is_never_opened(models: Path, frame: pd.DataFrame) -> None:
    with (models / "titanic" / "1" / "model.pkl").open("ab") as file:
        file.write(b" ")
    with pytest.raises(rowcast.ModelRefused, match="SHA-256 differs"):
        rowcast.score(frame, "titanic", models=models)


def test_an_unsigned_model_is_refused_if_a_key_is_set(
    models: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROWCAST_MODEL_KEY", "a secret key")
    with pytest.raises(rowcast.ModelRefused, match="sign"):
        rowcast.score(frame, "titanic", models=models)


def test_a_model_that_predicts_something_else_here_is_refused(
    models: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(Storage(str(models)))
    manifest = registry.resolve("titanic")
    golden = GoldenSample.model_validate_json(registry.golden_bytes(manifest) or b"")
    other = golden.model_copy(update={"result": golden.result.replace("0.", "0.9", 1)}).model_dump_json().encode()
    draft = Draft(**{name: getattr(manifest, name) for name in Draft.model_fields})
    named = Golden(rows=manifest.golden.rows, sha256=hashlib.sha256(other).hexdigest())
    registry.register("other", registry.model_bytes(manifest), draft.model_copy(update={"golden": named}), other)
    registry.remove("titanic", "1")
    with pytest.raises(rowcast.ModelRefused, match="other@1 makes other predictions here than when it was registered"):
        rowcast.score(frame, models=models)  # the only model is the default
    assert not caplog.records
    monkeypatch.setenv("ROWCAST_MODEL_VERSIONS", "warn")
    monkeypatch.setattr(structlog, "is_configured", lambda: False)  # as in a script; `capture_logs` configures it
    assert len(rowcast.score(frame, models=models)) == len(frame)
    assert [(record.name, record.levelname) for record in caplog.records] == [("rowcast.models", "WARNING")]
    assert caplog.messages[0].startswith("event='golden_sample_differs' ")


def test_two_versions_with_own_code_of_the_same_name_predict_side_by_side(tmp_path: Path) -> None:
    registry = Registry(Storage(str(tmp_path / "models")))
    features = [Feature(name="age", kind="number", missing=False)]
    libraries = {"scikit-learn": str(sklearn.__version__)}
    draft = Draft(task="classification", features=features, classes=[0, 1], libraries=libraries)
    for limit in (10, 50):
        data, code = pickle_here(tmp_path / str(limit), limit)
        registry.register("own", data, draft, code=code)
    ages = pd.DataFrame({"age": [5, 30, 60]})
    done = rowcast.score(ages, "own@1,own@2", models=tmp_path / "models")
    assert done.to_numpy()[:, 1:].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert "mypackage" not in sys.modules


def test_threads_of_one_process_take_turns(trained: Path, frame: pd.DataFrame) -> None:
    found: list[pd.DataFrame] = []
    threads = [
        threading.Thread(target=lambda: found.append(rowcast.score(frame, "titanic", models=trained))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(done.equals(found[0]) for done in found)


def test_without_its_packages_the_error_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['pydantic'] = None\nimport rowcast\n"
        "assert not {'pandas', 'sklearn', 'numpy', 'httpx'} & set(sys.modules)\n"
        "rowcast.score([], 'titanic')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError: rowcast.score needs pydantic, which is not installed here: pip install 'rowcast[score]'" in (
        done.stderr
    )
