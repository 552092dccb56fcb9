"""The types that a skops file may contain, in addition to those that skops itself trusts.

skops trusts scikit-learn's public estimators, numpy's scalars and universal functions, and the like. Fitted estimators
also contain these types. Constructing one of them, or setting its state, runs no code that a file chooses.
"""

TRUSTED_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "functools.partial",  # of a function that is trusted itself
        "numpy.dtype",
        *("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRegressor"),
        *("xgboost.sklearn.XGBRFClassifier", "xgboost.sklearn.XGBRFRegressor"),
        *("lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier", "lightgbm.sklearn.LGBMRegressor"),
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        *(f"sklearn.feature_selection._univariate_selection.{name}" for name in ("chi2", "f_classif", "f_regression")),
        *(
            f"sklearn.feature_selection._mutual_info.{name}"
            for name in ("mutual_info_classif", "mutual_info_regression")
        ),
        *(
            f"sklearn.gaussian_process.kernels.{name}"
            for name in (
                *("CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern"),
                *("PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel"),
            )
        ),
        *(
            f"sklearn.metrics._dist_metrics.{name}Distance{bits}"
            for name in ("Euclidean", "Manhattan", "Chebyshev", "Minkowski")
            for bits in (32, 64)
        ),
        "sklearn.metrics._scorer._PassthroughScorer",
        *(
            f"sklearn.model_selection._split.{name}"
            for name in (
                *("GroupKFold", "KFold", "LeaveOneOut", "RepeatedKFold", "RepeatedStratifiedKFold", "ShuffleSplit"),
                *("StratifiedGroupKFold", "StratifiedKFold", "StratifiedShuffleSplit", "TimeSeriesSplit"),
            )
        ),
        *(f"sklearn.neighbors.{name}" for name in ("_ball_tree.BallTree", "_kd_tree.KDTree")),
        *(f"sklearn.neural_network._stochastic_optimizers.{name}" for name in ("AdamOptimizer", "SGDOptimizer")),
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
    }
)
