"""The families of estimators that users bring, each as a model that takes a frame with features of every kind."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import users_code
import xgboost
from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)

lightgbm: Any
try:
    import lightgbm
except OSError:  # Debian's libgomp1 is not installed: left out on a laptop, a failure in CI
    if os.environ.get("CI") == "true":
        raise
    lightgbm = None


@dataclass(frozen=True)
class Family:
    """A family. `make` gives a model that is not fitted yet and takes the frame."""

    make: Callable[[], Any]
    #: What it learns, a name of `TARGETS` in test_families.py; None for models that learn without a target.
    target: str | None
    #: Its sums are made by BLAS: a single row may differ from the same row in a file, in the last bit.
    is_blas: bool = False
    #: It takes three columns of the frame as they are, one of them of categories.
    takes_categories: bool = False


def encode() -> list[Any]:
    """Returns a short preprocessing of features of every kind. test_features.py has each kind with each usual step.

    There are few transformers, and what all numbers need is done once, behind them: most of the time of these tests is
    that of the preprocessing.
    """
    columns = [
        ("numbers", "passthrough", NUMBERS),
        ("text", one_hot(), ["town", "agree", "zip", "code", "plan"]),
        ("dates and flags", FunctionTransformer(users_code.numbers_of_members), ["joined", "member"]),
    ]
    return [ColumnTransformer(columns), SimpleImputer(strategy="median"), StandardScaler()]


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def after(*steps: Any) -> Callable[[], Pipeline]:
    return lambda: make_pipeline(*encode(), *steps)


def few(kind: Any, **more: Any) -> Any:
    return kind(n_estimators=5, random_state=0, **more)


CATEGORIES = ["plan"]
NUMBERS = ["height cm", "age"]


def selected(columns: list[str], model: Any) -> Pipeline:
    """Returns a model that takes some columns of the frame as they are, with their types."""
    return make_pipeline(users_code.Picker(columns), model)


FAMILIES = {
    "linear": Family(after(linear_model.LinearRegression()), "amount", is_blas=True),
    "ridge": Family(after(linear_model.Ridge()), "amount", is_blas=True),
    "elastic net": Family(after(linear_model.ElasticNet(alpha=0.01)), "amount", is_blas=True),
    "poisson": Family(after(linear_model.PoissonRegressor()), "count", is_blas=True),
    "huber": Family(after(linear_model.HuberRegressor(max_iter=2000)), "amount", is_blas=True),
    "logistic": Family(after(linear_model.LogisticRegression()), "labels", is_blas=True),
    "logistic of truth": Family(after(linear_model.LogisticRegression()), "truth", is_blas=True),
    "ridge classifier": Family(after(linear_model.RidgeClassifier()), "class", is_blas=True),
    "sgd": Family(after(linear_model.SGDClassifier(random_state=0)), "labels", is_blas=True),
    "polynomial": Family(after(PolynomialFeatures(2), linear_model.Ridge()), "amount", is_blas=True),
    "selected features": Family(after(SelectKBest(k=5), linear_model.Ridge()), "amount", is_blas=True),
    "discriminant": Family(after(LinearDiscriminantAnalysis()), "class", is_blas=True),
    "tree": Family(after(tree.DecisionTreeClassifier(random_state=0)), "labels"),
    "forest": Family(after(few(ensemble.RandomForestClassifier, n_jobs=2)), "class"),
    "forest of amounts": Family(after(few(ensemble.RandomForestRegressor)), "amount"),
    "extra trees": Family(after(few(ensemble.ExtraTreesClassifier)), "labels"),
    "extra trees of amounts": Family(after(few(ensemble.ExtraTreesRegressor)), "amount"),
    "hist boosting": Family(after(ensemble.HistGradientBoostingClassifier(max_iter=5)), "labels"),
    "hist boosting of amounts": Family(after(ensemble.HistGradientBoostingRegressor(max_iter=5)), "amount"),
    "hist boosting with categories": Family(
        lambda: selected(
            [*NUMBERS, *CATEGORIES],
            ensemble.HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype"),
        ),
        "amount",
    ),
    "gradient boosting": Family(after(few(ensemble.GradientBoostingClassifier)), "labels"),
    "gradient boosting of amounts": Family(after(few(ensemble.GradientBoostingRegressor)), "amount"),
    "adaboost": Family(after(few(ensemble.AdaBoostClassifier)), "class"),
    "bagging": Family(after(few(ensemble.BaggingRegressor)), "amount"),
    "neighbours": Family(after(neighbors.KNeighborsClassifier()), "labels", is_blas=True),
    "neighbours of amounts": Family(after(neighbors.KNeighborsRegressor(algorithm="kd_tree")), "amount"),
    "neighbours of amounts by brute force": Family(after(neighbors.KNeighborsRegressor()), "amount", is_blas=True),
    "svm": Family(after(svm.SVC()), "labels", is_blas=True),
    "svm of amounts": Family(after(svm.SVR()), "amount", is_blas=True),
    "linear svm": Family(after(svm.LinearSVC()), "class", is_blas=True),
    "gaussian bayes": Family(after(naive_bayes.GaussianNB()), "labels"),
    "multinomial bayes": Family(after(MinMaxScaler(clip=True), naive_bayes.MultinomialNB()), "class", is_blas=True),
    "mlp": Family(after(MLPClassifier((5,), max_iter=60, random_state=0)), "labels", is_blas=True),
    "mlp of amounts": Family(
        after(MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0)), "amount", is_blas=True
    ),
    "gaussian process": Family(after(GaussianProcessRegressor(alpha=0.1)), "amount", is_blas=True),
    "stacking": Family(
        lambda: ensemble.StackingClassifier(
            [("tree", after(few(ensemble.RandomForestClassifier))()), ("bayes", after(naive_bayes.GaussianNB())())],
            cv=2,
        ),
        "labels",
        is_blas=True,
    ),
    "stacking of amounts": Family(
        after(ensemble.StackingRegressor([("tree", few(ensemble.RandomForestRegressor))], linear_model.Ridge(), cv=2)),
        "amount",
        is_blas=True,
    ),
    "calibrated": Family(lambda: CalibratedClassifierCV(after(few(ensemble.RandomForestClassifier))(), cv=2), "labels"),
    "grid search": Family(
        lambda: GridSearchCV(after(linear_model.Ridge())(), {"ridge__alpha": [0.1, 1]}, cv=2), "amount", is_blas=True
    ),
    "random search": Family(
        lambda: RandomizedSearchCV(
            after(few(ensemble.ExtraTreesClassifier))(),
            {"extratreesclassifier__max_depth": [2, 3]},
            n_iter=2,
            cv=2,
            random_state=0,
        ),
        "class",
    ),
    "voting": Family(
        lambda: ensemble.VotingClassifier(
            [
                ("trees", after(few(ensemble.ExtraTreesClassifier))()),
                ("line", after(linear_model.LogisticRegression())()),
            ],
            voting="soft",
        ),
        "labels",
        is_blas=True,
    ),
    "voting of amounts": Family(
        after(ensemble.VotingRegressor([("trees", few(ensemble.ExtraTreesRegressor)), ("line", linear_model.Ridge())])),
        "amount",
        is_blas=True,
    ),
    "transformed target": Family(
        lambda: TransformedTargetRegressor(
            after(linear_model.Ridge())(), transformer=QuantileTransformer(n_quantiles=50)
        ),
        "amount",
        is_blas=True,
    ),
    "several amounts": Family(lambda: MultiOutputRegressor(after(few(ensemble.ExtraTreesRegressor))()), "amounts"),
    "several amounts of one forest": Family(after(few(ensemble.RandomForestRegressor)), "amounts"),
    "several amounts of a line": Family(after(linear_model.LinearRegression()), "amounts", is_blas=True),
    "several labels": Family(after(MultiOutputClassifier(few(ensemble.ExtraTreesClassifier))), "flags"),
    "several labels of one forest": Family(after(few(ensemble.RandomForestClassifier)), "flags"),
    "chain of labels": Family(after(ClassifierChain(few(ensemble.ExtraTreesClassifier))), "flags"),
    "target as a frame": Family(after(linear_model.Ridge()), "frame", is_blas=True),
    "outliers": Family(after(few(ensemble.IsolationForest)), None),
    "one-class svm": Family(after(svm.OneClassSVM()), None, is_blas=True),
    "local outliers": Family(after(LocalOutlierFactor(novelty=True, contamination=0.2)), None, is_blas=True),
    "k-means": Family(after(KMeans(3, n_init=1, random_state=0)), None, is_blas=True),
    "mixture": Family(after(GaussianMixture(2, reg_covar=0.1, random_state=0)), None, is_blas=True),
    "xgboost": Family(after(few(xgboost.XGBClassifier, n_jobs=1)), "class"),
    "xgboost of amounts": Family(after(few(xgboost.XGBRegressor, n_jobs=1)), "amount"),
    "xgboost with categories": Family(
        lambda: few(xgboost.XGBRegressor, n_jobs=1, enable_categorical=True, tree_method="hist"),
        "amount",
        takes_categories=True,
    ),
    "xgboost classes with categories": Family(
        lambda: few(xgboost.XGBClassifier, n_jobs=1, enable_categorical=True, tree_method="hist"),
        "class",
        takes_categories=True,
    ),
    "columns by their types": Family(
        lambda: make_pipeline(
            ColumnTransformer([("numbers", KNNImputer(), make_column_selector(dtype_include="number"))]),
            few(ensemble.ExtraTreesRegressor),
        ),
        "amount",
    ),
    "union of own pickers": Family(
        lambda: make_pipeline(
            FeatureUnion(
                [
                    ("numbers", make_pipeline(users_code.Picker(NUMBERS), SimpleImputer())),
                    (
                        "text",
                        make_pipeline(users_code.Picker(["town"]), SimpleImputer(strategy="most_frequent"), one_hot()),
                    ),
                ]
            ),
            few(ensemble.ExtraTreesClassifier),
        ),
        "labels",
    ),
    "plain class": Family(users_code.Plain, None),
    "plain class of numbers": Family(users_code.PlainNumbers, None),
}

if lightgbm is not None:
    FAMILIES |= {
        "lightgbm": Family(after(few(lightgbm.LGBMClassifier, verbose=-1, n_jobs=1)), "labels"),
        "lightgbm of amounts": Family(after(few(lightgbm.LGBMRegressor, verbose=-1, n_jobs=1)), "amount"),
        "lightgbm with categories": Family(
            lambda: few(lightgbm.LGBMRegressor, verbose=-1, n_jobs=1), "amount", takes_categories=True
        ),
        "lightgbm classes with categories": Family(
            lambda: few(lightgbm.LGBMClassifier, verbose=-1, n_jobs=1), "labels", takes_categories=True
        ),
    }
