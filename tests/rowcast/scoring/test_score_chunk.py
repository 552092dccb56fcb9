"""Scoring: the input's own bytes with exactly what the model predicts for the whole file, whatever the chunks."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import csv_reference
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_models import Answering, loaded, numbers

from rowcast.csv.chunker import Chunker
from rowcast.jobs.options import Options
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.summary import Summary, merge
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_set import ModelSet
from rowcast.scoring.score_chunk import ChunkSpec, Part, score, unscored


def run(
    data: bytes,
    model: LoadedModel,
    *,
    blocks: Sequence[bytes] | None = None,
    chunk_bytes: int = 4096,
    chunk_rows: int = 1000,
    keeps_blank_rows: bool = True,
    **options: Any,
) -> tuple[bytes, bytes, list[Part]]:
    """Returns the result and the errors of a whole file, and its parts."""
    chosen = Options(**{"delimiter": ","} | options)
    chunker = Chunker(
        delimiter=chosen.delimiter,
        header=chosen.header,
        chunk_bytes=chunk_bytes,
        chunk_rows=chunk_rows,
        max_row_bytes=10**6,
        max_columns=100,
        on_header=None,
        keeps_blank_rows=keeps_blank_rows,
    )
    chunks = [chunk for block in blocks or [data] for chunk in chunker.feed(block)] + list(chunker.end())
    header = chunker.header
    spec = ChunkSpec(header.columns if header else tuple(model.manifest.feature_names), chunker.line_end, chosen)
    parts = [
        score(chunk.data, chunk.first_row, model, spec) if chunk.rows else unscored(chunk.data, [model], spec)
        for chunk in chunks
    ]
    assert [part.rows for part in parts] == [chunk.rows for chunk in chunks]
    first_line = RESULT_FORMAT.header(
        header, chosen, ModelSet((model.manifest,)), chunker.line_end, has_mark=False, separator=b""
    )
    return first_line + b"".join(part.data for part in parts), b"".join(part.errors for part in parts), parts


def whole_summary(parts: Sequence[Part]) -> Summary:
    summary = parts[0].summary
    for part in parts[1:]:
        summary = merge(summary, part.summary)
    return summary


NUMBER_CELLS = st.sampled_from(["0.5", "-1", " 2 ", "1e-3", "3.25", "0"]) | st.floats(-3, 3).map(repr)
CELLS = {
    "a": NUMBER_CELLS | st.sampled_from(["", "nan", "x", "inf", '"1.5"']),
    "town": st.sampled_from(["Aix", '"Köln, Süd"', "Atlantis", "", '"two\nlines"', 'the "odd" one', '"a ""b"""']),
    "flag": st.sampled_from(["true", "FALSE", "0", "1", "", "perhaps"]),
    "note": st.sampled_from(["", "ok", '"x,y"', '"line\r\nend"', '5" pipe', " ", "é漢"]),
}
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", "\r\n\n"])


@st.composite
def files(draw: Any) -> tuple[str, str]:
    """Returns a CSV with the columns of the model `mixed`, another one, faults of all kinds, and its delimiter."""
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    columns = draw(st.permutations(list(CELLS)))
    lines = [delimiter.join(columns)]
    for _ in range(draw(st.integers(1, 12))):
        cells = [draw(CELLS[column]) for column in columns]
        spoilt = draw(st.integers(0, 12))
        if spoilt == 0:
            cells.append("more")
        elif spoilt == 1:
            cells = cells[:-1]
        elif spoilt == 2:
            cells[0] = "a\rb"
        lines.append(delimiter.join(cell.replace(",", delimiter) for cell in cells))
    text = "".join(line + draw(ENDS) for line in lines)
    return (text if draw(st.booleans()) else text.rstrip("\r\n")), delimiter


def as_number(cell: str) -> float | None:
    """Returns the number, NaN for a missing one, None for none."""
    try:
        value = float(cell or "nan")
    except ValueError:
        return None
    return None if math.isinf(value) else value


def as_flag(cell: str) -> object:
    return {"": None, "true": True, "1": True, "false": False, "0": False}.get(cell.lower(), "bad")


@given(files(), st.booleans(), st.sampled_from([1, 60, 200, 10_000]), st.sampled_from([1, 4, 1000]), st.integers(1, 50))
def test_results_are_the_input_and_what_the_model_says(
    models: Mapping[str, LoadedModel],
    file: tuple[str, str],
    probabilities: bool,
    chunk_bytes: int,
    chunk_rows: int,
    block: int,
) -> None:
    text, delimiter = file
    model = models["mixed"]
    (header, *rows), _ = csv_reference.read(text, delimiter)
    if not rows:
        return
    line_end = "\r\n" if header.sent.endswith("\r\n") else "\n"
    table, good = [], []
    for index, row in enumerate(rows):
        cells = dict(zip(header.fields, row.fields, strict=False))
        if len(row.fields) != len(header.fields) or row.lone_return:
            continue
        if as_number(cells["a"]) is None or as_flag(cells["flag"]) == "bad":
            continue
        good.append(index)
        table.append([as_number(cells["a"]), cells["town"] or None, as_flag(cells["flag"])])
    added = dict.fromkeys(range(len(rows)), delimiter * 3 if probabilities else delimiter)
    counted: dict[str, int] = {}
    if good:
        frame = pd.DataFrame(table, columns=["a", "town", "flag"]).astype({"a": "float64"}).astype(
            {"town": "object", "flag": "object"}
        )  # fmt: skip
        said = model.estimator.predict(frame).tolist()
        shares = model.estimator.predict_proba(frame).tolist()
        for index, label, share in zip(good, said, shares, strict=True):
            cells = [label, *share] if probabilities else [label]
            added[index] = delimiter + delimiter.join(map(repr, cells))
            counted[str(label)] = counted.get(str(label), 0) + 1
    names = ["prediction", "probability_0", "probability_1"] if probabilities else ["prediction"]
    expected = header.sent.rstrip("\r\n") + delimiter + delimiter.join(names) + line_end
    for index, row in enumerate(rows):
        content = row.sent.removesuffix("\n").removesuffix("\r") if row.sent.endswith("\n") else row.sent
        expected += content + added[index] + (row.sent[len(content) :] or line_end)

    sent = text.encode()
    result, errors, parts = run(
        sent,
        model,
        blocks=[sent[start : start + block] for start in range(0, len(sent), block)],
        chunk_bytes=chunk_bytes,
        chunk_rows=chunk_rows,
        delimiter="tab" if delimiter == "\t" else delimiter,
        probabilities=probabilities,
    )
    assert result.decode() == expected
    listed = [int(line[0]) for line in csv.reader(io.StringIO(errors.decode(), newline=""))]
    assert listed == [index + 1 for index in range(len(rows)) if index not in good]
    assert sum(part.rows_failed for part in parts) == len(listed)
    assert whole_summary(parts).render() == {"classes": counted}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(5).normal(size=(3001, 3)), columns=["a", "b", "c"])


@pytest.mark.parametrize("name", ["logistic", "labels", "truth", "trees", "amount", "ridge", "nameless"])
def test_chunks_give_what_the_whole_file_gives_in_one_call(
    models: Mapping[str, LoadedModel], table: pd.DataFrame, name: str
) -> None:
    """The bits are equal, also for linear models: this is why chunks have whole blocks of rows."""
    model = models[name]
    probabilities = bool(model.manifest.classes)
    given = table if name != "nameless" else table.to_numpy()
    columns = [model.estimator.predict(given).tolist()]
    if probabilities:
        columns += model.estimator.predict_proba(given).T.tolist()
    expected = [list(map(str, row)) for row in zip(*columns, strict=True)]
    data = table.to_csv(index=False).encode()
    for limits in CUTS:
        result, errors, _ = run(data, model, **limits, output="predictions", probabilities=probabilities)
        assert list(csv.reader(io.StringIO(result.decode())))[1:] == expected
        assert errors == b""


CUTS = ({"chunk_bytes": 10**6, "chunk_rows": 10**6}, {"chunk_bytes": 9000}, {"chunk_rows": 192})


@pytest.mark.parametrize(("name", "threshold"), [("logistic", 0.3), ("truth", 0.75), ("trees", 0.0), ("labels", None)])
def test_thresholds_ranks_and_chosen_columns_are_what_numpy_makes_of_the_probabilities(
    models: Mapping[str, LoadedModel], table: pd.DataFrame, name: str, threshold: float | None
) -> None:
    model = models[name]
    classes = np.array(model.manifest.classes, "object")
    shares = model.estimator.predict_proba(table)
    labels = model.estimator.predict(table)
    if threshold is not None:
        labels = classes[(shares[:, 1] >= threshold).astype(int)]
    ranks = np.argsort(-shares, axis=1, kind="stable")
    wanted = {
        "second": classes[ranks[:, 1]],
        "label": labels,
        "top_1_probability": shares.max(axis=1),
        f"probability_{classes[0]}": shares[:, 0],
    }
    chosen = {"top_2": "second", "prediction": "label", "top_1_probability": "top_1_probability"}
    chosen[f"probability_{classes[0]}"] = f"probability_{classes[0]}"
    options = {"output": "predictions", "threshold": threshold, "top": 2, "columns": chosen}
    for limits in CUTS:
        result, _, parts = run(table.to_csv(index=False).encode(), model, **limits, **options)
        header, *rows = csv.reader(io.StringIO(result.decode()))
        assert header == list(wanted)
        assert rows == [list(map(str, row)) for row in zip(*wanted.values(), strict=True)]
        counted = pd.Series(labels).astype(str).value_counts().to_dict()
        assert whole_summary(parts).render() == {"classes": counted}


def test_a_threshold_is_reached_by_equal_probabilities_and_equal_ones_keep_the_order_of_classes() -> None:
    shares = np.array([[0.7, 0.3], [0.75, 0.25], [0.5, 0.5], [np.nan, np.nan]], np.float32)
    model = loaded(Answering(None, shares), numbers("a"), ["no", "yes"])
    options = {"threshold": 0.3, "top": 1, "output": "predictions"}
    assert run(b"a\n1\n2\n3\n4\n", model, **options)[0] == (
        b"prediction,top_1,top_1_probability\nyes,no,0.7\nno,no,0.75\nyes,no,0.5\nno,no,nan\n"
    )


def test_the_column_of_errors_can_be_anywhere_or_alone(models: Mapping[str, LoadedModel]) -> None:
    data = b"a,b,c\n0,0,0\n0,0,x\n\n,,\n"
    options = {"on_error": "column", "columns": "prediction_error:fault,prediction:label"}
    result, _, _ = run(data, models["logistic"], **options, keeps_blank_rows=False)
    label = models["logistic"].estimator.predict(pd.DataFrame([[0.0] * 3], columns=["a", "b", "c"]))[0]
    assert result.decode() == f"a,b,c,fault,label\n0,0,0,,{label}\n0,0,x,c: not a number,\n,,,,\n"
    alone = {**options, "columns": "prediction_error", "output": "predictions"}
    assert run(data[:12], models["logistic"], **alone)[0] == b'prediction_error\n""\n'
    assert run(data[:12], models["logistic"], **{**alone, "output": "joined"})[0] == b"a,b,c,prediction_error\n0,0,0,\n"


def test_a_file_cut_at_any_byte_gives_the_same(models: Mapping[str, LoadedModel]) -> None:
    data = '\ufeffnote,c,"b",a\r\n"é, ""x""\n",1,2,3\n\n,4,5\r\n5" ,7,8,"9"\n\r\nn,1,,2\n"",0,0,0'.encode()
    whole = run(data, models["nameless"], chunk_rows=2)
    for at in range(len(data) + 1):
        assert run(data, models["nameless"], blocks=[data[:at], data[at:]], chunk_rows=2)[:2] == whole[:2]


def test_the_key_is_carried_along_as_it_was_sent(models: Mapping[str, LoadedModel]) -> None:
    data = b'c,"the id",a,b,more\r\n0, 007 ,0,0,"x\ny"\r\n0,"a,b",x,0,\n1,2\n'
    options = {"output": "predictions", "key": "more,the id"}
    result, errors, _ = run(data, models["nameless"], **options)
    zero = repr(float(models["nameless"].estimator.predict([[0, 0, 0]])[0])).encode()
    assert result == b'more,"the id",prediction\r\n"x\ny", 007 ,' + zero + b'\r\n,"a,b",\n,2,\n'
    assert errors == b'2,a,x,not a number\n3,,,"has 2 fields, the header has 5"\n'


def test_predictions_alone_have_a_line_for_a_bad_row_too(models: Mapping[str, LoadedModel]) -> None:
    result, _, _ = run(b"a,b,c\n0,0,x\n", models["nameless"], output="predictions")
    assert result == b'prediction\n""\n'
    result, _, _ = run(b"a,b,c\n0,0,x\n", models["logistic"], output="predictions", probabilities=True)
    assert result == b"prediction,probability_0,probability_1\n,,\n"


def test_a_file_without_a_header_has_the_features_in_order(models: Mapping[str, LoadedModel]) -> None:
    result, errors, _ = run(b"0|0|0\n1|1\n", models["amount"], header=False, delimiter="|")
    said = repr(float(models["amount"].estimator.predict(pd.DataFrame([[0.0] * 3], columns=["a", "b", "c"]))[0]))
    assert result.decode() == f"0|0|0|{said}\n1|1|\n"
    assert errors == b'2,,,"has 2 fields, not 3"\n'


def test_rows_that_make_the_model_raise_are_bad_and_say_why(models: Mapping[str, LoadedModel]) -> None:
    data = b"a,town\n1,Aix\n1,Atlantis\nx,Atlantis\n-1,Bonn\n"
    result, errors, parts = run(data, models["strict"])
    lines = list(csv.reader(io.StringIO(errors.decode())))
    assert [line[:3] for line in lines] == [["2", "", ""], ["3", "a", "x"]]
    assert "Atlantis" in lines[0][3]
    assert [line.split(b",")[2] for line in result.splitlines()] == [b"prediction", b"1", b"", b"", b"0"]
    first = parts[0].first_error()
    assert (first.row, first.column, first.message) == (2, "", lines[0][3])


def test_a_column_says_what_is_wrong_with_a_bad_row(models: Mapping[str, LoadedModel]) -> None:
    good = run(b"a,town\n1,Aix\n-1,Bonn\n", models["strict"], on_error="column", probabilities=True)[0]
    assert [line.rsplit(b",", 1)[1] for line in good.splitlines()] == [b"prediction_error", b"", b""]
    data = b"a,town\n1,Aix\n1,Atlantis\nx,Aix\n1\n,\n"
    result, errors, _ = run(data, models["strict"], on_error="column", keeps_blank_rows=False)
    rows = list(csv.reader(io.StringIO(result.decode())))
    assert rows[0] == ["a", "town", "prediction", "prediction_error"]
    assert rows[1][2:] == ["1", ""]
    assert (rows[2][2], "Atlantis" in rows[2][3]) == ("", True)
    assert rows[3][2] == ""
    assert rows[3][3].startswith("a: not a number")
    assert rows[4] == ["1", "", "has 1 field, the header has 2"]
    assert rows[5] == ["", "", "", ""], "a blank row at the end is not a bad row"
    assert len(errors.splitlines()) == 3
    alone = run(b"a,town\nx,Aix\n1,Aix\n", models["strict"], on_error="column", output="predictions")[0]
    assert alone.splitlines()[0] == b"prediction,prediction_error"
    assert alone.splitlines()[2] == b"1,"


def test_a_chunk_in_which_no_row_can_be_predicted_is_written_too(models: Mapping[str, LoadedModel]) -> None:
    result, _, parts = run(b"a,b,c\nx,0,0\ny,0,0\n", models["amount"])
    assert result == b"a,b,c,prediction\nx,0,0,\ny,0,0,\n"
    assert (parts[0].rows, parts[0].rows_failed) == (2, 2)
    assert parts[0].summary.render()["mean"] is None
    result, _, parts = run(b"a,town\n0,Rome\n", models["strict"], probabilities=True)
    assert result == b"a,town,prediction,probability_0,probability_1\n0,Rome,,,\n"


def test_rows_are_counted_over_the_whole_file_and_long_values_are_cut(models: Mapping[str, LoadedModel]) -> None:
    data = b"a,b,c\n" + b"0,0,0\n" * 99 + b"0," + b"z" * 900 + b",0\n"
    _, errors, parts = run(data, models["amount"], chunk_rows=4)
    assert len(parts) == 25
    assert errors == b"100,b," + b"z" * 200 + b",not a number\n"


def test_bad_cells_far_apart_cost_their_own_rows_alone(models: Mapping[str, LoadedModel], table: pd.DataFrame) -> None:
    model = models["amount"]
    rows = table.iloc[np.arange(9000) % len(table)].astype("object").reset_index(drop=True)
    expected = [repr(value) for value in model.estimator.predict(rows.astype("float64")).tolist()]
    for row, cell in {0: "x", 4000: "1_0", 4001: "inf", 8999: ""}.items():
        rows.loc[row, "b"], expected[row] = cell, ""
    result, errors, _ = run(rows.to_csv(index=False).encode(), model, chunk_bytes=10**7, chunk_rows=10**7)
    assert [line.split(",")[3] for line in result.decode().splitlines()[1:]] == expected
    assert [line.split(",")[0] for line in errors.decode().splitlines()] == ["1", "4001", "4002", "9000"]


def test_a_byte_order_mark_inside_the_file_is_no_mark(models: Mapping[str, LoadedModel]) -> None:
    """pandas would take it off a chunk's first cell."""
    model = models["nameless"]
    _, errors, parts = run("a,b,c\n0,0,0\n\ufeff1,0,0\n".encode(), model, chunk_rows=1)
    assert len(parts) == 2
    assert errors.decode() == "2,a,\ufeff1,not a number\n"


def test_a_column_of_nothing_but_true_and_false_is_no_column_of_numbers(models: Mapping[str, LoadedModel]) -> None:
    """pandas would read ones and zeros where every cell of a chunk is such a word."""
    _, errors, _ = run(b"a,b,c\nTrue,0,0\nfalse,0,0\n", models["nameless"])
    assert errors == b"1,a,True,not a number\n2,a,false,not a number\n"


def test_labels_are_quoted_where_they_must_be(models: Mapping[str, LoadedModel]) -> None:
    result, _, parts = run(b"a,b,c\n2,0,0\n-2,0,0\n0,0,0\n", models["labels"])
    assert result == b'a,b,c,prediction\n2,0,0,"high, up"\n-2,0,0,"low ""down"""\n0,0,0,mid\n'
    assert parts[0].summary.render() == {"classes": {"high, up": 1, 'low "down"': 1, "mid": 1}}


@pytest.mark.parametrize("guard", [False, True])
def test_labels_are_guarded_if_asked_and_formulas_in_the_input_are_kept(guard: bool) -> None:
    class Formula:
        def predict(self, table: Any) -> Any:
            return np.array(["=1+1", "@a"], dtype=object)[(np.asarray(table, dtype=float)[:, 0] > 0).astype(int)]

    model = loaded(Formula(), numbers("a"), ["=1+1", "@a"])
    cells = [b"=1+1", b"+1", b"-1", b"@x", b'"=A1,B1"', b'"\t=1"']
    lines = [b"%d,%s" % (number % 2, cell) for number, cell in enumerate(cells)]
    result, _, _ = run(b"".join(line + b"\n" for line in (b"a,=note", *lines)), model, guard_formulas=guard)
    mark = b"'" if guard else b""
    added = [mark + (b"@a" if number % 2 else b"=1+1") for number in range(len(cells))]
    assert result.splitlines() == [b"a,=note,prediction", *(b"%s,%s" % pair for pair in zip(lines, added, strict=True))]


def test_no_memory_is_no_rows_fault() -> None:
    class Hungry:
        def predict(self, table: Any) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(b"a\n1\n2\n", loaded(Hungry(), numbers("a")))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_rows_at_the_end_come_back_without_a_prediction(models: Mapping[str, LoadedModel], end: str) -> None:
    text = end.join(["a,b,c", "0,1,2", ",,", '1,"",3', ",,", '"",,', " ,"])
    result, errors, parts = run(text.encode(), models["amount"], keeps_blank_rows=False)
    rows = result.decode().split(end)
    assert rows[0] == "a,b,c,prediction"
    assert rows[4:] == [",,,", '"",,,', " ,,", ""]
    assert [part.rows for part in parts] == [3, 0]
    assert b"\n4," not in errors


def test_a_result_of_predictions_has_only_the_key_of_blank_rows(models: Mapping[str, LoadedModel]) -> None:
    sent = b"a,b,c\n0,1,2\n,,\n"
    result, _, _ = run(sent, models["amount"], keeps_blank_rows=False, output="predictions", key="b")
    assert result.endswith(b"\n,\n")


class Ratios:
    """Three outputs of a row; some are infinite or no number."""

    def predict(self, table: Any) -> Any:
        values = np.asarray(table, dtype=float)
        with np.errstate(all="ignore"):
            return np.stack([values[:, 0] / values[:, 1], np.log(values[:, 0]), values.sum(axis=1)], axis=1)


def test_each_of_several_outputs_is_summed_up_as_numpy_does_over_the_whole_file() -> None:
    rng = np.random.default_rng(5)
    table = rng.integers(-3, 4, (400, 2)).astype(float)
    model = loaded(Ratios(), numbers("a", "b"), outputs=["ratio", "log", "sum"])
    data = pd.DataFrame(table, columns=["a", "b"]).to_csv(index=False).encode()
    _, _, parts = run(data, model, chunk_rows=64)
    shown = whole_summary(parts).render()
    predicted = model.estimator.predict(pd.read_csv(io.BytesIO(data)))
    assert len(parts) > 3
    assert shown["not_finite"] == np.count_nonzero(~np.isfinite(predicted)) > 0
    assert list(shown["outputs"]) == ["ratio", "log", "sum"]
    for summary, values in zip(shown["outputs"].values(), predicted.T, strict=True):
        finite = values[np.isfinite(values)]
        assert summary["not_finite"] == len(values) - len(finite)
        assert (summary["min"], summary["max"]) == (finite.min(), finite.max())
        assert summary["mean"] == pytest.approx(finite.mean(), rel=1e-12)
        edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
        assert counts == [np.count_nonzero((low <= finite) & (finite < high)) for low, high in pairwise(edges)]


def test_labels_of_several_outputs_are_counted_apart_and_only_of_the_first_twenty() -> None:
    class Many:
        def predict(self, table: Any) -> Any:
            return (np.asarray(table, dtype=float)[:, :1] > np.arange(25)).astype(int)

    model = loaded(Many(), numbers("a"), [0, 1], [f"over {place}" for place in range(25)])
    _, _, parts = run(b"a\n5\n0.5\n21\n", model, chunk_rows=1)
    shown = whole_summary(parts).render()
    assert shown["not_finite"] == 0
    assert len(shown["outputs"]) == 20
    assert shown["outputs"]["over 0"] == {"classes": {"1": 3}}
    assert shown["outputs"]["over 19"] == {"classes": {"0": 2, "1": 1}}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blank_lines_are_no_rows_wherever_chunks_are_cut(models: Mapping[str, LoadedModel], end: bytes) -> None:
    model = models["amount"]
    rows = [b"%d,%d,%d" % (row, row % 3, -row) for row in range(40)]
    blanks = [b"", b"  ", b"\t", b" \t \t"]
    lines = [
        b"   ",
        b"a,b,c",
        *(line for number, row in enumerate(rows) for line in (*blanks[: number % 5], row)),
        b"  ",
    ]
    data = end.join(lines)
    wanted = [repr(value) for value in model.estimator.predict(pd.read_csv(io.BytesIO(data))).tolist()]
    whole = end.join(b"%s,%s" % pair for pair in zip(rows, map(str.encode, wanted), strict=True))
    for chunk_rows in (1, 7, 1000):
        for blocks in ([data], [data[at : at + 1] for at in range(len(data))]):
            result, errors, parts = run(data, model, blocks=blocks, chunk_rows=chunk_rows)
            assert (result, errors) == (b"a,b,c,prediction" + end + whole + end, b"")
            assert sum(part.rows for part in parts) == len(rows)
