"""The data frames of benchmarks/raw_tables.py, real and synthetic.

Real data frames are files ``NAME.csv`` in the folders given with ``--data``. What is done to them:

=============  ================  ==================================================================
data frame     target            choices
=============  ================  ==================================================================
credit_data    Status, classes   none
hotel_rates    avg_price_...     ``arrival_date`` is left out: ``arrival_date_num`` is the same date
lending_club   Class, classes    none
mpg            mpg, a number     ``name`` stays: a category for nearly each row
penguins       species, classes  the two rows without any value stay
stroke         stroke, classes   none; 5% are of the class 1, so that accuracies hardly differ
titanic        survived, classes ``alive``, the target in words, is left out; the columns that say
                                 the same twice (``class``, ``embark_town``, ...) stay
wa_churn       churn, classes    none
adult_raw      income, classes   the file has no header, ``?`` is missing; ``fnlwgt`` and
                                 ``education_num`` stay
=============  ================  ==================================================================

Columns that pandas reads as strings are categorical; integers and booleans are numeric, also where
they are codes (``pclass``, the 0/1 columns of wa_churn). No row is left out and no missing value is
filled in.

The distribution of synthetic data is known, so that ``best possible`` is the score of
:math:`E[y | x]`. Where the target is a sum of effects of categories, ``levels estimated`` is the
score when all but these effects is known and they are estimated in the best way, by their posterior
means (for classification, modes) given the training data, with their true variance and that of the
noise. A method that pools categories well and learns the rest comes near to it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split

ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]
# File, target, task, columns left out, options of read_csv.
TABLES = {
    "credit_data": ("Status", "classification", [], {}),
    "hotel_rates": ("avg_price_per_room", "regression", ["arrival_date"], {}),
    "lending_club": ("Class", "classification", [], {}),
    "mpg": ("mpg", "regression", [], {}),
    "penguins": ("species", "classification", [], {}),
    "stroke": ("stroke", "classification", [], {}),
    "titanic": ("survived", "classification", ["alive"], {}),
    "wa_churn": ("churn", "classification", [], {}),
    "adult_raw": (
        "income",
        "classification",
        [],
        {"header": None, "names": ADULT, "na_values": "?", "skipinitialspace": True},
    ),
}


class Parts(NamedTuple):
    """Training and test samples of a split, and the scores that are known for it, by name."""

    task: str
    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: np.ndarray
    y_test: np.ndarray
    known: dict


def read_table(path):
    """Return the task, the frame and the target of a table."""
    target, task, left_out, options = TABLES[path.stem]
    frame = pd.read_csv(path, **options).drop(columns=left_out)
    y = frame.pop(target)
    return task, frame, y.to_numpy(dtype=object if y.dtype.kind not in "biuf" else None)


def split_table(task, X, y, seed):
    """Split 75/25, stratified for classes; the targets of a regression are standardized."""
    stratify = y if task == "classification" else None
    parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=stratify)
    X_train, X_test, y_train, y_test = parts
    if task == "regression":
        y_train, y_test = standardized(y_train, y_test)
    return Parts(task, X_train, X_test, y_train, y_test, {})


def standardized(y_train, y_test):
    mean, unit = y_train.mean(), y_train.std()
    return (y_train - mean) / unit, (y_test - mean) / unit


# -- synthetic data frames ------------------------------------------------------------------------


def zipf(rng, n, levels):
    """Draw levels, the k-th with a probability in proportion to 1 / (k + 3)."""
    weight = 1.0 / (np.arange(levels) + 3.0)
    return rng.choice(rng.permutation(levels), size=n, p=weight / weight.sum())


def one_hot(codes, levels):
    rows = np.arange(len(codes))
    return sp.csr_array((np.ones(len(codes)), (rows, codes)), shape=(len(codes), levels))


def texts(name, codes):
    """Return levels as texts, ``shop_0012``."""
    return np.array([f"{name}_{code:04d}" for code in range(codes.max() + 1)], dtype=object)[codes]


def frame_of(x, **codes):
    """Return a frame of numbers x0, x1, ... and of columns of levels."""
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    return frame.assign(**{name: texts(name, column) for name, column in codes.items()})


def posterior(Z, target, noise):
    """Posterior mean of b in target = Z b + noise, b standard normal."""
    gram = (Z.T @ Z).toarray() / noise**2
    gram[np.diag_indices_from(gram)] += 1.0
    return scipy.linalg.solve(gram, Z.T @ target / noise**2, assume_a="pos")


def posterior_mode(Z, offset, y, steps=30):
    """Posterior mode of b in logit P(y = 1) = offset + Z b, b standard normal: Newton's method."""
    b = np.zeros(Z.shape[1])
    for _ in range(steps):
        p = expit(offset + Z @ b)
        hessian = (Z.T @ (Z * (p * (1 - p))[:, None])).toarray()
        hessian[np.diag_indices_from(hessian)] += 1.0
        step = scipy.linalg.solve(hessian, Z.T @ (y - p) - b, assume_a="pos")
        b += step
        if np.abs(step).max() < 1e-8:
            break
    return b


def with_levels(rng, frame, smooth, Z, train, noise=None):
    """Return the parts of a frame whose target is ``smooth + Z b``, with noise or as a logit."""
    b = rng.normal(size=Z.shape[1])
    signal = smooth + Z @ b
    first, rest = slice(None, train), slice(train, None)
    if noise is None:
        y = (rng.random(len(signal)) < expit(signal)).astype(int)
        found = posterior_mode(Z[first], smooth[first], y[first])
        guess = smooth[rest] + Z[rest] @ found
        known = {
            "best possible": accuracy_score(y[rest], signal[rest] > 0),
            "levels estimated": accuracy_score(y[rest], guess > 0),
        }
        words = np.array(["no", "yes"], dtype=object)[y]
        return Parts("classification", frame[first], frame[rest], words[first], words[rest], known)
    y = signal + noise * rng.normal(size=len(signal))
    found = posterior(Z[first], y[first] - smooth[first], noise)
    known = {
        "best possible": r2_score(y[rest], signal[rest]),
        "levels estimated": r2_score(y[rest], smooth[rest] + Z[rest] @ found),
    }
    targets = standardized(y[first], y[rest])
    return Parts("regression", frame[first], frame[rest], *targets, known)


def levels_zipf(rng, train=12_000, test=6_000, levels=1_200):
    """1,200 levels of very different frequencies, each with an effect of its own."""
    n = train + test
    x, shop = rng.normal(size=(n, 4)), zipf(rng, n, levels)
    smooth = 1.5 * np.tanh(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    return with_levels(rng, frame_of(x, shop=shop), smooth, one_hot(shop, levels), train, 0.5)


def levels_few_rows(rng, train=3_000, test=3_000, levels=400):
    """400 levels of 7 rows each, and a noise of the size of the effects."""
    n = train + test
    x, shop = rng.normal(size=(n, 4)), rng.integers(0, levels, n)
    smooth = np.sin(2 * x[:, 0]) + np.abs(x[:, 1])
    return with_levels(rng, frame_of(x, shop=shop), smooth, one_hot(shop, levels), train, 1.0)


def levels_two_columns(rng, train=8_000, test=4_000):
    """Two columns of levels, 800 and 300, whose effects add up."""
    n = train + test
    x, place, product = rng.normal(size=(n, 3)), zipf(rng, n, 800), rng.integers(0, 300, n)
    smooth = np.sin(2 * x[:, 0]) + 0.7 * np.maximum(x[:, 1], 0)
    Z = sp.hstack([0.9 * one_hot(place, 800), 0.6 * one_hot(product, 300)]).tocsr()
    frame = frame_of(x, place=place, product=product)
    return with_levels(rng, frame, smooth, Z, train, 0.6)


def levels_slopes(rng, train=6_000, test=4_000, levels=150):
    """150 levels, each with an effect and a slope in a number."""
    n = train + test
    x, unit = rng.normal(size=(n, 4)), rng.integers(0, levels, n)
    Z = 0.7 * one_hot(unit, levels)
    Z = sp.hstack([Z, Z * x[:, :1]]).tocsr()
    return with_levels(rng, frame_of(x, unit=unit), np.sin(2 * x[:, 1]), Z, train, 0.4)


def levels_useless(rng, train=4_000, test=4_000):
    """1,500 irrelevant categories, beside eight relevant ones."""
    n = train + test
    x, ticket, kind = rng.normal(size=(n, 4)), zipf(rng, n, 1_500), rng.integers(0, 8, n)
    smooth = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    frame = frame_of(x, ticket=ticket, kind=kind)
    return with_levels(rng, frame, smooth, 0.8 * one_hot(kind, 8), train, 0.6)


def levels_classes(rng, train=8_000, test=6_000, levels=500):
    """Two classes, whose odds have an effect for each of 500 levels."""
    n = train + test
    x, shop = rng.normal(size=(n, 4)), zipf(rng, n, levels)
    smooth = 2.0 * np.sin(1.5 * x[:, 0]) + x[:, 1] * x[:, 2]
    Z = 2.0 * one_hot(shop, levels)
    return with_levels(rng, frame_of(x, shop=shop), smooth, Z, train)


def levels_by_hand(rng, train=6_000, test=4_000, levels=300):
    """300 levels as 300 columns of 0 and 1, as a user passes them who encodes by hand."""
    n = train + test
    x, shop = rng.normal(size=(n, 4)), zipf(rng, n, levels)
    smooth = 1.5 * np.tanh(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    Z = one_hot(shop, levels)
    columns = pd.DataFrame(Z.toarray(), columns=[f"shop_{k:04d}" for k in range(levels)])
    return with_levels(rng, pd.concat([frame_of(x), columns], axis=1), smooth, Z, train, 0.5)


EFFECTS = np.array([-1.5, -0.5, 0.0, 0.5, 1.0, 1.5])  # of six regions


def gap_columns(rng, n):
    """Numbers, x4 a copy of x0 with noise, and regions."""
    x = rng.normal(size=(n, 5))
    x[:, 4] = 0.9 * x[:, 0] + np.sqrt(1 - 0.9**2) * x[:, 4]
    return x, rng.integers(0, len(EFFECTS), n)


def gap_parts(rng, x, region, hidden, terms, expected, train):
    """Return the parts of a frame with gaps: terms of the target, and their means given the rest.

    ``hidden``, of shape (n, 6), says where the numbers and the region are gaps.
    """
    frame = frame_of(x, region=region)
    frame = frame.mask(pd.DataFrame(hidden, columns=frame.columns))
    y = terms + 0.5 * rng.normal(size=len(terms))
    known = {"best possible": r2_score(y[train:], expected[train:])}
    targets = standardized(y[:train], y[train:])
    return Parts("regression", frame[:train], frame[train:], *targets, known)


def at_random(rng, train, test, with_gaps):
    """Gaps in 20% of the rows of each column; ``with_gaps`` says in which rows there are any."""
    n = train + test
    x, region = gap_columns(rng, n)
    hidden = (rng.random((n, 6)) < 0.2) & with_gaps[:, None]
    terms = 1.5 * x[:, 0] + 1.5 * np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + EFFECTS[region]
    seen = ~hidden
    first = np.where(seen[:, 0], x[:, 0], 0.9 * x[:, 4] * seen[:, 4])
    expected = 1.5 * first + 1.5 * np.sin(2 * x[:, 1]) * seen[:, 1]
    expected += x[:, 2] * x[:, 3] * (seen[:, 2] & seen[:, 3])
    expected += np.where(seen[:, 5], EFFECTS[region], EFFECTS.mean())
    return gap_parts(rng, x, region, hidden, terms, expected, train)


def gaps_at_random(rng, train=4_000, test=4_000):
    """Gaps in 20% of the rows of each column, numbers and levels, whatever their values."""
    return at_random(rng, train, test, np.ones(train + test, dtype=bool))


def gaps_at_predict_only(rng, train=4_000, test=4_000):
    """The same gaps in the test rows; the training rows have none."""
    return at_random(rng, train, test, np.arange(train + test) >= train)


def gaps_that_tell(rng, train=4_000, test=4_000):
    """Gaps where x0 is high and in some regions more than in others; and a gap that adds 1."""
    n = train + test
    x, region = gap_columns(rng, n)
    hidden = np.zeros((n, 6), dtype=bool)
    hidden[:, 0] = rng.random(n) < expit(3 * (x[:, 0] - 0.7))
    hidden[:, 1] = rng.random(n) < 0.25
    rate = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.6])
    hidden[:, 5] = rng.random(n) < rate[region]
    terms = 1.5 * x[:, 0] + 1.5 * np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + EFFECTS[region]
    terms += hidden[:, 1]
    # x0 given x4 is normal; times the probability of a gap, by Gauss-Hermite quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    values = 0.9 * x[:, 4:] + np.sqrt(1 - 0.9**2) * nodes
    weights = weights * expit(3 * (values - 0.7))
    guess = (weights * values).sum(axis=1) / weights.sum(axis=1)
    expected = 1.5 * np.where(hidden[:, 0], guess, x[:, 0]) + x[:, 2] * x[:, 3]
    expected += np.where(hidden[:, 1], 1.0, 1.5 * np.sin(2 * x[:, 1]))
    expected += np.where(hidden[:, 5], rate @ EFFECTS / rate.sum(), EFFECTS[region])
    return gap_parts(rng, x, region, hidden, terms, expected, train)


MADE = {
    "levels, Zipf": levels_zipf,
    "levels, few rows each": levels_few_rows,
    "levels, two columns": levels_two_columns,
    "levels with slopes": levels_slopes,
    "levels that say nothing": levels_useless,
    "levels, classes": levels_classes,
    "levels, one-hot by hand": levels_by_hand,
    "gaps at random": gaps_at_random,
    "gaps that tell": gaps_that_tell,
    "gaps at predict only": gaps_at_predict_only,
}


def make(name, seed):
    """Return the parts of a synthetic frame; another seed is another frame of its kind."""
    return MADE[name](np.random.default_rng([list(MADE).index(name), seed]))
