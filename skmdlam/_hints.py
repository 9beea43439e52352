"""What is said of parameters that are misspelled, have no effect or belong to an object."""

import contextlib
import inspect
import re
import warnings

from ._parameters import parameter_names, with_parts
from ._results import stacklevel_of_user
from ._suggestions import did_you_mean
from .activations import ACTIVATIONS
from .encoding import PiecewiseLinearEncoder
from .engine.feasible import Feasible
from .engine.relaxed import Relaxed
from .losses import REGRESSION_LOSSES
from .penalties import PENALTIES

SOLVERS = {"feasible": Feasible, "relaxed": Relaxed}
# Classes by the names that stand for them.
_CLASSES = {
    "solver": SOLVERS,
    "penalty": PENALTIES,
    "loss": REGRESSION_LOSSES,
    "activation": ACTIVATIONS,
    "encoding": {"auto": PiecewiseLinearEncoder, "piecewise": PiecewiseLinearEncoder},
}


@contextlib.contextmanager
def suggestions(estimator):
    """Add to an error of scikit-learn's validation what may have been meant.

    Parameters
    ----------
    estimator : estimator
        Whose parameters are validated in the body.
    """
    try:
        yield
    except ValueError as error:
        found = re.match(r"The '(\w+)' parameter of", str(error))
        hint = _hint(estimator, found[1]) if found else ""
        if not hint:
            raise
        raise type(error)(f"{error}{hint}") from None


def _hint(estimator, name):
    loss = getattr(estimator, "loss", None)
    if of_positions := not isinstance(loss, str) and did_you_mean(loss, (), "loss"):
        return of_positions
    value = getattr(estimator, name)
    if isinstance(value, type):
        return f" Pass an instance, such as {value.__name__}()."
    constraints = estimator._parameter_constraints[name]
    known = {each for part in constraints for each in getattr(part, "options", ())}
    return did_you_mean(value, {each for each in known if isinstance(each, str)}, name)


def changed_parameters(estimator, params):
    """Parameters to set, with changed copies of solver, penalty, loss and activation.

    Parameters
    ----------
    estimator : estimator
    params : dict
        As given to ``set_params``.

    Returns
    -------
    params : dict
        The same without names of parameters of these objects.

    Raises
    ------
    ValueError
        For a name that there is not, or a value that an object refuses.
    """
    if not params:
        return params
    return with_parts(estimator, estimator.get_params(deep=False), params, _of_a_name)


def _of_a_name(name, value, parameter):
    """Say which object has a parameter, where there is the name of one in its place."""
    if name not in _CLASSES:
        return ""
    if isinstance(value, type):
        return f" Pass an instance, such as {value.__name__}()."
    if isinstance(value, list | tuple):
        return " To search over the entries, search over such lists."
    parameter = parameter.partition("__")[0]
    classes = _CLASSES[name]
    named = classes.get(value) if isinstance(value, str) else None
    with_it = [each for each in classes.values() if parameter in parameter_names(each)]
    if named in with_it:
        with_it = [named]
    if not with_it:
        known = {each for part in classes.values() for each in parameter_names(part)}
        return did_you_mean(parameter, known, "parameter")
    owner = with_it[0]
    return (
        f" Pass the object in place of its name: {name}={owner.__name__}(), from "
        f"{owner.__module__}."
    )


def warn_of_unused(estimator, network, problem=None, **settings):
    """Warn of parameters and options that are set and have no effect on a fit.

    Parameters
    ----------
    estimator : estimator
    network : Network
        What its parameters ask for.
    problem : Problem, default=None
        What is minimized; None where only some of the samples are at hand.
    **settings
        What the solver is told.

    Warns
    -----
    UserWarning
        Naming the parameter and what would use it.
    """
    said = [f"{name}={value!r} has no effect: {use}." for name, value, use in _unused(estimator)]
    if problem is not None and hasattr(network.solver, "unused_options"):
        unused = network.solver.unused_options(problem, **settings)
        said += [
            f"{name}={getattr(network.solver, name)!r} of the solver has no effect: {use}."
            for name, use in unused.items()
        ]
    for message in said:
        warnings.warn(message, UserWarning, stacklevel=stacklevel_of_user())


def _unused(estimator):
    """Name and value of each parameter that has no effect, and what would use it."""
    solver, penalty = estimator.solver, estimator.penalty
    loss = getattr(estimator, "loss", "quantile")
    solver = SOLVERS[solver] if isinstance(solver, str) else solver
    uses = dict(getattr(solver, "unused", {}))
    if penalty != "elasticnet":
        uses["l1_ratio"] = f"penalty='elasticnet' uses it; penalty={penalty!r} does not"
    if loss != "quantile":
        uses["quantile"] = f"loss='quantile' uses it; loss={loss!r} does not"
    defaults = _defaults(type(estimator))
    for name, use in uses.items():
        if name in defaults and getattr(estimator, name) != defaults[name]:
            yield name, getattr(estimator, name), use


def _defaults(cls):
    """Defaults of all parameters; the constructor of a subclass may name some of them only."""
    defaults = {}
    for each in reversed(cls.__mro__):
        if "__init__" in vars(each):
            for name, parameter in inspect.signature(each.__init__).parameters.items():
                if parameter.default is not parameter.empty:
                    defaults[name] = parameter.default
    return defaults
