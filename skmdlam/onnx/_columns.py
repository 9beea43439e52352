"""From the columns of X to the inputs of the first layer, as nodes of a graph."""

import numpy as np
from skl2onnx.common.data_types import StringTensorType

from .._encoding import feature_names
from .._range import column_means
from ..engine.inputs.levels import CodeColumn, OneHotBlock, TiedNumbers
from ._search import ranks

# What stands for a gap in a tensor of strings, which has no other: the last three are what None,
# NaN and pandas.NA become there.
NO_STRING = ("", "None", "nan", "<NA>")


def inputs_of_network(g, variables, estimator):
    """What the first layer of a fitted estimator sees.

    Parameters
    ----------
    g : Graph
    variables : list of skl2onnx variables
        Together the columns of X in their order.
    estimator : MDLAMClassifier or MDLAMRegressor

    Returns
    -------
    inputs : str
        Name of a value of shape (n, number of inputs), in the type of the graph.
    """
    X = _read(g, variables, estimator)
    gap = g("IsNaN", X)
    if estimator.clip and hasattr(estimator, "data_min_"):
        inside = g.between(X, estimator.data_min_, estimator.data_max_)
        X = g("Where", gap, np.nan, inside)
    inputs = estimator._inputs
    if inputs is None:
        means = column_means(estimator)
        return g("Where", gap, means.reshape(1, -1), X)
    rest = X if inputs.kept is None else g.take(X, inputs.kept)
    if inputs.scores is not None:
        pairs = zip(inputs.scores.categories, inputs.scores.tables, strict=True)
        scores = [_SCORES[type(owner)](g, X, owner, table) for owner, table in pairs]
        rest = g.beside([rest, *scores])
    return rest if inputs.pieces is None else encoded(g, rest, inputs.pieces)


# -- the columns of X: numbers, and codes of categories ------------------------------------------


def _read(g, variables, estimator):
    """X in numbers, with NaN for a gap and for a category that nobody has seen."""
    names, reader = feature_names(estimator), estimator._reader
    widths = [(*variable.type.shape, None, None)[1] for variable in variables]
    # What another converter says of its outputs may be wrong, or nothing.
    if len(variables) == 1 and not (variables[0].is_root and widths[0]):
        widths = [len(names)]
    if None in widths or sum(widths) != len(names):
        raise ValueError(
            f"The inputs of the graph have {widths} columns, and the estimator was fitted to "
            f"{len(names)}: give initial_types with a shape (None, number of columns)."
        )
    levels = {}
    if reader.is_categorical is not None:
        coded = np.flatnonzero(reader.is_categorical).tolist()
        levels = dict(zip(coded, reader.levels, strict=True))
    parts, first = [], 0
    for variable, width in zip(variables, widths, strict=True):
        columns = range(first, first + width)
        first += width
        text = isinstance(variable.type, StringTensorType)
        if text or any(column in levels for column in columns):
            for place, column in enumerate(columns):
                name = variable.full_name
                part = name if width == 1 else g.take(name, [place])
                parts.append(_column(g, part, levels.get(column), text, names[column]))
        else:
            parts.append(g.cast(variable.full_name))
    return g.beside(parts)


def _column(g, value, levels, text, name):
    """One column of numbers, or the codes of one with these levels."""
    if levels is None:
        if text:
            raise TypeError(
                f"Column {name!r} was numbers in fit and comes as strings: its type must be "
                "FloatTensorType or DoubleTensorType."
            )
        return g.cast(value)
    known = [(code, level) for code, level in enumerate(levels.tolist()) if level == level]
    gap = [code for code, level in enumerate(levels.tolist()) if level != level]
    kinds = {isinstance(level, str) for _, level in known} or {text}
    if len(kinds) > 1:
        raise TypeError(f"The categories of column {name!r} are strings and numbers: ONNX has one.")
    if kinds != {text}:
        wanted = "StringTensorType" if not text else "FloatTensorType or Int64TensorType"
        raise TypeError(
            f"The categories of column {name!r} are {'numbers' if text else 'strings'}: its type "
            f"in initial_types must be {wanted}. Where columns have several types, each is an "
            "input of its own, see skmdlam.onnx.initial_types."
        )
    return (_codes_of_strings if text else _codes_of_numbers)(g, value, known, gap)


def _codes_of_strings(g, value, known, gap):
    table = {level: float(code) for code, level in known}
    table = dict.fromkeys(NO_STRING, float(gap[0]) if gap else np.nan) | table
    code = g(
        "LabelEncoder",
        value,
        domain="ai.onnx.ml",
        version=2,
        keys_strings=list(table),
        values_floats=list(table.values()),
        default_float=np.nan,
    )
    return g.cast(code)


def _codes_of_numbers(g, value, known, gap):
    value = g.cast(value)
    levels = np.array([[float(level) for _, level in known]])
    codes = np.array([[float(code)] for code, _ in known])
    is_level = g.cast(g("Equal", value, levels))
    found = g("MatMul", is_level, np.hstack([codes, np.ones_like(codes)]))
    code = g("Where", g("Greater", g.take(found, [1]), 0.5), g.take(found, [0]), np.nan)
    return g("Where", g("IsNaN", value), float(gap[0]), code) if gap else code


# -- scores of levels -----------------------------------------------------------------------------


def _score_of_codes(g, X, owner, table):
    """The score of a code, the last one where there is none."""
    code = g.take(X, [owner.column])
    # NaN is not less than anything.
    known = g("Less", code, float(owner.n_levels))
    place = g("Where", known, code, float(owner.n_levels))
    return g("Gather", np.asarray(table, dtype=float), g.cast(place, np.int64), axis=0)


def _score_of_block(g, X, owner, table):
    """A sum over the columns of the block."""
    spread, effect = np.subtract(owner.high, owner.low), table[:-1] - table[-1]
    unit = np.divide(effect, spread, out=np.zeros(effect.size), where=spread > 0)
    block = g("MatMul", g.take(X, owner.columns), unit.reshape(-1, 1))
    return g("Add", block, float(table[-1] - np.sum(owner.low * unit)))


def _score_of_value(g, X, owner, table):
    """The score of the nearest value, where that is the same up to single precision."""
    x = g.take(X, [owner.column])
    values = owner.values.astype(float)
    nearest = g("ArgMin", g("Abs", g("Sub", x, values.reshape(1, -1))), axis=1, keepdims=1)
    value = g("Gather", values, nearest, axis=0)
    reach = g("Mul", g("Abs", value), float(np.finfo(np.float32).eps))
    near = g("LessOrEqual", g("Abs", g("Sub", x, value)), reach)
    score = g("Gather", np.asarray(table[:-1], dtype=float), nearest, axis=0)
    return g("Where", near, score, float(table[-1]))


_SCORES = {
    CodeColumn: _score_of_codes,
    OneHotBlock: _score_of_block,
    TiedNumbers: _score_of_value,
}


# -- the encoding ---------------------------------------------------------------------------------


def encoded(g, X, pieces):
    """Columns encoded by pieces, levels and gaps: what :meth:`Pieces.encoded` returns.

    Parameters
    ----------
    g : Graph
    X : str
        Name of the columns, in the type of the graph.
    pieces : Pieces

    Returns
    -------
    encoded : str
    """
    d, bent, gaps = len(pieces.curves), pieces._bent, pieces._gaps
    kinds = pieces.kinds
    gap = g("IsNaN", X)
    if kinds is None:
        parts = [X]
    else:
        fill = kinds.means.copy()
        fill[pieces._categories] = -1.0
        parts = [g("Where", gap, fill.reshape(1, -1), X)]
    if bent:
        rank = ranks(g, g.take(X, bent), [pieces.curves[column] for column in bent])
        fill = np.full(len(bent), np.nan) if kinds is None else pieces._fill[bent]
        parts.append(g("Where", g.take(gap, bent), fill.reshape(1, -1), rank))
    if gaps:
        parts.append(g.cast(g.take(gap, gaps)))
    all_of_it = g.beside(parts)
    # Where each column that pieces take is among the parts: the copies are the columns themselves.
    place = np.arange(d)
    place[bent] = d + np.arange(len(bent))
    copies = bent if pieces.include_input else []
    place = np.r_[place, copies, d + len(bent) + np.arange(len(gaps))].astype(int)
    taken, numbers = place[pieces._taken], ~pieces.is_level
    out = []
    if numbers.any():
        low, steepness, least, most = (
            each[numbers].reshape(1, -1)
            for each in (pieces._low, pieces._steepness, pieces._least, pieces._most)
        )
        above = g("Mul", g("Sub", g.take(all_of_it, taken[numbers]), low), steepness)
        out.append(g.between(above, least, most))
    if not numbers.all():
        codes = pieces._low[~numbers].reshape(1, -1)
        out.append(g.cast(g("Equal", g.take(all_of_it, taken[~numbers]), codes)))
    return g.beside(out)
