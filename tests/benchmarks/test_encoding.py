"""What the encoding and its choice give, on one small table."""

import csv
import importlib

import numpy as np
import pytest
from scipy.stats import rankdata

from skmdlam import MDLAMClassifier, MDLAMRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def encoding(scripts):
    """Return the script as a module."""
    return importlib.import_module("encoding")


def steps(n=120):
    """A target of steps in one column, which pieces predict better."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2))
    return X, np.floor(2.0 * X[:, 0]) % 2 + 0.1 * rng.standard_normal(n)


@pytest.mark.slow
def test_what_was_chosen_is_one_of_the_fits(encoding):
    X, y = steps()
    found = {
        method: (model, time) for method, model, time in encoding.variants("regression", X, y, 0)
    }
    assert tuple(found) == encoding.METHODS
    auto = MDLAMRegressor(random_state=0).fit(X, y)
    model, seconds = found[encoding.AUTO]
    assert auto.encoder_.n_bins in (8, 16)
    np.testing.assert_array_equal(model.predict(X), auto.predict(X))
    fixed, its_seconds = found[encoding.NAMES[auto.encoder_.n_bins]]
    assert fixed is model and 0.0 < its_seconds < seconds
    by_hand = MDLAMRegressor(random_state=0, encoding=auto.encoder_).fit(X, y)
    np.testing.assert_array_equal(by_hand.predict(X), auto.predict(X))
    told_otherwise = found[encoding.LIKELIHOOD][0]
    assert told_otherwise.encoder_.n_bins == auto.encoder_.n_bins
    assert told_otherwise.noise_ratio_ != auto.noise_ratio_
    assert found[encoding.PLAIN][0].encoder_ is None
    assert found[encoding.COLUMN][0].encoder_.include_input


def test_the_skill_of_frequencies_is_none(encoding):
    X, y = np.ones((90, 1)), np.repeat([0, 1, 1], 30)
    constant = MDLAMClassifier(random_state=0).fit(X, y)
    score, skill = encoding.quality("classification", constant, y, X, y)
    assert score == pytest.approx(2 / 3) and skill == pytest.approx(0.0, abs=1e-3)
    chances = np.where(y[:, None] == [0, 1], 0.9, 0.1)
    constant.predict_proba = lambda X: chances
    base = -(np.log(1 / 3) + 2 * np.log(2 / 3)) / 3
    _, skill = encoding.quality("classification", constant, y, X, y)
    assert skill == pytest.approx(1.0 + np.log(0.9) / base)


def test_ranks_are_those_of_the_training_rows(encoding):
    X = np.random.default_rng(0).standard_normal((9, 2))
    np.testing.assert_allclose(encoding.ranks_of(X, X), (rankdata(X, axis=0) - 1.0) / 8.0)
    ends = encoding.ranks_of(X, np.array([[-9.0, 9.0]]))
    np.testing.assert_array_equal(ends, [[0.0, 1.0]])


def test_halves_and_gains(encoding):
    rows = [
        {"table": name, "half": half, "size": "5", "seed": 0, "method": method, "score": score}
        for name, half, scores in (("a", "even", (0.5, 0.75)), ("b", "odd", (0.25, 0.125)))
        for method, score in zip((encoding.PLAIN, encoding.AUTO), scores, strict=True)
    ]
    assert "| no encoding | 0.5000 | 0.2500 | 0.3750 |" in encoding.means(rows, "score")
    assert "| no encoding | +250.0 | -125.0 | 1 | 1 |" in encoding.parts(rows)


@pytest.mark.slow
def test_page(encoding, tmp_path, capsys):
    arguments = ["--only", "iris", "--sizes", "60", "--map-rows", "60", "--out", str(tmp_path)]
    encoding.main(arguments)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "1 data sets, 1 split(s)" in page and "| iris | 60 |" in page
    assert (
        "At most 60 training samples: " in page
        and "of 1 data sets stays within" in page
        and str(tmp_path) not in page
    )
    with open(tmp_path / "scores.csv", newline="", encoding="utf-8") as file:
        assert [row["method"] for row in csv.DictReader(file)] == list(encoding.METHODS)
    assert "| auto |" in capsys.readouterr().out
    encoding.main([*arguments, "--resume"])  # nothing is fitted again: the times are the same
    again = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert again.split("\n")[3:] == page.split("\n")[3:]


def test_sizes_are_numbers_or_all(encoding, tmp_path, capsys):
    with pytest.raises(SystemExit):
        encoding.main(["--sizes", "most", "--out", str(tmp_path)])
    assert "numbers or" in capsys.readouterr().err
