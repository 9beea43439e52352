"""Parameters of objects inside of estimators by name, as scikit-learn's estimators have them.

Solvers, penalties, losses and activations are no estimators, and the modules that define them know
nothing of scikit-learn. All that a search asks of them is here.
"""

import copy
import inspect
from collections import defaultdict

from ._suggestions import did_you_mean

_UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)


class Parameters:
    """Parameters of the constructor by name: ``get_params`` and ``set_params``.

    A subclass whose constructor keeps each parameter as the attribute of that name has them all. A
    parameter that is kept elsewhere, or that has no name (``*args``), is not listed.
    """

    def get_params(self, deep=True):
        """Return the parameters of the constructor.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list those of parameters that have some themselves, as ``name__parameter``.

        Returns
        -------
        params : dict
            Values by name.
        """
        if _unnamed(type(self)):
            return {}
        own = {name: getattr(self, name) for name in _names(type(self)) if hasattr(self, name)}
        if deep:
            parts = [(name, value) for name, value in own.items() if _has_parameters(value)]
            for name, value in parts:
                own |= {f"{name}__{key}": part for key, part in value.get_params().items()}
        return own

    def set_params(self, **params):
        """Set parameters, checked as the constructor checks them.

        An estimator makes a changed copy of the object in place of this: ``set_params`` of an
        estimator changes no object that others share, nor a model that is fitted.

        Parameters
        ----------
        **params : dict
            Values by name, with ``name__parameter`` for those of a part.

        Returns
        -------
        self : object
            The same object, unchanged where something is refused.

        Raises
        ------
        ValueError
            For a name that the constructor does not have, or a value that it refuses.
        """
        if params:
            changed = self._changed(params)
            vars(self).clear()
            vars(self).update(vars(changed))
            for name in params.keys() & set(_names(type(self))) - vars(self).keys():
                object.__setattr__(self, name, getattr(changed, name))  # one in __slots__
        return self

    def _changed(self, params):
        """A new object by the constructor, with other parameters."""
        if _unnamed(type(self)):
            raise ValueError(
                f"Parameters of {type(self).__name__} cannot be set by name: its constructor takes "
                f"some without a name, {_unnamed(type(self))}. Search a list of objects instead."
            )
        known = self.get_params(deep=False)
        elsewhere = [name for name in _names(type(self)) if name not in known]
        if elsewhere:
            raise ValueError(
                f"Parameters of {type(self).__name__} cannot be set by name: its constructor does "
                f"not keep {elsewhere[0]!r} as the attribute self.{elsewhere[0]}. Do so, or search "
                "a list of objects instead."
            )
        return type(self)(**known | with_parts(self, known, params))

    def __sklearn_clone__(self):
        """Copy all, also what a constructor of a user keeps under another name."""
        return copy.deepcopy(self)


def with_parts(whole, known, params, explain=None):
    """Parameters of an object, with changed copies of parts in place of names of their parameters.

    Parameters
    ----------
    whole : object
        For messages.
    known : dict
        Its parameters as they are.
    params : dict
        What is to be set: ``name`` and ``name__parameter``.
    explain : callable, default=None
        ``explain(name, value, parameter)`` says why a part has no parameters, or returns "".

    Returns
    -------
    own : dict
        New values by name. Where a part is of another library, as an estimator is, names of its
        parameters are left as they are.

    Raises
    ------
    ValueError
        For a name that is not known, or a value that a part refuses.
    """
    own, nested = {}, defaultdict(dict)
    for key, value in params.items():
        name, is_nested, parameter = key.partition("__")
        if name not in known:
            hint = did_you_mean(name, known, "parameter")
            raise ValueError(
                f"Invalid parameter {name!r} for {_kind(whole)} {whole}. Valid parameters are: "
                f"{sorted(known)!r}.{hint}"
            )
        if is_nested:
            nested[name][parameter] = value
        else:
            own[name] = value
    for name, values in nested.items():
        part = own.get(name, known[name])
        if isinstance(part, Parameters):
            own[name] = part._changed(values)
        elif _has_parameters(part):
            copy.copy(part).set_params(**values)  # refuses names before anything is set
            own |= {f"{name}__{key}": value for key, value in values.items()}
        else:
            (parameter, *_) = values
            why = explain(name, part, parameter) if explain else ""
            raise ValueError(
                f"Invalid parameter '{name}__{parameter}' for {_kind(whole)} {whole}: "
                f"{name}={part!r} has no parameters.{why}"
            )
    return own


def parameter_names(cls):
    """Names of the parameters that a class takes by name."""
    return [] if _unnamed(cls) else _names(cls)


def _kind(whole):
    return "object" if isinstance(whole, Parameters) else "estimator"


def _has_parameters(value):
    return hasattr(value, "get_params") and not isinstance(value, type)


def _parameters(cls):
    if cls.__init__ is object.__init__:
        return []
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def _names(cls):
    kinds = (*_UNNAMED, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in _parameters(cls) if each.kind not in kinds]


def _unnamed(cls):
    """Parameters without a name, as text; "" where there are none."""
    return ", ".join(str(each) for each in _parameters(cls) if each.kind in _UNNAMED)
