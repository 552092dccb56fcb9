import importlib
import json
import pickle
import sys

import numpy as np
import pytest
import sklearn
from own_code import KINDS, write_code, write_model

from rowcast.errors import ModelRefused, NotFound, Unprocessable
from rowcast.models.loading.load import load, unpickle
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.own_code_files import read_code
from rowcast.models.registry import Registry
from rowcast.scoring.predict import Wanted, predict

pytestmark = pytest.mark.xdist_group("own code")  # they share the models of `write_model`

COLUMN = np.arange(100.0).reshape(100, 1)


@pytest.fixture
def here(draft):
    return draft.model_copy(update={"libraries": {"scikit-learn": sklearn.__version__}})


@pytest.fixture
def registered(registry, here, tmp_path):
    """Registers a model with own code that has this limit."""

    def register(limit, kind="Over()"):
        file, code = write_model(tmp_path / f"{limit}", limit, kind)
        return registry.register("m", file.read_bytes(), here, code=read_code(code))

    return register


def sums(model):
    return int(predict(model, COLUMN, Wanted()).predictions.sum())


def test_versions_whose_code_has_the_same_names_work_side_by_side(registry, registered):
    before = set(sys.modules)
    models = {limit: load(registry, registered(limit), "strict") for limit in (10, 50)}
    for limit in (10, 50, 50, 10):
        assert sums(models[limit]) == 99 - limit
    assert not {name for name in set(sys.modules) - before if name.startswith(("mypackage", "steps"))}
    assert not any(isinstance(finder, ModelCode) for finder in sys.meta_path)


@pytest.mark.parametrize("kind", KINDS[1:], ids=["bagging", "pipeline"])
def test_estimators_that_copy_and_hold_others_work_with_own_code(registry, registered, kind):
    models = [load(registry, registered(limit, kind), "strict") for limit in (10, 50)]
    for limit, model in zip((10, 50), models, strict=True):
        with model.code.active():
            assert int(model.estimator.predict(COLUMN).sum()) == 99 - limit


def test_a_module_that_this_process_has_under_the_same_name_comes_back(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shadowed.py").write_text("WHOSE = 'the process'")
    ours = importlib.import_module("shadowed")
    code = ModelCode({"shadowed.py": b"WHOSE = 'the model'"})
    with code.active():
        assert importlib.import_module("shadowed").WHOSE == "the model"
        with code.active():
            assert importlib.import_module("shadowed").WHOSE == "the model"
        assert importlib.import_module("shadowed").WHOSE == "the model"
    assert importlib.import_module("shadowed") is ours
    monkeypatch.delitem(sys.modules, "shadowed")


def test_nothing_of_a_package_is_taken_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "splitpackage").mkdir()
    (tmp_path / "splitpackage" / "other.py").write_text("")
    code = ModelCode({"splitpackage/__init__.py": b""})
    with code.active(), pytest.raises(ModuleNotFoundError, match="in the code of the model"):
        importlib.import_module("splitpackage.other")


def test_an_import_that_fails_leaves_nothing_behind_and_names_the_line():
    code = ModelCode({"broken.py": b"import json\n1/0\n"})
    with code.active(), pytest.raises(ZeroDivisionError) as caught:
        importlib.import_module("broken")
    assert "broken" not in sys.modules
    line = caught.traceback[-1]
    assert str(line.path).endswith("broken.py")
    assert line.lineno == 1


def test_no_bytecode_is_written(registry, registered, tmp_path):
    sums(load(registry, registered(10), "strict"))
    assert not list(tmp_path.rglob("__pycache__"))


def test_code_that_was_changed_is_never_imported(registry, registered, tmp_path):
    manifest = registered(10)
    mark = tmp_path / "imported"
    registry.storage.put("m/1/code/mypackage/words.py", f"open({str(mark)!r}, 'w')".encode())
    with pytest.raises(ModelRefused, match=r"code/mypackage/words\.py of m@1 .*SHA-256 differs"):
        load(registry, manifest, "warn")
    registry.storage.delete("m/1/code/mypackage/words.py")
    with pytest.raises(NotFound, match=r"code/mypackage/words\.py of m@1 is missing"):
        load(registry, manifest, "warn")
    assert not mark.exists()


@pytest.mark.parametrize("change", ["drop", "other digest", "more"])
def test_the_signature_covers_the_code(registry, here, change):
    signing = Registry(registry.storage, "the key")
    signing.register("m", b"", here, code={"own.py": b"1"})
    content = json.loads(registry.storage.get("m/1/manifest.json"))
    more = {"path": "more.py", "sha256": "0" * 64, "length_bytes": 1}
    content["code"] = {"drop": [], "other digest": [{**more, "path": "own.py"}], "more": [*content["code"], more]}[
        change
    ]
    registry.storage.put("m/1/manifest.json", json.dumps(content).encode())
    fresh = Registry(registry.storage, "the key")
    with pytest.raises(ModelRefused, match="is not signed"):
        fresh.code_files(fresh.resolve("m"))


@pytest.mark.parametrize(
    "path", ["../other.py", "/etc/passwd", "a/../../b.py", "a//b.py", ".hidden.py", "a\\b.py", "", "a/"]
)
def test_a_path_that_leads_out_of_the_code_is_a_damaged_manifest(registry, here, path):
    registry.register("m", b"", here, code={"own.py": b"1"})
    content = json.loads(registry.storage.get("m/1/manifest.json"))
    content["code"][0]["path"] = path
    registry.storage.put("m/1/manifest.json", json.dumps(content).encode())
    with pytest.raises(ModelRefused, match="is damaged"):
        Registry(registry.storage).resolve("m")


def test_code_over_the_limit_is_a_damaged_manifest(registry, here):
    registry.register("m", b"", here, code={"own.py": b"1"})
    content = json.loads(registry.storage.get("m/1/manifest.json"))
    content["code"][0]["length_bytes"] = 10**9
    registry.storage.put("m/1/manifest.json", json.dumps(content).encode())
    with pytest.raises(ModelRefused, match=r"is damaged: .*over"):
        Registry(registry.storage).resolve("m")


def test_a_package_is_read_with_its_data_and_without_its_bytecode(tmp_path):
    write_code(tmp_path, 1)
    for name in ("mypackage/__pycache__/words.cpython-311.pyc", "mypackage/.git/config", "mypackage/inner/old.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert sorted(read_code([tmp_path / "mypackage", tmp_path / "steps.py"])) == [
        "mypackage/__init__.py",
        "mypackage/data/limit.txt",
        "mypackage/inner/limits.py",
        "mypackage/words.py",
        "steps.py",
    ]


@pytest.mark.parametrize(
    ("files", "given", "fault"),
    [
        ({"model.pkl": b""}, ["model.pkl"], "is not a module"),
        ({"not-a-name.py": b""}, ["not-a-name.py"], "is not a module"),
        ({"random.py": b""}, ["random.py"], "is the name of a module that Python or Rowcast needs"),
        ({"numpy/__init__.py": b""}, ["numpy"], "is the name of a module that Python or Rowcast needs"),
        ({"p/fast.so": b"", "p/__init__.py": b""}, ["p"], "is compiled"),
        ({"p/a b.txt": b"", "p/__init__.py": b""}, ["p"], "cannot be stored"),
        ({"p/data.txt": b""}, ["p"], "holds no Python module"),
        ({"p/__init__.py": b"", "p.py": b""}, ["p", "p.py"], "both a file and a folder"),
        ({"p.py": b""}, ["p.py", "p.py"], "given twice"),
        ({"p/__init__.py": b"", "p/large.bin": bytes(9 * 1024**2)}, ["p"], "has more than 500 files, or 8 MiB"),
        ({"p/__init__.py": b"", **{f"p/m{n}.py": b"" for n in range(501)}}, ["p"], "has more than 500 files, or 8 MiB"),
    ],
)
def test_what_is_no_code_is_refused(tmp_path, files, given, fault):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Unprocessable, match=fault):
        read_code([tmp_path / name for name in given])


def test_code_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFound, match=r"File or folder not found: .*none\.py \(--code\)"):
        read_code([tmp_path / "none.py"])


def test_an_import_that_fails_while_predicting_is_no_rows_fault(registry, here):
    source = b"class Lazy:\n    def predict(self, table):\n        import no_such_package\n"
    code = ModelCode({"lazily.py": source})
    with code.active():
        data = pickle.dumps(importlib.import_module("lazily").Lazy())
    assert "lazily" not in sys.modules
    assert type(unpickle(data, code=code)[0]).__name__ == "Lazy"
    model = load(registry, registry.register("m", data, here, code=code.files), "strict")
    with pytest.raises(ModelRefused, match="predict of m@1 failed: The model needs the module 'no_such_package'"):
        predict(model, COLUMN, Wanted())
