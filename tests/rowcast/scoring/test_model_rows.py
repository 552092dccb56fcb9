"""Two models on the same rows: what is compared, and that neither changes what the other predicts."""

import numpy as np
import pytest
from loaded_models import loaded, numbers

from rowcast.csv import scan
from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature
from rowcast.scoring.model_rows import disagreeing
from rowcast.scoring.score_chunk import ChunkSpec, score, score_each


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ([1, 2], [1.0, 2.5], [False, True]),
        ([0.1 + 0.2, np.nan, 0.0], [0.3, -np.nan, -0.0], [True, False, True]),
        ([2**53 + 1], [2**53], [True]),
        (["1", "yes"], [1, 0], [False, True]),
        ([True, False], [1, 0], [True, True]),
        (np.array(["a", None], "object"), np.array(["a", "b"], "object"), [False, True]),
        (np.array([], "float64"), np.array([], "object"), []),
        ([[1, 2], [3, 4]], [[1, 2], [3, 5]], [False, True]),
    ],
)
def test_predictions_differ_if_a_bit_or_a_text_differs(one, other, wanted: list[bool]) -> None:
    assert disagreeing(np.array(one), np.array(other)).tolist() == wanted


def test_predictions_with_other_outputs_cannot_be_compared() -> None:
    assert disagreeing(np.array([1, 2]), np.array([[1, 2], [1, 2]])) is None


class Changing:
    """Changes its table in place, and predicts what it finds there."""

    feature_names_in_ = np.array(["a", "town"])

    def predict(self, table):
        table["a"] += 1
        table.loc[:, "town"] = table["town"] + "!"
        return np.array([f"{number} {town}" for number, town in zip(table["a"], table["town"], strict=True)], "object")


def named(name: str, estimator: object, features: list[Feature], **known: object) -> LoadedModel:
    manifest = loaded(estimator, features, ["x"]).manifest.model_copy(update={"name": name, **known})
    return LoadedModel(manifest, estimator, "frame")


def test_a_model_that_changes_its_table_changes_nothing_for_the_other() -> None:
    features = [*numbers("a"), Feature(name="town", kind="text", missing=False)]
    models = [named(name, Changing(), features) for name in ("one", "other")]
    spec = ChunkSpec(("a", "town"), b"\n", Options(output="predictions", delimiter=","))
    part = score_each(b"1,Bonn\n2,Aix\n", 1, models, spec)
    assert part.data == b"2.0 Bonn!,2.0 Bonn!\n3.0 Aix!,3.0 Aix!\n"


class Echo:
    """Predicts its only column."""

    feature_names_in_ = np.array(["a"])

    def predict(self, table):
        return np.asarray(table["a"], "object").astype("str")


def test_each_model_reads_a_cell_as_its_manifest_says() -> None:
    readers = [
        named("number", Echo(), numbers("a", missing=True), na_values=["", "-9"]),
        named("text", Echo(), [Feature(name="a", kind="text", missing=True)], na_values=[""]),
        named("other", Echo(), numbers("a", missing=True), na_values=[""]),
    ]
    data = b"007\n-9\n"
    spec = ChunkSpec(("a",), b"\n", Options(output="predictions", delimiter=","))
    alone = [score(data, 1, reader, spec).data.split() for reader in readers]
    assert alone == [[b"7.0", b"nan"], [b"007", b"-9"], [b"7.0", b"-9.0"]]
    for first, second in ((0, 1), (1, 0), (0, 2), (2, 1)):
        both = score_each(data, 1, [readers[first], readers[second]], spec)
        pairs = zip(alone[first], alone[second], strict=True)
        assert both.data.split() == [one + b"," + other for one, other in pairs]


def test_rows_and_fields_are_found_once_for_both_models(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = []
    original = scan.split

    def counted(*arguments):
        splits.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(scan, "split", counted)
    models = [named(name, Echo(), numbers("a")) for name in ("one", "other")]
    score_each(b"1\n2\n", 1, models, ChunkSpec(("a",), b"\n", Options(delimiter=",")))
    assert len(splits) == 1
