"""Dask collections as blocks of samples on the workers, checked before any work is done."""

import sys
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .._block_reading import Raw
from .._frames import table_of
from ..engine.constants import LIMITS
from ._client import Sealed, as_it_is, large_arguments, submit

# How many numbers an entry of a sparse matrix counts for.
_NUMBERS_OF_AN_ENTRY = LIMITS.entries
_SHAPES = {None: "one dimension", "none": "nothing"}
_LENGTHS = "have blocks of as many rows, such as two parts of one collection"


def is_lazy(values, name="X"):
    """Whether these are a Dask collection, or a list of delayed blocks or of futures."""
    entries = _entries(values, name)
    if entries is None:
        return hasattr(values, "__dask_graph__") or is_future(values)
    lazy = [_is_block(entry) for entry in entries]
    if any(lazy) and not all(lazy):
        place = lazy.index(False)
        raise TypeError(
            f"{name} is a list of delayed blocks or futures, and entry {place} is a "
            f"{type(entries[place]).__name__}: make a block of it, dask.delayed(block)."
        )
    return any(lazy)


def _entries(values, name="X"):
    """Entries of a list, and of an array of delayed blocks such as ``X.to_delayed()``, or None."""
    if isinstance(values, np.ndarray) and values.dtype == object and values.size:
        if not _is_block(values.flat[0]):
            return None
        if values.shape[0] < values.size:
            raise ValueError(
                f"{name} is an array of delayed blocks of the shape {values.shape}: blocks must "
                "have all columns, X.rechunk({1: -1}).to_delayed()."
            )
        return values.ravel().tolist()
    return list(values) if isinstance(values, list | tuple) else None


def _is_block(value):
    return is_future(value) or _is_delayed(value)


def is_future(value):
    """Whether this is a future of Dask."""
    kind = getattr(sys.modules.get("distributed"), "Future", None)
    return kind is not None and isinstance(value, kind)


def _is_delayed(value):
    kind = getattr(sys.modules.get("dask.delayed"), "Delayed", None)
    return kind is not None and isinstance(value, kind)


def is_array(X):
    """Whether X is a Dask array."""
    return _is_collection(X) and hasattr(X, "numblocks")


def is_frame(X):
    """Whether X is a Dask data frame or a series of one."""
    return _is_collection(X) and hasattr(X, "divisions")


def _is_collection(X):
    """Whether this is a collection of several blocks; Delayed says yes to any attribute."""
    return hasattr(X, "__dask_graph__") and not _is_delayed(X)


def lists_of_blocks(values, name):
    """Delayed blocks or futures of a collection; the columns of an array are in one piece."""
    if is_array(values):
        return list(whole_rows(values, name).to_delayed().ravel())
    if is_frame(values):
        return _partitions(values)
    if _is_block(values):
        return [values]
    entries = _entries(values)
    if entries is not None:
        return entries
    raise TypeError(
        f"{name} is a {type(values).__module__}.{type(values).__name__}; it may be a Dask array, a "
        "Dask data frame or series, or a list of delayed blocks or futures."
    )


def _partitions(frame):
    """Delayed partitions of a frame or series, as many as it says that it has.

    ``frame.to_delayed()`` would read several files at a time where few of their columns are asked
    for, and so make other partitions of the targets than of the inputs.
    """
    return frame.simplify().to_delayed(optimize_graph=False)


def _side_by_side(frames):
    """Delayed tuples of the partitions of several frames, so that a file is read once for all."""
    from dask.dataframe import map_partitions

    together = map_partitions(
        _tuple_of, *frames, meta=frames[0]._meta, enforce_metadata=False, align_dataframes=False
    )
    return _partitions(together)


def _tuple_of(*parts):
    return parts


def whole_rows(array, name):
    """A Dask array whose chunks are rows of all columns."""
    if array.ndim not in ((2,) if name.startswith("X") else (1, 2)):
        shape = "(n_samples, n_features)" if name.startswith("X") else "(n_samples,)"
        raise ValueError(f"{name} must be of shape {shape}; it has {array.ndim} dimensions.")
    return array.rechunk({1: -1}) if array.ndim == 2 and array.numblocks[1] > 1 else array


def _aligned(values, name, X, x_name):
    """Y or weights in blocks that belong to those of X."""
    if not is_lazy(values, name):
        if isinstance(values, str) and is_frame(X):
            raise TypeError(
                f"{name} is the string {values!r}: give the column itself, df[{values!r}], and "
                f"{x_name} without it."
            )
        if not (is_array(X) and _known(X)):
            raise TypeError(
                f"{x_name} is a Dask collection and {name} is in memory: give {name} as a "
                "collection, too, in the same blocks."
            )
        from dask.array import from_array

        values = np.asarray(values)
        if values.ndim == 0:
            raise ValueError(
                f"{name} is the single value {values.item()!r}, and {x_name} is a Dask collection: "
                f"give an array with an entry for each row of {x_name}."
            )
        values = from_array(values, chunks=(-1,) * values.ndim)
    if is_array(values) and is_array(X) and _known(X) and _known(values):
        if values.shape[0] != X.shape[0]:
            raise ValueError(
                f"{x_name} and {name} must have as many rows; got {X.shape[0]} and "
                f"{values.shape[0]}."
            )
        if values.chunks[0] != X.chunks[0]:
            values = values.rechunk({0: X.chunks[0]})
    if is_frame(values) and is_frame(X):
        known = X.known_divisions and values.known_divisions
        if known and tuple(X.divisions) != tuple(values.divisions):
            raise ValueError(
                f"{x_name} and {name} have other divisions: repartition {name} like {x_name}, "
                f"{name}.repartition(divisions={x_name}.divisions)."
            )
    return values


def is_large(X):
    """Whether this is an array that is known to be more than one task works on."""
    return is_array(X) and X.size > LIMITS.one_task_numbers  # not where the size is nan


def _known(array):
    return not np.isnan(array.shape[0])


def read(client, X, y, weight=None, suffix="", held=True):
    """Blocks of samples of collections, on their way.

    Parameters
    ----------
    client : distributed.Client
    X, y, weight : collections
        As given to ``fit``; weight may be None.
    suffix : str, default=""
        What their names end with, such as "_val".
    held : bool, default=True
        Keep what was read, but for an array that is known to be large; else it is read again for
        each thing that is asked of it.

    Returns
    -------
    ReadBlocks
        Of :class:`Raw`.
    """
    from ._blocks import ReadBlocks  # it needs Dask, and what is_lazy looks at may not

    given = {f"X{suffix}": X, f"y{suffix}": y}
    if weight is not None:
        given[f"sample_weight{suffix}"] = weight
    x_name = f"X{suffix}"
    if not is_lazy(X):  # a few samples for validation, in memory
        for name, values in given.items():
            if is_lazy(values):
                raise TypeError(
                    f"{name} is a Dask collection and {x_name} is not: give both alike."
                )
        sealed = Sealed(Raw(X, y, weight))
        return ReadBlocks(client, [[submit(client, "read", as_it_is, sealed)]], [x_name], _opened)
    with large_arguments():
        lists = {}
        for name, values in given.items():
            if values is None:
                raise ValueError(f"{name} is None, and {x_name} is a collection: give both.")
            if name != x_name:
                values = _aligned(values, name, X, x_name)
            lists[name] = lists_of_blocks(values, name)
            if len(lists[name]) != len(lists[x_name]):
                advice = ""
                if is_array(values):  # made of a frame it has what Dask read at a time
                    advice = " An array of the values of a frame may have others: give the frame."
                raise ValueError(
                    f"{x_name} has {len(lists[x_name])} blocks and {name} has "
                    f"{len(lists[name])}: they must {_LENGTHS}.{advice}"
                )
        columns, make = list(lists.values()), _raw
        if all(map(is_frame, given.values())):
            columns, make = [_side_by_side(list(given.values()))], _raw_of
    names = [f"block {i} of {x_name}" for i in range(len(lists[x_name]))]
    held = held and not is_large(X)
    return ReadBlocks(client, columns, names, make, held)


def _opened(sealed):
    return sealed.open()


def _raw(X, y, weight=None):
    return Raw(X, y, weight)


def _raw_of(parts):
    return Raw(*parts) if len(parts) == 3 else Raw(*parts, None)


class Facts(NamedTuple):
    """What there is to know of a block before the work begins.

    Attributes
    ----------
    n : int
        Samples.
    lengths : dict
        Number of rows by the name of what has them.
    form : tuple
        What all blocks must have in common, in words.
    numbers : int
        How large X is.
    text : bool or None
        Whether y holds strings; None where that is not known.
    error : str or None
        What is wrong with it.
    """

    n: int
    lengths: tuple
    form: tuple
    numbers: int
    text: bool | None
    error: str | None


def facts_of(raw):
    """What there is to know of a block."""
    X, y, weight = raw
    table = table_of(X)
    shape = table.shape
    if len(shape) != 2:
        return Facts(0, (), (), 0, None, f"X must have 2 dimensions; it has the shape {shape}")
    names = tuple(map(str, table.names)) if table.named else None
    sparse = sp.issparse(X)
    entries = _NUMBERS_OF_AN_ENTRY * X.nnz if sparse else np.inf
    lengths, text, error = [shape[0]], None, None
    form = ["sparse" if sparse else "dense", shape[1], names]
    for name, values in (("y", y), ("sample_weight", weight)):
        if values is None:
            form.append("none")
            continue
        values = values if sp.issparse(values) else np.asarray(values)
        lengths.append(values.shape[0] if values.ndim else 0)
        form.append(values.shape[1] if values.ndim == 2 else None)
        kind = values.dtype.kind
        if name == "y" and values.ndim and values.shape[0] and not sp.issparse(values):
            text = kind in "UST" or isinstance(values.flat[0], str | bytes)
        if kind in "fc" and not sp.issparse(values) and not np.isfinite(values).all():
            error = f"{name} contains {'NaN' if np.isnan(values).any() else 'infinity'}"
        elif name != "y" and kind in "if" and (values < 0).any():
            error = f"{name} must not be negative; got {values.min():g}"
    numbers = min(shape[0] * shape[1], entries)
    return Facts(shape[0], tuple(lengths), tuple(form), numbers, text, error)


def checked(blocks, suffix="", like=None):
    """The blocks that have samples, when all of them can be used.

    Parameters
    ----------
    blocks : ReadBlocks
        Of :class:`Raw`.
    suffix : str, default=""
        What names of arguments end with.
    like : Facts or None, default=None
        A block that these must be like.

    Returns
    -------
    blocks : ReadBlocks
    facts : list of Facts
        Of each of them.
    """
    found = blocks.each(facts_of, [()] * blocks.n_blocks)
    first = like or next((facts for facts in found if facts.n), found[0])
    for facts, name in zip(found, blocks.names, strict=True):
        if facts.error is not None:
            raise ValueError(f"{name}: {facts.error}.")
        if len(set(facts.lengths)) > 1:
            raise ValueError(
                f"{name} has {facts.lengths[0]} rows, and the other arguments have "
                f"{', '.join(map(str, facts.lengths[1:]))} there: X{suffix} and y{suffix} must "
                f"{_LENGTHS}."
            )
        if facts.n or facts.form[2]:  # an empty block may be of no form at all
            _check_form(facts, first, name, suffix)
    keep = [i for i, facts in enumerate(found) if facts.n]
    if not keep:
        raise ValueError(f"X{suffix} has no rows: none of its {blocks.n_blocks} blocks has any.")
    return blocks.some(keep), [found[i] for i in keep]


def _check_form(facts, first, name, suffix):
    """Refuse a block that is not like the first one with samples."""
    (kind, columns, names, *others), *theirs = facts.form, *first.form
    if columns != theirs[1]:
        raise ValueError(f"{name} has {columns} columns, and the first one has {theirs[1]}.")
    if names != theirs[2]:
        raise ValueError(
            f"{name} has the columns {_listed(names)}, and the first one {_listed(theirs[2])}."
        )
    if not facts.n:
        return
    if kind != theirs[0]:
        raise ValueError(f"{name} is {kind}, and the first one is {theirs[0]}.")
    given = f"y{suffix}", f"sample_weight{suffix}"
    for which, mine, other in zip(given, others, theirs[3:], strict=True):
        none = "none" in (mine, other)
        # Weights of validation may be there while the others have none.
        if mine != other and not (none and suffix):
            shapes = (_SHAPES.get(shape, f"{shape} columns") for shape in (mine, other))
            raise ValueError(
                "{}: {} has {} there, and {} in the first one.".format(name, which, *shapes)
            )
    if facts.text is not None and first.text is not None and facts.text != first.text:
        kinds = ("strings" if each.text else "numbers" for each in (facts, first))
        raise ValueError(
            "{}: y{} has {} there, and {} in the first one.".format(name, suffix, *kinds)
        )


def _listed(names, most=8):
    if names is None:
        return "without names"
    more = ", ..." if len(names) > most else ""
    return f"[{', '.join(names[:most])}{more}]"


def joined(values):
    """The values of several blocks as one, in their order; None where there are none."""
    values = list(values)
    first = values[0]
    if first is None or len(values) == 1:
        return first
    if sp.issparse(first):
        return sp.vstack(values).tocsr()
    libraries = {type(value).__module__.partition(".")[0] for value in values}
    if len(libraries) > 1 and any(hasattr(value, "columns") for value in values):
        raise TypeError(
            "Blocks are data frames or arrays of several libraries, "
            f"{', '.join(sorted(libraries))}: make them alike."
        )
    library = libraries.pop() if len(libraries) == 1 else "numpy"
    if library == "pandas":
        from dask.dataframe.dispatch import concat  # categories are united

        return concat(values)
    if library == "polars":
        return sys.modules["polars"].concat(values, how="vertical_relaxed")
    if library == "pyarrow":
        return sys.modules["pyarrow"].concat_tables(values, promote_options="permissive")
    masked = any(isinstance(value, np.ma.MaskedArray) for value in values)
    values = [value if masked else np.asarray(value) for value in values]
    if len({value.dtype.kind in "US" for value in values}) > 1:  # numbers would become strings
        values = [value.astype(object) for value in values]
    return np.ma.concatenate(values) if masked else np.concatenate(values)


def joined_samples(raws):
    """The samples of several blocks as one block, in their order."""
    return Raw(*map(joined, zip(*raws, strict=True)))
