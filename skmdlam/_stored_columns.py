"""What a fitted estimator knows of columns, as arrays, numbers and names: what files hold of it."""

from ._inputs import InputColumns
from ._reader import Reader
from ._stored_streams import packed, packed_stream, unpacked, unpacked_stream
from .engine.inputs.kinds import Kinds
from .engine.inputs.levels import CodeColumn, OneHotBlock, TiedNumbers
from .engine.inputs.pieces import Curve, Pieces
from .engine.level_scores import LevelScores

# What stands for the pieces of the encoder of an estimator, which are stored with that.
_OF_ENCODER = "encoder"
# Names in files of what owns scores.
_OWNERS = {"codes": CodeColumn, "block": OneHotBlock, "ties": TiedNumbers}


def plain_state(state):
    """Attributes of an estimator in which no object is of a private class.

    Parameters
    ----------
    state : dict
        It is not changed.

    Returns
    -------
    state : dict
    """
    state, inputs = dict(state), state.get("_inputs")
    if isinstance(state.get("_stream"), dict):
        weights = state.get("coefs_"), state.get("intercepts_")
        state["_stream"] = packed_stream(state["_stream"], *weights)
    if state.get("_sample") is not None:
        state["_sample"] = packed(state["_sample"])
    if isinstance(state.get("_reader"), Reader):
        state["_reader"] = state["_reader"].__getstate__()
    if isinstance(inputs, InputColumns):
        encoder = state.get("encoder_")
        shared = encoder is not None and inputs.pieces is encoder._pieces
        state["_inputs"] = {
            "kept": inputs.kept,
            "scores": None if inputs.scores is None else _scores_state(inputs.scores),
            "pieces": _OF_ENCODER if shared else pieces_state(inputs.pieces),
            "n_features": int(inputs.n_features),
        }
    return state


def with_columns(state):
    """Put the objects back that :func:`plain_state` has taken away; files of before have them.

    Parameters
    ----------
    state : dict
        It is changed.
    """
    reader, inputs = state.get("_reader"), state.get("_inputs")
    if isinstance(state.get("_stream"), dict):
        weights = state.get("coefs_"), state.get("intercepts_")
        state["_stream"] = unpacked_stream(state["_stream"], *weights)
    if state.get("_sample") is not None:
        state["_sample"] = unpacked(state["_sample"])
    if isinstance(reader, dict):
        state["_reader"] = Reader(**reader)
    if isinstance(inputs, dict):
        pieces, scores = inputs["pieces"], inputs["scores"]
        shared = isinstance(pieces, str) and pieces == _OF_ENCODER
        pieces = state["encoder_"]._pieces if shared else pieces_of_state(pieces)
        scores = None if scores is None else _scores_of_state(scores)
        state["_inputs"] = InputColumns(inputs["kept"], scores, pieces, inputs["n_features"])


def pieces_state(pieces):
    """Pieces, or None, as a dict of arrays and numbers."""
    if pieces is None:
        return None
    return {
        "curves": [None if curve is None else dict(vars(curve)) for curve in pieces.curves],
        "include_rank": pieces.include_rank,
        "include_input": bool(pieces.include_input),
        "kinds": None if pieces.kinds is None else dict(vars(pieces.kinds)),
    }


def pieces_of_state(state):
    """The pieces that :func:`pieces_state` has described."""
    if not isinstance(state, dict):  # None, or pieces in a file of before
        return state
    return Pieces(
        [None if curve is None else Curve(**curve) for curve in state["curves"]],
        include_rank=state["include_rank"],
        include_input=state["include_input"],
        kinds=None if state["kinds"] is None else Kinds(**state["kinds"]),
    )


def _scores_state(scores):
    names = {kind: name for name, kind in _OWNERS.items()}
    return {
        "categories": [{"kind": names[type(each)], **vars(each)} for each in scores.categories],
        "tables": list(scores.tables),
        "gains": [float(gain) for gain in scores.gains],
    }


def _scores_of_state(state):
    categories = []
    for each in state["categories"]:
        each = dict(each)
        categories.append(_OWNERS[each.pop("kind")](**each))
    return LevelScores(categories, state["tables"], state["gains"])
