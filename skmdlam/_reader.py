"""The fitted reader of an estimator: any table in, numbers and codes of categories out."""

import warnings

import numpy as np

from ._entries import CATEGORIES, MIXTURE, NUMBERS, STRINGS, kind_of_objects

# Strings that are numbers: so many levels are looked at, this share of them must be numbers, and
# this share of the entries distinct, so many at least.
_LOOKED_AT, _MOSTLY, _FEWEST = 1000, 0.9, 20

_ADVICE = {
    "date": (
        "Make numbers of them: the days since a reference date, (column - reference).dt.days, the "
        "month, the day of the week, the hour."
    ),
    "duration": "Make numbers of them, such as seconds: column.dt.total_seconds().",
    "mixture": "Make all of them strings, astype(str), or all of them numbers, pandas.to_numeric.",
    "other": "Only numbers and categories can be learned from: make such of it, or drop it.",
}


class Reader:
    """What was learned about the columns of a table: which are categories, and their levels.

    Parameters
    ----------
    is_categorical : ndarray of bool, shape (n_features,), or None
        Which columns are; None where none is.
    levels : list of ndarray
        For each categorical column its levels in the order of their codes. A nan is the level of
        the gaps.
    n_features : int
    """

    def __init__(self, is_categorical, levels, n_features):
        self.is_categorical = is_categorical
        self.levels = levels
        self.n_features = n_features

    @classmethod
    def fit(cls, table, categorical_features, *, name="X", keep_declared=False):
        """Learn the columns of a table.

        Parameters
        ----------
        table : Table
            Of :mod:`._frames`.
        categorical_features : "from_dtype", None, or array-like of bool, int or str
        name : str, default="X"
            What messages call it.
        keep_declared : bool, default=False
            Keep levels that the type of a column declares and no sample has; later ones may.

        Returns
        -------
        Reader
        """
        n_features = table.shape[1]
        by_dtype = isinstance(categorical_features, str)
        mask = categorical_columns(categorical_features, table)
        if mask is None:
            return cls.of_numbers(n_features)
        _refuse_sparse(table, mask, name)
        levels = []
        for j in np.flatnonzero(mask).tolist():
            _refuse(table, j, name)
            found = table.distinct(j)
            levels.append(_first_levels(found, keep_declared))
            if by_dtype and table.kinds[j] == STRINGS:
                _warn_of_numbers(table, j, found, name)
        return cls(mask, levels, n_features)

    @classmethod
    def of_numbers(cls, n_features):
        """A reader of columns of numbers."""
        return cls(None, [], n_features)

    def read(self, table, name="X"):
        """The table in numbers.

        Parameters
        ----------
        table : Table
            With as many columns as the fitted one.
        name : str, default="X"
            What messages call it.

        Returns
        -------
        X : ndarray or sparse matrix of shape (n, n_features)
            Numbers as they are and codes of categories. A gap is nan, and so are a level and a gap
            of a categorical column that the fit has not seen.
        """
        if self.is_categorical is None:
            if not table.all_numbers:
                _check_numbers(table, range(table.shape[1]), name)
            return table.numbers()
        _refuse_sparse(table, self.is_categorical, name)
        numeric = np.flatnonzero(~self.is_categorical)
        _check_numbers(table, numeric, name)
        numbers = table.numbers(numeric) if numeric.size else np.empty((table.shape[0], 0))
        X = np.empty(table.shape, dtype=numbers.dtype, order="F")
        X[:, numeric] = numbers
        for k, j in enumerate(np.flatnonzero(self.is_categorical).tolist()):
            _refuse(table, j, name)
            found = _in_use(table.distinct(j))
            X[:, j] = self._codes(k, *found)
            if table.shape[0] and np.isnan(X[:, j]).all():
                _warn_of_other_type(table, j, self.levels[k], found.values, name)
        return X

    def extended(self, table, name="X"):
        """A reader that knows the levels of further samples, too, behind those it knew.

        Parameters
        ----------
        table : Table
            With as many columns as the fitted one.
        name : str, default="X"
            What messages call it.

        Returns
        -------
        Reader
        """
        if self.is_categorical is None:
            return self
        _refuse_sparse(table, self.is_categorical, name)
        levels = []
        for k, j in enumerate(np.flatnonzero(self.is_categorical).tolist()):
            _refuse(table, j, name)
            found = _in_use(table.distinct(j), always=True)
            known, gap = self._index(k)
            new = [value for value in found.values if value not in known]
            new = new if found.declared else _sorted(new)
            if gap is None and (found.codes < 0).any():
                new.append(np.nan)
            levels.append(_as_array(self.levels[k].tolist() + new) if new else self.levels[k])
        return Reader(self.is_categorical, levels, self.n_features)

    def _codes(self, k, values, codes, declared):
        """Codes of the entries of categorical column k, nan for what was not seen."""
        known, gap = self._index(k)
        table = np.full(len(values) + 1, np.nan)  # the last one is that of a gap, code -1
        table[:-1] = [known.get(value, np.nan) for value in values]
        if gap is not None:
            table[-1] = gap
        return table[codes]

    def _index(self, k):
        """Code of each level of categorical column k, and of a gap or None; made when needed."""
        indices = self.__dict__.setdefault("_indices", {})
        if k not in indices:
            levels = self.levels[k].tolist()
            known = {level: code for code, level in enumerate(levels) if level == level}
            gap = next((code for code, level in enumerate(levels) if level != level), None)
            indices[k] = known, gap
        return indices[k]

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_indices"}


def categorical_columns(categorical_features, table):
    """Which columns of a table are categorical, by what a user says or by their types.

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like of bool, int or str
    table : Table

    Returns
    -------
    mask : ndarray of bool, shape (n_features,), or None
        None where none is.
    """
    if not isinstance(categorical_features, str):
        mask = categorical_mask(categorical_features, table)
    elif table.all_numbers or not table.named:
        return None
    else:
        mask = np.array([kind.role == "category" for kind in table.kinds], dtype=bool)
    return None if mask is None or not mask.any() else mask


def categorical_mask(categorical_features, table):
    """Which columns a user says are categorical.

    Parameters
    ----------
    categorical_features : None or array-like of bool, int or str
    table : Table

    Returns
    -------
    mask : ndarray of bool, shape (n_features,), or None
        None for None and for an empty list.
    """
    if categorical_features is None or np.size(categorical_features) == 0:
        return None
    given, n_features = np.asarray(categorical_features), table.shape[1]
    mask = np.zeros(n_features, dtype=bool)
    kinds = {type(item) for item in given.ravel().tolist()}
    if given.dtype.kind == "b":
        if given.shape != (n_features,):
            raise ValueError(
                f"categorical_features as a mask must have shape ({n_features},), an entry for "
                f"each column of X; got one of shape {given.shape}."
            )
        return given.copy()
    if given.dtype.kind in "iu":
        if given.min() < 0 or given.max() >= n_features:
            raise ValueError(
                f"categorical_features as indices must be from 0 to {n_features - 1}; got "
                f"{given.tolist()}."
            )
        mask[given] = True
        return mask
    if kinds != {str}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(
            f"categorical_features must be an array-like of bool, int or str; got one of {found}."
        )
    if not table.named:
        raise ValueError(
            "categorical_features holds names, and X has none for its columns: pass a data frame, "
            "indices or a mask."
        )
    unknown = [name for name in given.ravel().tolist() if name not in table.names]
    if unknown:
        raise ValueError(
            f"categorical_features holds {unknown[0]!r}, which is not a column of X; its columns "
            f"are {table.names}."
        )
    named = set(given.ravel().tolist())
    return np.array([name in named for name in table.names])


def _check_numbers(table, columns, name):
    """Refuse columns that are not numbers."""
    kinds = table.kinds
    for j in map(int, columns):
        kind = kinds[j]
        if kind == NUMBERS or (kind.role == "other" and not table.named):  # NumPy says what
            continue
        if kind != MIXTURE or table.named:
            _refuse(table, j, name)
        values = list(table.distinct(j).values)
        found = next((value for value in values if isinstance(value, str | bytes)), values[0])
        if kind == CATEGORIES and kind_of_objects(_as_objects(values)) == NUMBERS:
            continue
        where = f" in {table.name(j)}" if table.named else ""
        raise ValueError(
            f"{name} holds strings, for example {found!r}{where}; it must hold numbers. Name "
            "columns of categories in categorical_features or encode them (OneHotEncoder, "
            "OrdinalEncoder), and convert numbers with astype(float)."
        )


def _refuse(table, j, name):
    """Refuse a column of neither numbers nor categories."""
    kind = table.kinds[j]
    if kind.role in _ADVICE:
        raise ValueError(f"{name}: {table.name(j)} holds {kind.what}. {_ADVICE[kind.role]}")


def _refuse_sparse(table, is_categorical, name):
    if table.sparse:
        raise ValueError(
            f"{name} is sparse, and columns {np.flatnonzero(is_categorical).tolist()} are "
            "categorical: pass a data frame or a dense array."
        )


def _in_use(found, *, always=False):
    """Without declared values that no sample has, where they are more than the samples."""
    if len(found.values) <= len(found.codes) and not always:
        return found._replace(values=list(found.values))
    used, codes = np.unique(found.codes, return_inverse=True)
    if used.size and used[0] < 0:
        used, codes = used[1:], codes - 1
    return found._replace(values=[found.values[code] for code in used.tolist()], codes=codes)


def _first_levels(found, keep_declared):
    """Levels of a column from its first samples, the gaps last."""
    values = list(found.values)
    if found.declared and not keep_declared:
        seen = np.bincount(found.codes[found.codes >= 0], minlength=len(values)) > 0
        values = [value for value, there in zip(values, seen, strict=True) if there]
    elif not found.declared:
        values = _sorted(values)
    return _as_array(values + [np.nan] if (found.codes < 0).any() else values)


def _sorted(values):
    try:
        return sorted(values)
    except TypeError:  # of several types
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))


def _as_array(levels):
    """Levels as an array: of numbers where all are, else of objects."""
    if all(isinstance(level, int | float) for level in levels):
        return np.array(levels)
    return _as_objects(levels)


def _as_objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _warn_of_numbers(table, j, found, name):
    """Warn of a column of strings that is one of numbers by the look of it."""
    levels = found.values[:_LOOKED_AT]
    if len(found.values) < max(_FEWEST, _MOSTLY * found.n_present):
        return
    if sum(map(_is_number, levels)) >= _MOSTLY * len(levels):
        warnings.warn(
            f"{name}: {table.name(j)} holds numbers in strings, for example {levels[0]!r}, and is "
            "read as categories, nearly all of them different. Convert it with astype(float).",
            UserWarning,
            stacklevel=2,
        )


def _warn_of_other_type(table, j, levels, values, name):
    """Warn of numbers where levels are strings, or the other way: not one of them can be known."""
    levels = [level for level in levels.tolist() if level == level]
    if not levels or not values:
        return
    are_text = [{isinstance(value, str) for value in each} for each in (levels, values)]
    if are_text in ([{True}, {False}], [{False}, {True}]):
        now, before = ("numbers", "strings") if are_text[0] == {True} else ("strings", "numbers")
        warnings.warn(
            f"{name}: {table.name(j)} holds {now}, for example {values[0]!r}, and its categories "
            f"in fit are {before}, for example {levels[0]!r}: none of these is known. Convert it "
            "to the type that it had.",
            UserWarning,
            stacklevel=2,
        )


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
