import pickle
from datetime import UTC, datetime

import cloudpickle
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from structlog.testing import capture_logs

from rowcast.errors import ModelRefused
from rowcast.models.loading.load import load
from rowcast.models.loading.own_code import NO_CODE, ModelCode
from rowcast.models.loading.pickle_scan import PickleScan, scan_pickle
from rowcast.models.loading.requirements import distributions, missing_modules, requirements
from rowcast.models.model_manifest import Requirement


@pytest.fixture
def here(draft):
    return draft.model_copy(update={"libraries": {"scikit-learn": sklearn.__version__}})


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_tells_its_modules_and_its_scikit_learn_in_every_protocol(protocol):
    fitted = make_pipeline(StandardScaler(), FunctionTransformer(np.abs), LogisticRegression())
    scan = scan_pickle(pickle.dumps(fitted.fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5), protocol))
    assert ("sklearn.linear_model._logistic", "LogisticRegression") in scan.names
    assert {module.partition(".")[0] for module in scan.modules} >= {"numpy", "sklearn"}
    assert scan.sklearn_versions == {sklearn.__version__}
    assert set(requirements(scan, NO_CODE)) == {"numpy", "sklearn"}


def test_a_cloudpickle_tells_the_modules_that_its_functions_use():
    def uses():
        return np.__name__, datetime.now(UTC)

    uses.__module__ = "__main__"  # so that it is stored by value
    scan = scan_pickle(cloudpickle.dumps(uses))
    assert {"numpy", "cloudpickle.cloudpickle"} <= scan.modules
    assert not any(module == "__main__" for module, _ in scan.names)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04\x93.", b"\x93", pickle.dumps([1, "a"])[:-3]])
def test_bytes_that_are_no_pickle_tell_nothing(data):
    assert scan_pickle(data) == PickleScan()


def test_nothing_of_a_pickle_is_executed(trap):
    path, data = trap
    assert scan_pickle(data).names
    assert not path.exists()


CODE = ModelCode(
    {
        "own/__init__.py": b"from .used import thing\nfrom . import also",
        "own/used.py": b"import numpy.linalg\nimport os.path\ndef later():\n    import pandas, no_such_thing",
        "own/also.py": b"try:\n    import scipy\nexcept ImportError:\n    import no_such_thing",
        "own/unused.py": b"import joblib, no_such_thing",
        "broken.py": b"import (",
    }
)


def test_the_imports_of_own_code_are_followed_and_what_it_may_do_without_is_marked():
    found = requirements(PickleScan(modules={"own.used", "broken"}), CODE)
    assert {module: one.optional for module, one in found.items()} == {"numpy": False, "pandas": True, "scipy": True}
    assert found["numpy"] == Requirement(distribution="numpy", version=np.__version__)
    assert missing_modules(PickleScan(modules={"own.used"}), CODE) == []
    assert missing_modules(PickleScan(modules={"own.unused", "other.thing"}), CODE) == ["no_such_thing", "other.thing"]


def test_the_distribution_of_a_module_is_found_by_its_name_or_by_its_files():
    assert distributions("sklearn") == ["scikit-learn"]
    assert distributions("_pytest") == ["pytest"]
    assert distributions("no_such_thing") == []


def register(registry, here, fitted, **requires):
    draft = here.model_copy(update={"requires": requires})
    return registry.register("m", pickle.dumps(fitted), draft)


def test_a_model_whose_package_is_not_here_is_refused_with_the_remedy(registry, here, trap):
    path, data = trap
    boost = Requirement(distribution="some-boost", version="4.7.0")
    draft = here.model_copy(update={"requires": {"some_boost": boost}})
    for versions in ("strict", "warn"):
        with pytest.raises(ModelRefused, match=r"needs some-boost 4\.7\.0, .* pip install some-boost==4\.7\.0\.$"):
            load(registry, registry.register("m", data, draft), versions)
    assert not path.exists()


def test_a_package_that_is_optional_may_be_missing_and_another_version_is_said(registry, here):
    plots = Requirement(distribution="some-plots", version="1", optional=True)
    numpy = Requirement(distribution="numpy", version="0.1")
    manifest = register(registry, here, LogisticRegression(), some_plots=plots, numpy=numpy)
    with capture_logs() as logs:
        load(registry, manifest, "strict")
    assert logs[0]["libraries"]["numpy"] == {"trained": "0.1", "here": np.__version__}
