"""Options of the solvers: what is out of range or of the wrong kind is refused, and how."""

import re

import numpy as np
import pytest

from skmdlam import Feasible, Relaxed
from skmdlam.engine.options import check_integer, check_number, first_given

NOT_NEGATIVE = "a number in [0, inf)"
POSITIVE = "a number in (0, inf)"
INTEGER = "an integer, at least 1"
FLAG = "True or False"

BAD = [
    *((Feasible, "activity_alpha", v, f"{NOT_NEGATIVE} or None") for v in (-1.0, np.inf, "auto")),
    *(
        (Feasible, "column_alpha", v, f"{NOT_NEGATIVE} or None")
        for v in (-0.5, np.nan, "0.5", True)
    ),
    *((Feasible, "hidden_gain", v, f"{POSITIVE} or None") for v in (0, -3.0, np.inf, "3", [3.0])),
    *((Feasible, "damping", v, f"{NOT_NEGATIVE} or None") for v in (-0.1, np.nan, "small", 1j)),
    *((Feasible, "momentum", v, "a number in [0, 1)") for v in (-0.1, 1, 1.5, np.nan, "a", None)),
    *(
        (Feasible, option, v, f"{INTEGER}, or None")
        for option in ("epochs", "cool_down", "patience")
        for v in (0, -1, 1.5, 70.0, np.inf, np.nan, "70", True)
    ),
    *(
        (Feasible, "acceleration", v, "one of 'anderson', 'nesterov', None")
        for v in ("newton", "", True, 1, ["anderson"], np.array(["anderson", "nesterov"]))
    ),
    *((Feasible, "single_precision", v, FLAG) for v in ("no", 0, 1, None, np.float32)),
    *(
        (Relaxed, "w_step", v, "one of 'quadratic', 'exact'")
        for v in ("newton", None, 1, ["exact"], np.array(["quadratic", "exact"]))
    ),
    *((Relaxed, "hidden_step", v, "one of 'joint', 'separate'") for v in ("both", None, True)),
    *((Relaxed, "order", v, "one of 'forward', 'backward'") for v in ("random", None, -1)),
    *((Relaxed, "accelerate", v, FLAG) for v in ("yes", 0, 1.0, None)),
    *((Relaxed, "epsilon_start", v, POSITIVE) for v in (0, -1, np.inf, np.nan, "100", None)),
    *((Relaxed, "epsilon_factor", v, "a number in (0, 1]") for v in (0, 1.01, np.nan, "0.5", None)),
    *((Relaxed, "start_scale", v, f"{POSITIVE} or None") for v in (0, -0.1, np.inf, "glorot")),
    *((Relaxed, "row_space", v, FLAG) for v in ("auto", 1, None)),
]


@pytest.mark.parametrize("option", sorted({option for _, option, _, _ in BAD}))
def test_refused(option):
    for solver, name, value, allowed in BAD:
        if name == option:
            says = f"{option} must be {allowed}; got {value!r}."
            with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
                solver(**{option: value})


@pytest.mark.parametrize(
    ("solver", "options"),
    [
        (Feasible, {"activity_alpha": 0, "column_alpha": 0, "damping": 0, "momentum": 0}),
        (Feasible, {"activity_alpha": None, "hidden_gain": None, "damping": None}),
        (Feasible, {"column_alpha": None, "patience": None}),
        (Feasible, {"momentum": np.float32(0.5), "epochs": np.int64(3), "patience": 1}),
        (Feasible, {"acceleration": None, "single_precision": np.bool_(False)}),
        (Relaxed, {"epsilon_factor": 1, "start_scale": np.float64(0.1)}),
        (Relaxed, {"accelerate": np.bool_(True), "row_space": False, "start_scale": None}),
    ],
    ids=repr,
)
def test_kept_as_given(solver, options):
    made = solver(**options)
    assert {name: getattr(made, name) for name in options} == options


def test_every_option_is_checked():
    """An option that takes anything at all has been forgotten."""
    for solver in (Feasible, Relaxed):
        for option in solver.__dataclass_fields__:
            if option != "constants":
                with pytest.raises(ValueError, match=f"^{option} must be "):
                    solver(**{option: object()})


def test_ends_of_a_range():
    """A bracket belongs to the range, a parenthesis does not."""
    for allowed, good, bad in (
        ("[0, 1)", (0, 0.5), (1, -1e-9)),
        ("(0, 1]", (1, 1e-9), (0, 1.1)),
        ("(0, inf)", (1e300,), (0, np.inf)),
    ):
        for value in good:
            check_number("it", value, allowed)
        for value in bad:
            with pytest.raises(ValueError, match=r"^it must be "):
                check_number("it", value, allowed)
    check_integer("it", 3, at_least=3)
    with pytest.raises(ValueError, match=r"^it must be an integer, at least 3; got 2\.$"):
        check_integer("it", 2, at_least=3)
    with pytest.raises(ValueError, match=r"^it must be "):
        check_integer("it", None, at_least=3)


def test_first_given():
    """The first that is not None, be it zero or empty."""
    assert first_given(None, 0, 5) == 0
    assert first_given(None, "", 5) == ""
    assert first_given(None, None) is None
    assert first_given() is None
