from pathlib import Path

import pytest

from rowcast.cli.output_files import BadOutput, inputs_of, outputs_of, require_free


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_is_overwritten_only_if_the_user_wants_it() -> None:
    Path("out.csv").write_text("kept")
    with pytest.raises(BadOutput, match=r"out\.csv exists. Use --force"):
        require_free("out.csv", force=False)
    require_free("out.csv", force=True)
    for other in ("-", "new.csv", "/dev/null"):
        require_free(other, force=False)


def test_patterns_stand_for_the_files_that_match() -> None:
    for name in ("b.csv", "a.csv", "c.txt", "odd[1].csv"):
        Path(name).touch()
    assert inputs_of(["*.csv"]) == ["a.csv", "b.csv", "odd[1].csv"]
    assert inputs_of(["a.csv", "a.csv", "-", "odd[1].csv"]) == ["a.csv", "-", "odd[1].csv"]
    with pytest.raises(BadOutput, match="No file matches"):
        inputs_of(["*.parquet"])


def test_several_files_go_into_a_folder_that_is_made() -> None:
    assert outputs_of(["in.csv"], "out.csv", force=False) == {"in.csv": "out.csv"}
    wanted = {"x/jan.csv.gz": "results/jan-predictions.csv", "feb.tsv": "results/feb-predictions.csv"}
    assert outputs_of(list(wanted), "results", force=False) == wanted
    assert Path("results").is_dir()
    assert outputs_of(["in.csv"], "results", force=False) == {"in.csv": "results/in-predictions.csv"}
    assert outputs_of(["in.csv"], "results", "parquet", force=False) == {"in.csv": "results/in-predictions.parquet"}


def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    Path("file").touch()
    for out in ("-", "file"):
        with pytest.raises(BadOutput, match="-o FOLDER"):
            outputs_of(["a.csv", "b.csv"], out, force=False)
    with pytest.raises(BadOutput, match="Score them one by one, into different folders"):
        outputs_of(["x/a.csv", "y/a.csv"], "results", force=False)
    for force in (False, True):
        with pytest.raises(BadOutput, match="file is one of the inputs"):
            outputs_of(["file"], "./file", force=force)
    with pytest.raises(BadOutput, match="The output is empty"):
        outputs_of(["file"], "", force=False)
    Path("results").mkdir()
    Path("results/b-predictions.csv").touch()
    with pytest.raises(BadOutput, match="Use --skip-existing"):
        outputs_of(["a.csv", "b.csv"], "results", force=False)
    with pytest.raises(BadOutput, match="one of the two"):
        outputs_of(["a.csv"], "results", force=True, skip_existing=True)
