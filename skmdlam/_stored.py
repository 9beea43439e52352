"""Stored estimators: which releases' pickles this one reads."""

import inspect
import re

import numpy as np

from ._inputs import inputs_of_encoder
from ._reader import Reader
from ._stored_columns import with_columns
from ._version import __version__
from .engine.loop.stream_state import VERSION, loss_key
from .engine.regularization import usual_regularization
from .engine.stream import Seen, StreamState

# The first release whose fitted attributes mean what they mean now. Raise it with a change of
# their meaning, and say so in the changelog.
OLDEST_READABLE = "0.1"


def readable_state(state, estimator_class):
    """Return what an estimator stored as the attributes that it has now.

    Parameters
    ----------
    state : dict
        Attributes, and the version that stored them as ``_skmdlam_version``.
    estimator_class : type
        Class of the estimator; a parameter that it got since has its default.

    Returns
    -------
    attributes : dict
        Attributes of the estimator.

    Raises
    ------
    ValueError
        When the version is not one that this one reads.
    """
    state = dict(state)
    check_stored_version(state.pop("_skmdlam_version", None), estimator_class.__name__)
    if isinstance(state.get("_stream"), Seen):
        state["_stream"] = _summary_arrays(state["_stream"])
    elif isinstance(state.get("_stream"), StreamState):
        state["_stream"] = _stream_arrays(state["_stream"], state["_loss"])
    with_columns(state)
    for name, parameter in inspect.signature(estimator_class).parameters.items():
        if parameter.default is not parameter.empty:
            state.setdefault(name, parameter.default)
    if "coefs_" in state:
        state.setdefault("n_networks_", 1)  # before several were averaged
        if "classes_" in state:  # before fits were calibrated
            state.setdefault("temperature_", 1.0)
        else:
            state.setdefault("_noise", None)
        state.setdefault("encoder_", None)  # before columns were encoded
        if "_inputs" not in state:  # before the first layer saw more than encoded numbers
            state["_inputs"] = inputs_of_encoder(state["encoder_"])
        if "_reader" not in state:  # before categories were read
            state["_reader"] = Reader.of_numbers(state["n_features_in_"])
            state.update(is_categorical_=None, categories_=[])
    return state


def check_stored_version(stored, name):
    """Refuse what another release stored in a form that this one may misread.

    Parameters
    ----------
    stored : str or None
        Version of skmdlam that stored the estimator; None where it did not say.
    name : str
        Class of the estimator.

    Raises
    ------
    ValueError
        When the version is not one from the oldest readable one to this one. Releases with the
        same major and minor number read each other.
    """
    first, last = _minor(OLDEST_READABLE), _minor(__version__)
    found = None if stored is None else _minor(stored)
    if found is not None and first <= found <= last:
        return
    where = "by an unknown version of skmdlam" if found is None else f"by skmdlam {stored}"
    advice = (
        "Load it with the version that stored it, or fit it again."
        if found is None or found < first
        else f"Install skmdlam {found[0]}.{found[1]} or later, or fit it again."
    )
    readable = " to ".join(f"{major}.{minor}" for major, minor in sorted({first, last}))
    raise ValueError(
        f"This {name} was stored {where}; skmdlam {__version__} reads what {readable} stored. "
        f"{advice}"
    )


def _minor(version):
    """``(major, minor)`` of a version, None where it is none."""
    match = re.match(r"(\d+)\.(\d+)", str(version))
    return match and (int(match[1]), int(match[2]))


# -- what 0.1.0.dev0 kept of a stream, objects of its own, as arrays and numbers ------------------


def _summary_arrays(seen):
    """A summary of the data, as :meth:`DataSummary.as_arrays` gives it."""
    joint = getattr(seen, "joint", None)
    estimated = getattr(seen, "calibrated", None)
    return {
        "rows": seen.rows,
        "columns": vars(seen.columns),
        "targets": vars(seen.targets),
        "deviation": seen.deviation,
        "joint": None if joint is None else vars(joint),
        "estimated": None if estimated is None else _regularization(estimated),
    }


def _regularization(strengths):
    """Strengths of the penalties; the first streams of all knew that of one."""
    if isinstance(strengths, float):
        return tuple(usual_regularization(1.0)._replace(activity_alpha=strengths))
    return tuple(strengths)


def _stream_arrays(old, loss):
    """The state of a stream, as :meth:`StreamState.as_arrays` gives it.

    ``loss`` is that of the estimator, for states that do not say which one they are scaled by.
    """
    estimated = old.calibrated
    known = getattr(old, "loss", None)
    target = old.target
    if target._poisson:
        moments = np.full(target.shift.size, target.factor), 1.0, 1.0
    else:
        moments = target.shift, target.scale, target.scale
    layers = [
        {
            "V": V,
            "average": average,
            "velocity": velocity,
            "accumulated": float(owed),
            "usual": usual,
            "count": count,
            "preconditioner": None if metric is None else _preconditioner_arrays(metric),
        }
        for V, average, velocity, owed, usual, count, metric in zip(
            old.V,
            old.average,
            old.velocity,
            old.owed,
            old.decrease,
            old.decreases,
            old.metrics,
            strict=True,
        )
    ]
    return {
        "version": VERSION,
        "summary": _summary_arrays(old.seen),
        "basis": _basis_arrays(old.space),
        "target": {"moments": moments, "shift": target.shift, "scale": target.scale},
        "loss": loss_key(loss if known is None else known),
        "layers": layers,
        "dormant": old.parked,
        "rng": old.rng.get_state(legacy=False),
        "estimated": None if estimated is None else _regularization(estimated),
        "weight_at": old.weight_at,
        "steps": old.steps,
        "since_refresh": old.since_refresh,
        "averaged": old.learned,
        "fitted": old.fitted,
        "damping_multiplier": getattr(old, "caution", 1.0),
        "loss_difference": getattr(old, "advantage", 0.0),
        "loss_difference_square": getattr(old, "advantage_square", 0.0),
        "losses": getattr(old, "losses", np.zeros(2)),
        "followed": getattr(old, "followed", 0.0),
    }


def _preconditioner_arrays(metric):
    return {
        "moments": metric.moments,
        "inverse": metric.inverse if metric.ready else None,
        "count": metric.count,
        "least_spread": getattr(metric, "least_spread", 0.0),
        "damping": metric.damping,
        "memory": metric.memory,
    }


def _basis_arrays(space):
    """Coordinates of the input, as :func:`basis_as_arrays` gives them."""
    own = vars(space)
    if own["_basis"] is None:
        kind, names = "RotatedBasis", ("_T", "_T_inverse", "_standard", "variance")
        arrays = {name: own[name] for name in names}
    else:
        axes = own["_basis"].shape[0] == own["_basis"].shape[1] and own["_variance_rest"] == 0.0
        kind = "AxesBasis" if axes else "LeadingBasis"
        arrays = {name: own[name] for name in ("variance", "_turn", "_back")}
        arrays |= {"vectors": own["_basis"], "root": own["_root"], "bulk": own["_rest"]}
        arrays |= {"_variance_bulk": own["_variance_rest"], "_exact": False}
    return {
        "kind": kind,
        "dtype": np.dtype(own["_dtype"]).name,
        "columns": {
            "mean": own["mean"],
            "std": own["std"],
            "inverse_std": own["_inverse_std"],
            "one_unit": own.get("_wide", False),
        },
        "own": arrays,
    }
