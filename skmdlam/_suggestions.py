"""What somebody may have meant by a name that is not known."""

import difflib
from numbers import Number

import numpy as np

# Names that other libraries have for the same.
_ALIASES = {
    "activation": {
        "sigmoid": "logistic",
        "expit": "logistic",
        "linear": "identity",
        "none": "identity",
        "rectifier": "relu",
        "step": "sign",
        "heaviside": "sign",
        "clip": "hard_tanh",
        "prelu": "leaky_relu",
    },
    "loss": {
        "mse": "squared_error",
        "rmse": "squared_error",
        "l2": "squared_error",
        "least_squares": "squared_error",
        "ls": "squared_error",
        "squared_loss": "squared_error",
        "mean_squared_error": "squared_error",
        "friedman_mse": "squared_error",
        "gaussian": "squared_error",
        "mae": "absolute_error",
        "l1": "absolute_error",
        "lad": "absolute_error",
        "absolute_loss": "absolute_error",
        "mean_absolute_error": "absolute_error",
        "laplace": "absolute_error",
        "median": "absolute_error",
        "pinball": "quantile",
        "pinball_loss": "quantile",
        "smooth_l1": "huber",
        "pseudo_huber": "huber",
        "poisson_deviance": "poisson",
        "count": "poisson",
    },
    "penalty": {
        "ridge": "l2",
        "weight_decay": "l2",
        "tikhonov": "l2",
        "squared": "l2",
        "lasso": "l1",
        "sparse": "l1",
        "l1l2": "elasticnet",
        "l1_l2": "elasticnet",
        "group_lasso": "group",
        "l21": "group",
        "l2_1": "group",
        "positive": "nonnegative",
        "nonneg": "nonnegative",
        "bounds": "box",
        "bounded": "box",
        "clip": "box",
        "null": "none",
        "no": "none",
    },
    "solver": {
        "mdlam": "relaxed",
        "dlam": "relaxed",
        "admm": "relaxed",
        "dladmm": "relaxed",
        "auto": "feasible",
        "altmin": "feasible",
    },
    "encoding": {
        "ple": "piecewise",
        "piecewise_linear": "piecewise",
        "pwl": "piecewise",
        "bins": "piecewise",
        "quantile": "piecewise",
        "spline": "piecewise",
    },
    "scoring": {
        "mse": "neg_mean_squared_error",
        "squared_error": "neg_mean_squared_error",
        "mean_squared_error": "neg_mean_squared_error",
        "rmse": "neg_root_mean_squared_error",
        "root_mean_squared_error": "neg_root_mean_squared_error",
        "mae": "neg_mean_absolute_error",
        "absolute_error": "neg_mean_absolute_error",
        "mean_absolute_error": "neg_mean_absolute_error",
        "mape": "neg_mean_absolute_percentage_error",
        "acc": "accuracy",
        "auc": "roc_auc",
        "auroc": "roc_auc",
        "log_loss": "neg_log_loss",
        "logloss": "neg_log_loss",
        "cross_entropy": "neg_log_loss",
        "brier": "neg_brier_score",
        "ap": "average_precision",
        "aucpr": "average_precision",
        "mcc": "matthews_corrcoef",
    },
    "categorical_features": {"auto": "from_dtype", "infer": "from_dtype", "dtype": "from_dtype"},
}
_GRADIENT_SOLVERS = {"adam", "adamw", "sgd", "lbfgs", "l_bfgs", "rmsprop", "adagrad", "nesterov"}
_NOT_MONOTONE = {"gelu", "silu", "swish", "mish"}
_CLASS_LOSSES = {"log_loss", "logistic", "cross_entropy", "hinge", "softmax", "deviance", "bce"}
_OF_GRADIENT_STEPS = {
    "learning_rate",
    "learning_rate_init",
    "power_t",
    "beta_1",
    "beta_2",
    "nesterovs_momentum",
}


def did_you_mean(value, known, kind):
    """Say which of the known names was meant, or why there is no such thing.

    Parameters
    ----------
    value : object
        What was given.
    known : collection of str
        The names that there are.
    kind : str
        What is named: "activation", "loss", "penalty", "solver", "encoding", "scoring",
        "parameter" or another parameter of an estimator.

    Returns
    -------
    hint : str
        A sentence with a space before it, or "" where nothing comes close.
    """
    if kind == "loss" and not isinstance(value, str):
        return _of_positions(value)
    if not isinstance(value, str):
        return ""
    name = value.strip().lower().replace("-", "_").replace(" ", "_")
    if kind == "solver" and name in _GRADIENT_SOLVERS:
        return (
            f" There is no {value!r}: training is by alternating minimization, which has no "
            "learning rate to tune. Use the default solver='feasible'; for gradient descent there "
            "is sklearn.neural_network."
        )
    if kind == "activation" and name in _NOT_MONOTONE:
        return f" {value!r} is not monotone, which activations have to be; 'softplus' is similar."
    if kind == "loss" and name in _CLASS_LOSSES:
        return f" {value!r} is a loss of classes: use MDLAMClassifier, which minimizes it."
    if kind == "encoding" and name in ("none", "onehot", "one_hot"):
        rest = "" if name == "none" else " Categories are encoded in any case."
        return f" For columns as they are use encoding=None.{rest}"
    if kind == "parameter" and name in _OF_GRADIENT_STEPS:
        return " Training is by alternating minimization, which has no learning rate to set."
    if kind == "parameter" and name == "momentum":
        return " It is a parameter of a solver: use solver=Feasible(momentum=...)."
    aliases = {key: meant for key, meant in _ALIASES.get(kind, {}).items() if meant in known}
    if name in aliases:
        return f" Did you mean {aliases[name]!r}?"
    lower = {each.lower(): each for each in known} | aliases
    plain = {key.replace("_", ""): meant for key, meant in lower.items()}
    for key, names in ((name, lower), (name.replace("_", ""), plain)):
        close = difflib.get_close_matches(key, names, 1, 0.6)
        if close:
            return f" Did you mean {names[close[0]]!r}?"
    return ""


def _of_positions(value):
    """A number or a sequence as the loss: sizes of layers, which are the second argument."""
    if not isinstance(value, Number | list | tuple | np.ndarray) or isinstance(value, bool):
        return ""
    return (
        " The first argument of MDLAMRegressor is loss, as in MLPRegressor. For the layer sizes "
        f"write MDLAMRegressor(hidden_layer_sizes={value!r})."
    )
