"""Inside scikit-learn's machinery, as users put it together: digits, a mixed table, and Adult.

The mixed table is made up and always there. The same scenarios run on Adult (marked slow) where
``--data=DIR`` or ``SKMDLAM_DATA`` names a folder with ``tab/adult_raw.csv``.
"""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from skmdlam import MDLAMClassifier, MDLAMRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ADULT_COLUMNS = [
    *("age", "work", "weight", "education", "years", "marital", "job", "relation"),
    *("race", "sex", "gain", "loss", "hours", "country"),
]


def made_up(n=600):
    """Numbers of very different sizes, some missing, categories, a flag; an interaction decides."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": np.exp(rng.normal(10, 0.7, n)),
            "hours": rng.normal(38, 8, n),
            "rate": rng.normal(0, 1e-4, n),
            "job": rng.choice(["clerk", "nurse", "driver", "teacher", "cook"], n),
            "region": rng.choice(["north", "south", "west"], n),
            "member": rng.random(n) < 0.4,
        }
    )
    score = (
        0.06 * (table["age"] - 45) * np.where(table["member"], -1, 1)
        + 1.5 * (np.log(table["income"]) - 10)
        + np.where(table["job"].isin(["nurse", "cook"]), 1.0, -0.6)
        + rng.logistic(0, 0.5, n)
    )
    table.loc[rng.random(n) < 0.1, "income"] = np.nan
    return table, np.where(score > 0, "yes", "no")


@pytest.fixture(params=["made up", pytest.param("adult", marks=pytest.mark.slow)], scope="module")
def table(request):
    """Training and test part of a table with string labels."""
    if request.param == "made up":
        X, y = made_up()
    else:
        file = request.getfixturevalue("data_dir") / "tab" / "adult_raw.csv"
        if not file.is_file():
            pytest.skip(f"needs Adult: {file} is not there")
        data = pd.read_csv(file, header=None, skipinitialspace=True).sample(3000, random_state=0)
        X, y = data.iloc[:, :-1], data.iloc[:, -1].to_numpy()
        X.columns = ADULT_COLUMNS
    return train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=0)


def small(estimator=MDLAMClassifier, **parameters):
    """A network that takes a moment to fit."""
    return estimator(
        **{"hidden_layer_sizes": (20,), "max_iter": 25, "random_state": 0, **parameters}
    )


def columns(scaler="passthrough"):
    """Encode a mixed table. Ours needs no scaler for the numbers."""
    return ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(), scaler),
                make_column_selector(dtype_include=np.number),
            ),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore"),
                make_column_selector(dtype_exclude=np.number),
            ),
        ]
    )


def pipeline(model, scaler="passthrough"):
    return Pipeline([("columns", columns(scaler)), ("model", model)])


def chance(y):
    return max(np.mean(y == label) for label in np.unique(y))


def not_worse(ours, theirs, overlap=0.0):
    """Mean of paired differences: no further below zero than two of its standard errors.

    ``overlap`` is the ratio of the samples tested on to those trained on, where the differences
    come from folds: their training parts overlap, and the plain standard error is too small
    (Nadeau and Bengio, 2003).
    """
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    error = difference.std(ddof=1) * np.sqrt(1 / difference.size + overlap)
    assert difference.mean() >= -2 * error, (difference.mean(), error)


# What a grid may name, for each way to fit.
GRIDS = {
    "mini-batches": ({}, {"rho": [1.0, 50.0], "alpha": [1e-4, 10.0]}),
    "full batch": ({"batch_size": None}, {"rho": ["auto", 10.0], "alpha": [1e-4, 10.0]}),
    "relaxed": (
        {"solver": "relaxed", "max_iter": 60},
        {"rho": [0.1, 1.0], "epsilon": [1e-3, 1e-1], "alpha": [1e-2, 1.0]},
    ),
}


class TestSearch:
    @pytest.mark.parametrize(
        "kind",
        [
            "full batch",
            *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("mini-batches", "relaxed")),
        ],
    )
    @pytest.mark.slow
    def test_grid_in_a_pipeline(self, table, kind):
        X, X_test, y, y_test = table
        options, grid = GRIDS[kind]
        scaler = StandardScaler() if kind == "relaxed" else "passthrough"
        search = GridSearchCV(
            pipeline(small(**options), scaler),
            {f"model__{name}": values for name, values in grid.items()},
            cv=2,
            error_score="raise",
        ).fit(X, y)
        scores = search.cv_results_["mean_test_score"]
        assert scores.size == np.prod([len(values) for values in grid.values()])
        assert search.best_score_ == scores.max() > scores.min()
        assert search.score(X_test, y_test) > chance(y_test) + 0.03
        assert set(search.predict(X_test)) == set(y_test)
        names = search.best_estimator_[0].get_feature_names_out()
        assert len(names) == search.best_estimator_["model"].n_features_in_

    @pytest.mark.slow
    def test_grid_on_digits(self, digits):
        X, X_test, y, y_test = digits
        grid = {"alpha": [1e-4, 1e4], "hidden_layer_sizes": [(20,), (20, 20)]}
        search = GridSearchCV(small(), grid, cv=2, error_score="raise").fit(X[:600], y[:600])
        assert search.best_params_["alpha"] == 1e-4
        assert search.score(X_test, y_test) > 0.92

    @pytest.mark.slow
    @pytest.mark.parametrize("resource", ["n_samples", "max_iter"])
    def test_halving(self, table, resource):
        """Iterations are a resource that can be halved too."""
        X, X_test, y, y_test = table
        bounds = {} if resource == "n_samples" else {"max_resources": 36, "min_resources": 4}
        name = resource if resource == "n_samples" else f"model__{resource}"
        search = HalvingRandomSearchCV(
            pipeline(small()),
            {"model__alpha": loguniform(1e-4, 1e2), "model__activity_alpha": ["auto", 0.0, 1.0]},
            resource=name,
            n_candidates=6,
            cv=2,
            random_state=0,
            error_score="raise",
            **bounds,
        ).fit(X, y)
        assert search.n_iterations_ >= 2
        assert search.score(X_test, y_test) > chance(y_test) + 0.03

    @pytest.mark.slow
    def test_workers(self, table):
        """Two processes give the result of one."""
        X, _, y, _ = table
        searches = [
            GridSearchCV(pipeline(small()), {"model__alpha": [0.01, 1.0]}, cv=2, n_jobs=n).fit(X, y)
            for n in (1, 2)
        ]
        one, two = (search.cv_results_["mean_test_score"] for search in searches)
        np.testing.assert_array_equal(one, two)


class TestAgainstMLP:
    """Not worse beyond noise: paired folds, MLPClassifier with the scaler that it needs."""

    @pytest.mark.slow
    def test_digits(self):
        X, y = load_digits(return_X_y=True)
        folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
        theirs = make_pipeline(MinMaxScaler(), MLPClassifier(random_state=0))
        ours = cross_validate(MDLAMClassifier(random_state=0), X, y, cv=folds)
        theirs = cross_validate(theirs, X, y, cv=folds)
        not_worse(ours["test_score"], theirs["test_score"], overlap=1 / 2)
        assert ours["test_score"].mean() > 0.97
        assert ours["fit_time"].sum() < theirs["fit_time"].sum()

    @pytest.mark.slow
    def test_table(self, table):
        X, _, y, _ = table
        folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
        metrics = ["accuracy", "roc_auc", "neg_log_loss"]
        ours, theirs = (
            cross_validate(model, X, y, cv=folds, scoring=metrics)
            for model in (
                pipeline(MDLAMClassifier((50,), random_state=0)),
                pipeline(MLPClassifier((50,), random_state=0), StandardScaler()),
            )
        )
        for metric in metrics:
            not_worse(ours[f"test_{metric}"], theirs[f"test_{metric}"], overlap=1 / 2)

    @pytest.mark.slow
    def test_diabetes(self):
        """theirs with a scaler for the target too: without it 200 epochs do not get there."""
        X, y = load_diabetes(return_X_y=True)
        folds = ShuffleSplit(n_splits=5, test_size=0.3, random_state=0)
        theirs = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), MLPRegressor(random_state=0)),
            transformer=StandardScaler(),
        )
        ours = cross_val_score(MDLAMRegressor(random_state=0), X, y, cv=folds)
        for control in (theirs, Ridge(alpha=0.1)):
            not_worse(ours, cross_val_score(control, X, y, cv=folds), overlap=3 / 7)


def brier(p, codes):
    """Squared error of each sample."""
    return (p[:, 1] - codes) ** 2


@pytest.mark.parametrize("method", ["sigmoid", pytest.param("isotonic", marks=pytest.mark.slow)])
class TestCalibration:
    def fitted(self, table, method, **parameters):
        X, X_test, y, y_test = table
        codes = y_test == np.unique(y)[1]
        plain = pipeline(small(**parameters))
        # Not an ensemble: each of its members would see two thirds of the rows.
        calibrated = CalibratedClassifierCV(clone(plain), method=method, cv=3, ensemble=False)
        calibrated.fit(X, y)
        p, q = plain.fit(X, y).predict_proba(X_test), calibrated.predict_proba(X_test)
        np.testing.assert_allclose(q.sum(axis=1), 1.0)
        return brier(p, codes), brier(q, codes)

    @pytest.mark.slow
    def test_overconfident_is_mended(self, table, method):
        """A net that has learned the training part by heart claims too much."""
        plain, calibrated = self.fitted(
            table,
            method,
            hidden_layer_sizes=(50,),
            batch_size=None,
            activity_alpha=0.0,
            max_iter=300,
        )
        assert calibrated.mean() < 0.95 * plain.mean()

    @pytest.mark.slow
    def test_default_is_kept(self, table, method):
        plain, calibrated = self.fitted(table, method)
        not_worse(-calibrated, -plain)


class TestEnsembles:
    @pytest.mark.slow
    def test_stacking(self, table):
        X, X_test, y, y_test = table
        dense = make_pipeline(columns(), FunctionTransformer(_dense))
        stack = StackingClassifier(
            [
                ("net", pipeline(small())),
                (
                    "trees",
                    Pipeline([("c", dense), ("m", HistGradientBoostingClassifier(max_iter=20))]),
                ),
            ],
            final_estimator=LogisticRegression(),
            cv=2,
        ).fit(X, y)
        assert stack.score(X_test, y_test) > chance(y_test) + 0.03
        assert stack.transform(X_test).shape == (len(X_test), 2)

    def test_as_the_final_estimator(self, table):
        X, X_test, y, y_test = table
        stack = StackingClassifier(
            [("line", pipeline(LogisticRegression(max_iter=300), StandardScaler()))],
            final_estimator=small(hidden_layer_sizes=(5,)),
            cv=2,
        ).fit(X, y)
        assert stack.score(X_test, y_test) > chance(y_test)

    @pytest.mark.slow
    def test_voting(self, digits):
        X, X_test, y, y_test = digits
        X, y = X[:600], y[:600]
        voters = [(f"net {seed}", small(random_state=seed)) for seed in range(3)]
        vote = VotingClassifier(voters, voting="soft", weights=[2, 1, 1]).fit(X, y)
        alone = [model.score(X_test, y_test) for model in vote.estimators_]
        assert vote.score(X_test, y_test) >= np.mean(alone)
        X, y = load_diabetes(return_X_y=True)
        voters = [(name, small(MDLAMRegressor, loss=name)) for name in ("squared_error", "huber")]
        assert VotingRegressor(voters).fit(X, y).score(X, y) > 0.4

    @pytest.mark.slow
    def test_bagging_counts_copies(self, digits):
        """Bootstraps come as weights, and the fit takes them."""
        X, X_test, y, y_test = digits
        seen = []

        class Watched(MDLAMClassifier):
            def fit(self, X, y, sample_weight=None):
                seen.append(sample_weight)
                return super().fit(X, y, sample_weight=sample_weight)

        bag = BaggingClassifier(
            Watched((20,), max_iter=25, random_state=0), n_estimators=3, random_state=0
        ).fit(X[:600], y[:600])
        assert bag.score(X_test, y_test) > 0.92
        assert len(seen) == 3
        # Newer versions of scikit-learn give the rows themselves unless the user has weights.
        assert all(weight is None or weight.sum() == 600 for weight in seen)

    def test_bagging_of_features(self):
        X, y = load_diabetes(return_X_y=True)
        bag = BaggingRegressor(
            small(MDLAMRegressor), n_estimators=3, max_features=0.7, random_state=0
        )
        assert bag.fit(X, y).score(X, y) > 0.4

    @pytest.mark.slow
    def test_boosting(self, table):
        """AdaBoost gives its weights, of sum one, to the fit."""
        X, X_test, y, y_test = table
        encode = columns()
        boost = AdaBoostClassifier(small(hidden_layer_sizes=(5,)), n_estimators=3, random_state=0)
        boost.fit(encode.fit_transform(X), y)
        assert boost.score(encode.transform(X_test), y_test) > chance(y_test)
        assert len(boost.estimators_) >= 1


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X


class TestInspection:
    def test_permutation_importance(self):
        """What decides on the made-up table is found, what does not is not."""
        X, X_test, y, y_test = train_test_split(*made_up(900), test_size=1 / 3, random_state=0)
        model = pipeline(MDLAMClassifier((20,), random_state=0)).fit(X, y)
        result = permutation_importance(model, X_test, y_test, n_repeats=5, random_state=0)
        importance = dict(zip(X.columns, result.importances_mean, strict=True))
        useful = {"age", "income", "job", "member"}
        useless = set(X.columns) - useful
        assert min(importance[name] for name in useful) > max(importance[name] for name in useless)
        assert max(abs(importance[name]) for name in useless) < 0.03

    def test_partial_dependence(self):
        X, y = made_up()
        complete = X["income"].notna().to_numpy()
        X, y = X[complete], y[complete]
        model = pipeline(MDLAMClassifier((20,), random_state=0)).fit(X, y)
        result = partial_dependence(model, X, ["income"], grid_resolution=5)
        (curve,) = result["average"]
        assert curve[-1] - curve[0] > 0.3


class TestSelection:
    """Weights of an input are a row of the first layer's: their norm says what it is worth."""

    @pytest.mark.parametrize(
        "selector", [pytest.param(RFECV, marks=pytest.mark.slow), SelectFromModel]
    )
    def test_group_penalty(self, selector):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((300, 10))
        y = X[:, 0] * X[:, 1] + np.abs(X[:, 2]) + 0.1 * rng.standard_normal(300)
        model = MDLAMRegressor(
            hidden_layer_sizes=(20,),
            penalty="group",
            alpha=1.0,
            batch_size=30,
            max_iter=60,
            random_state=0,
        )
        options = {"cv": 3, "step": 2} if selector is RFECV else {"threshold": "mean"}
        chosen = selector(model, importance_getter=row_norms, **options).fit(X, y)
        assert set(chosen.get_support(indices=True)) >= {0, 1, 2}
        assert chosen.get_support().sum() <= 5
        alone = model.fit(chosen.transform(X), y)
        assert alone.score(chosen.transform(X), y) > 0.9


def row_norms(model):
    return np.linalg.norm(model.coefs_[0], axis=1)


class TestTargets:
    def test_transformed(self):
        X, y = load_diabetes(return_X_y=True)
        model = TransformedTargetRegressor(small(MDLAMRegressor), func=np.log, inverse_func=np.exp)
        assert model.fit(X, y).score(X, y) > 0.4
        assert model.predict(X).min() > 0
        quantiles = TransformedTargetRegressor(
            small(MDLAMRegressor), transformer=QuantileTransformer(n_quantiles=50)
        )
        assert quantiles.fit(X, y).score(X, y) > 0.4

    @pytest.mark.slow
    def test_each_column_a_classifier(self, digits):
        """A column of ten classes and one of two: what the classifier itself refuses."""
        X, X_test, y, y_test = digits
        both = [np.column_stack([t, t % 2]) for t in (y, y_test)]
        model = MultiOutputClassifier(small()).fit(X[:600], both[0][:600])
        predicted = model.predict(X_test)
        assert ((predicted == both[1]).mean(axis=0) > 0.92).all()
        assert [p.shape[1] for p in model.predict_proba(X_test)] == [10, 2]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "kind",
        [
            OneVsRestClassifier,
            OneVsOneClassifier,
            pytest.param(OutputCodeClassifier, marks=pytest.mark.slow),
        ],
    )
    def test_one_against_others(self, digits, kind):
        X, X_test, y, y_test = digits
        few, few_test = y < 4, y_test < 4
        # A short random code may be the same for two classes.
        options = {"code_size": 4, "random_state": 0} if kind is OutputCodeClassifier else {}
        model = kind(small(), **options).fit(X[few][:300], y[few][:300])
        assert model.score(X_test[few_test], y_test[few_test]) > 0.95

    @pytest.mark.slow
    def test_one_against_others_of_several_labels(self, digits):
        X, X_test, y, y_test = digits
        labels, labels_test = (
            np.column_stack([t % 2 == 0, t > 4]).astype(int) for t in (y, y_test)
        )
        model = OneVsRestClassifier(small()).fit(X[:600], labels[:600])
        assert (model.predict(X_test) == labels_test).mean() > 0.9
        # The classifier itself does the same in one fit.
        assert (small().fit(X[:600], labels[:600]).predict(X_test) == labels_test).mean() > 0.9

    @pytest.mark.slow
    def test_chains(self, digits):
        X, _, y, _ = digits
        labels = np.column_stack([y % 2, y > 4]).astype(int)
        assert (
            ClassifierChain(small(), random_state=0)
            .fit(X[:300], labels[:300])
            .score(X[300:600], labels[300:600])
            > 0.8
        )
        X, y = load_diabetes(return_X_y=True)
        chain = RegressorChain(small(MDLAMRegressor)).fit(X, np.column_stack([y, np.sqrt(y)]))
        assert chain.predict(X).shape == (len(X), 2)


class TestSemiSupervised:
    @pytest.mark.slow
    def test_self_training(self, digits):
        X, X_test, y, y_test = digits
        known = np.arange(len(y)) < 100
        partly = np.where(known, y, -1)
        model = SelfTrainingClassifier(small(max_iter=60), threshold=0.9, max_iter=3)
        model.fit(X, partly)
        assert (model.transduction_ >= 0).mean() > 0.3
        found = ~known & (model.transduction_ >= 0)
        assert (model.transduction_[found] == y[found]).mean() > 0.95
        # Whether that helps is a matter of the method: it may also spread its own mistakes.
        assert model.score(X_test, y_test) > 0.8


class TestCurves:
    @pytest.mark.slow
    def test_learning_curve(self, digits):
        X, _, y, _ = digits
        sizes, _, test = learning_curve(small(), X, y, train_sizes=[60, 200, 700], cv=3)
        assert list(sizes) == [60, 200, 700]
        means = test.mean(axis=1)
        assert means[0] < means[1] < means[2] and means[2] > 0.92

    def test_validation_curve(self, table):
        X, _, y, _ = table
        train, test = validation_curve(
            pipeline(small()),
            X,
            y,
            param_name="model__activity_alpha",
            param_range=[0.0, 3.0, 1e5],
            cv=2,
        )
        train, test = train.mean(axis=1), test.mean(axis=1)
        assert train[0] >= train[1] > train[2]
        # A penalty that allows nothing says what is most frequent.
        assert test[2] == pytest.approx(chance(y), abs=0.02)
        assert test[1] > test[2]

    def test_out_of_fold_predictions(self, table):
        X, _, y, _ = table
        p = cross_val_predict(pipeline(small()), X, y, cv=3, method="predict_proba")
        z = cross_val_predict(pipeline(small()), X, y, cv=3, method="decision_function")
        np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), z, rtol=1e-6, atol=1e-8)
        guess = DummyClassifier(strategy="prior").fit(X, y).predict_proba(X)
        codes = y == np.unique(y)[1]
        assert brier(p, codes).mean() < brier(guess, codes).mean()


class TestTransform:
    @pytest.mark.slow
    def test_union(self, digits):
        """Hidden features beside principal components, under a linear model."""
        X, X_test, y, y_test = digits
        X, y = X[:600], y[:600]
        union = FeatureUnion([("pca", PCA(5, random_state=0)), ("net", small())])
        model = make_pipeline(union, StandardScaler(), LogisticRegression(max_iter=300))
        search = GridSearchCV(
            model,
            {"featureunion__net__hidden_layer_sizes": [(2,), (20,)]},
            cv=2,
            error_score="raise",
        ).fit(X, y)
        assert search.best_params_["featureunion__net__hidden_layer_sizes"] == (20,)
        assert search.score(X_test, y_test) > 0.92
        names = search.best_estimator_[:-1].get_feature_names_out()
        assert names.size == 25 and names[0] == "pca__pca0"

    def test_data_frame_through_the_pipeline(self, table):
        X, X_test, y, y_test = table
        encode = clone(columns()).set_params(categories__sparse_output=False)
        steps = make_pipeline(encode, small(), LogisticRegression(max_iter=300))
        steps.set_output(transform="pandas").fit(X, y)
        hidden = steps[:-1].transform(X_test)
        assert hidden.shape == (len(X_test), 20)
        assert list(hidden.index) == list(X_test.index)
        assert list(steps[1].feature_names_in_) == list(encode.fit(X).get_feature_names_out())
        assert steps.score(X_test, y_test) > chance(y_test) + 0.03


@pytest.mark.slow
def test_workers_do_not_share_cores():
    """Two processes have no more BLAS threads than cores between them; small fits have one each.

    In a process of its own, because the tests hold this one to one thread.
    """
    code = """
        import os
        import joblib, numpy as np
        from threadpoolctl import threadpool_info
        from skmdlam import MDLAMClassifier
        from skmdlam.activations import ReLU

        def threads():
            return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

        class Watched(ReLU):
            def __init__(self):
                self.seen = set()

            def value(self, z, out=None):
                self.seen.update(threads())
                return super().value(z, out=out)

        def work(seed):
            rng = np.random.RandomState(seed)
            X = rng.standard_normal((300, 5))
            before, activation = max(threads()), Watched()
            model = MDLAMClassifier((5,), activation, max_iter=2, tol=1e9)
            model.fit(X, X[:, 0] > 0)
            return os.getpid(), before, max(activation.seen), max(threads())

        if __name__ == "__main__":
            results = joblib.Parallel(n_jobs=2)(joblib.delayed(work)(seed) for seed in range(4))
            print(joblib.cpu_count(), *(number for result in results for number in result))
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    }
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    cores, *numbers = map(int, run.stdout.split())
    results = np.array(numbers).reshape(4, 4)
    _, before, during, after = results.T
    assert 2 * before.max() <= max(cores, 2)
    assert during.max() == 1
    np.testing.assert_array_equal(after, before)
