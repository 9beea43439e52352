"""Samples to watch a fit on, and metadata routing."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor

RNG = np.random.RandomState(3)
X = RNG.standard_normal((120, 6))
NUMBERS = np.tanh(X @ RNG.standard_normal(6)) + 0.2 * RNG.standard_normal(120)
LABELS = np.array(["low", "middle", "high"])[np.digitize(NUMBERS, [-0.4, 0.4])]
TRAIN, TEST = slice(0, 80), slice(80, None)
WEIGHT = RNG.randint(1, 4, size=40).astype(float)

both = pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
every_solver = pytest.mark.parametrize(
    "solver",
    [{"batch_size": 20}, {"batch_size": None}, {"solver": "relaxed"}],
    ids=["mini-batches", "full batch", "relaxed"],
)


def target(estimator):
    return LABELS if estimator is MDLAMClassifier else NUMBERS


def fit(estimator, X=X[TRAIN], y=None, *, callbacks=(), fit_options=None, **parameters):
    model = estimator(
        **{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 30} | parameters
    )
    if callbacks:
        model.set_callbacks(*callbacks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, target(estimator)[TRAIN] if y is None else y, **fit_options or {})


def held_out(estimator, **more):
    return {"X_val": X[TEST], "y_val": target(estimator)[TEST], **more}


class TestValidationData:
    @both
    @every_solver
    def test_only_watched(self, estimator, solver):
        """Without early_stopping nothing of the fit depends on it."""
        alone = fit(estimator, **solver)
        watched = fit(estimator, fit_options=held_out(estimator), **solver)
        for W, V in zip(alone.coefs_, watched.coefs_, strict=True):
            np.testing.assert_array_equal(W, V)
        assert alone.loss_curve_ == watched.loss_curve_
        assert alone.validation_scores_ is alone.validation_loss_curve_ is None
        assert len(watched.validation_scores_) == watched.n_iter_
        assert watched.validation_scores_[-1] == watched.score(X[TEST], target(estimator)[TEST])
        assert watched.best_validation_score_ == max(watched.validation_scores_)

    @pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
    @every_solver
    def test_loss_curve_is_that_of_the_metric(self, solver, weight):
        more = {} if weight is None else {"sample_weight_val": weight}
        model = fit(
            MDLAMClassifier, fit_options=held_out(MDLAMClassifier, **more), alpha=1.0, **solver
        )
        expected = log_loss(LABELS[TEST], model.predict_proba(X[TEST]), sample_weight=weight)
        assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)
        model = fit(MDLAMRegressor, fit_options=held_out(MDLAMRegressor, **more), **solver)
        expected = mean_squared_error(NUMBERS[TEST], model.predict(X[TEST]), sample_weight=weight)
        assert model.validation_loss_curve_[-1] == pytest.approx(expected / 2, rel=1e-9)

    @both
    @every_solver
    def test_in_place_of_the_split(self, estimator, solver):
        model = fit(
            estimator,
            fit_options=held_out(estimator),
            early_stopping=True,
            max_iter=300,
            n_iter_no_change=4,
            **solver,
        )
        best = int(np.argmax(model.validation_scores_))
        assert model.score(X[TEST], target(estimator)[TEST]) == model.validation_scores_[best]
        assert model.loss_ == model.loss_curve_[best]
        scheduled = solver.get("batch_size") is not None
        assert model.stop_reason_ == ("converged" if scheduled else "requested")

    @both
    def test_stall_starts_the_cool_down(self, estimator):
        """A score that never betters ends mini-batches after the patience and a cool-down."""
        options = {
            "solver": Feasible(patience=1000, cool_down=30),
            "max_iter": 200,
            "batch_size": 20,
        }
        alone = fit(estimator, **options)
        watched = {"early_stopping": True, "scoring": lambda *_: 1.0, "n_iter_no_change": 3}
        model = fit(estimator, **options, **watched)
        assert alone.n_iter_ > 90
        # The first score is the best; then 3 idle epochs and the 30 of the cool-down, or less.
        assert 10 < model.n_iter_ <= 34
        assert model.stop_reason_ == "converged"

    def test_no_stall_before_a_schedule_has_ended(self):
        """Solver "relaxed" works on another problem until its tolerance is the final one."""
        model = fit(
            MDLAMRegressor,
            fit_options=held_out(MDLAMRegressor),
            solver="relaxed",
            early_stopping=True,
            tol=1e9,
            n_iter_no_change=2,
            max_iter=40,
        )
        settled = int(np.argmax(np.equal(model.epsilon_curve_, model.epsilon))) + 1
        assert settled > 10
        assert model.n_iter_ == settled + 1

    def test_class_weight_of_the_training_data(self):
        """Balanced weights come from y, not from y_val."""
        seen = []

        def scorer(model, X, y, sample_weight):
            seen.append(sample_weight)
            return 0.0

        fit(
            MDLAMClassifier,
            fit_options=held_out(MDLAMClassifier),
            class_weight="balanced",
            scoring=scorer,
            max_iter=1,
        )
        classes, counts = np.unique(LABELS[TRAIN], return_counts=True)
        factor = dict(zip(classes, 80 / (3 * counts), strict=True))
        np.testing.assert_allclose(seen[0], [factor[label] for label in LABELS[TEST]])

    def test_class_weight_of_a_class_that_is_missing(self):
        seen = []

        def scorer(model, X, y, sample_weight):
            seen.append(sample_weight)
            return 0.0

        rows = np.flatnonzero(LABELS != "low")
        options = {"class_weight": {"low": 5.0, "high": 2.0}, "scoring": scorer, "max_iter": 1}
        held = {"X_val": X[rows], "y_val": LABELS[rows]}
        fit(MDLAMClassifier, fit_options=held, **options)
        np.testing.assert_array_equal(seen[0], np.where(LABELS[rows] == "high", 2.0, 1.0))

    def test_class_weight_that_leaves_nothing(self):
        rows = LABELS == "low"
        with pytest.raises(ValueError, match="y_val: class_weight and sample_weight give every"):
            fit(
                MDLAMClassifier,
                fit_options={"X_val": X[rows], "y_val": LABELS[rows]},
                class_weight={"low": 0.0},
            )

    def test_forms_of_data(self):
        frame = pd.DataFrame(X, columns=list("abcdef"))
        dense = fit(MDLAMClassifier, fit_options=held_out(MDLAMClassifier))
        for given, validation in (
            (frame[TRAIN], frame[TEST]),
            (X[TRAIN].tolist(), X[TEST].tolist()),
            (X[TRAIN], sp.csc_matrix(X[TEST])),
        ):
            model = fit(
                MDLAMClassifier, given, fit_options={"X_val": validation, "y_val": LABELS[TEST]}
            )
            np.testing.assert_allclose(model.validation_loss_curve_, dense.validation_loss_curve_)

    def test_score_that_takes_no_weights(self):
        with pytest.raises(ValueError, match="scoring='neg_max_error' takes no sample_weight"):
            fit(
                MDLAMRegressor,
                fit_options={"sample_weight": np.arange(80.0)},
                early_stopping=True,
                scoring="neg_max_error",
            )

    def test_multilabel(self):
        Y = np.column_stack([NUMBERS > 0, NUMBERS > 0.4]).astype(int)
        for y_val in (Y[TEST], sp.csr_matrix(Y[TEST])):
            model = fit(MDLAMClassifier, y=Y[TRAIN], fit_options={"X_val": X[TEST], "y_val": y_val})
            assert model.validation_scores_[-1] == model.score(X[TEST], Y[TEST])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"X_val": X}, "X_val is given without y_val"),
            ({"y_val": NUMBERS}, "y_val is given without X_val"),
            ({"sample_weight_val": WEIGHT}, "sample_weight_val is given without X_val"),
            ({"X_val": X[:, :2], "y_val": NUMBERS}, "X_val: X has 2 features"),
            ({"X_val": X[:5], "y_val": NUMBERS[:4]}, "same number of samples; got 5 and 4"),
            ({"X_val": np.full_like(X, np.inf), "y_val": NUMBERS}, "X_val contains infinity"),
            ({"X_val": X, "y_val": np.where(NUMBERS > 0, np.inf, 0.0)}, "y_val contains infinity"),
            ({"X_val": X.astype(str), "y_val": NUMBERS}, "X_val holds strings"),
            ({"X_val": X, "y_val": LABELS}, "y_val holds strings"),
            ({"X_val": X, "y_val": np.c_[NUMBERS, NUMBERS]}, "2 columns and y has 1"),
            (
                {"X_val": X, "y_val": NUMBERS, "sample_weight_val": -np.ones(120)},
                "sample_weight_val must not be negative",
            ),
            (
                {"X_val": X, "y_val": NUMBERS, "sample_weight_val": np.full(120, np.nan)},
                "sample_weight_val: .*NaN",
            ),
        ],
    )
    def test_bad(self, options, message):
        with pytest.raises(ValueError, match=message):
            fit(MDLAMRegressor, fit_options=options)

    @pytest.mark.parametrize(
        ("y_val", "message"),
        [
            (np.array(["low", "lower"] * 60), r"y_val: the classes \['lower'\] are not among"),
            (np.eye(3)[np.arange(120) % 3], "y_val: it must be class labels"),
        ],
    )
    def test_bad_classes(self, y_val, message):
        with pytest.raises(ValueError, match=message):
            fit(MDLAMClassifier, fit_options={"X_val": X, "y_val": y_val})


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
class TestRouting:
    def test_weights_through_search_and_pipeline(self):
        """What the step asks for arrives, and what it refuses does not."""
        weight = RNG.randint(0, 3, size=120).astype(float)
        model = MDLAMClassifier((4,), max_iter=5, random_state=0)
        asked, refused = (
            make_pipeline(
                # Somebody has to ask for the weights.
                StandardScaler().set_fit_request(sample_weight=not answer),
                sklearn.base.clone(model).set_fit_request(sample_weight=answer),
            )
            for answer in (True, False)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for pipeline, expected in ((asked, weight), (refused, None)):
                pipeline.fit(X, LABELS, sample_weight=weight)
                scaled = pipeline[0].transform(X)
                direct = sklearn.base.clone(model).fit(scaled, LABELS, sample_weight=expected)
                np.testing.assert_array_equal(pipeline[-1].coefs_[0], direct.coefs_[0])
            scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
            options = {"cv": 2, "scoring": scorer}
            search = GridSearchCV(asked, {"mdlamclassifier__alpha": [0.1, 1.0]}, **options)
            search.fit(X, LABELS, sample_weight=weight)
            scores = cross_validate(asked, X, LABELS, params={"sample_weight": weight}, **options)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert np.isfinite(scores["test_score"]).all()

    def test_not_asked_is_an_error(self):
        pipeline = make_pipeline(StandardScaler(), MDLAMClassifier((4,)))
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            pipeline.fit(X, LABELS, sample_weight=np.ones(120))

    def test_validation_data_through_a_pipeline(self):
        """The pipeline transforms X_val like X (``transform_input``)."""
        model = MDLAMClassifier((4,), max_iter=5, random_state=0)
        pipeline = make_pipeline(
            StandardScaler(),
            model.set_fit_request(X_val=True, y_val=True),
            transform_input=["X_val"],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(X[TRAIN], LABELS[TRAIN], X_val=X[TEST], y_val=LABELS[TEST])
        assert pipeline[-1].validation_scores_[-1] == pipeline.score(X[TEST], LABELS[TEST])


def test_weights_of_wide_data_can_be_looked_at_twice():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 40)), rng.standard_normal(12)
    model = MDLAMRegressor(
        hidden_layer_sizes=(3,), solver="relaxed", max_iter=5, tol=0, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = model.fit(X, y).coefs_
        watched = model.fit(X, y, X_val=X, y_val=y).coefs_
    for one, other in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(one, other)
