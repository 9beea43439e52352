"""What is called otherwise now: a warning, and what was meant."""

import warnings

import pytest
from sklearn.base import clone

from skmdlam import MDLAMRegressor
from skmdlam._renamed import renamed
from skmdlam.activations import Activation
from skmdlam.losses import Loss


@pytest.mark.parametrize(
    ("base", "old", "new", "value"),
    [
        (Loss, "kinks", "nonsmooth", True),
        (Loss, "reach", "outlier_threshold", 2.5),
        (Activation, "straight", "homogeneous", True),
    ],
)
def test_a_subclass_with_the_old_name(base, old, new, value):
    with pytest.warns(FutureWarning, match=rf"^Own\.{old} is called {new} now\.$") as caught:
        own = type("Own", (base,), {old: value})
    assert [warning.filename for warning in caught] == [__file__]
    assert getattr(own(), new) == value != getattr(base, new)

    # The new name says nothing, and subclasses of either say nothing more.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(type("Other", (base,), {new: value})(), new) == value
        assert getattr(type("Third", (own,), {})(), new) == value
    assert getattr(base(), new) != value


def test_a_property_stays_one():
    with pytest.warns(FutureWarning, match="reach"):

        class Own(Loss):
            def __init__(self, delta):
                self.delta = delta

            @property
            def reach(self):
                return 2.0 * self.delta

    assert Own(3.0).outlier_threshold == 6.0


def test_only_what_the_class_itself_defines():
    class Own:
        new = 1

    renamed(Own, {"old": "new"})
    assert Own.new == 1 and not hasattr(Own, "old")


def test_sizes_before_the_loss():
    """The positional order of before: hidden layers, activation."""
    with pytest.warns(FutureWarning, match=r"Write hidden_layer_sizes=\(20,\)\.$") as caught:
        one = MDLAMRegressor((20,), loss="huber")
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(FutureWarning, match=r"hidden_layer_sizes=\[5\], activation='tanh'\.$"):
        two = MDLAMRegressor([5], "tanh")
    assert (one.loss, one.hidden_layer_sizes, one.activation) == ("huber", (20,), "relu")
    assert (two.loss, two.hidden_layer_sizes, two.activation) == ("squared_error", [5], "tanh")
    now = MDLAMRegressor("poisson", (20,), "tanh")
    assert (now.loss, now.hidden_layer_sizes, now.activation) == ("poisson", (20,), "tanh")
    assert clone(one).get_params() == one.get_params()
