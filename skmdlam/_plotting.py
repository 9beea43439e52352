"""What displays share: colors, checks of arguments, ticks.

matplotlib is imported when something is drawn, never before.
"""

import difflib
from numbers import Integral, Real

# Okabe and Ito: told apart by color-blind readers, and in print. Yellow is too pale for a line.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def suggestion(name, names):
    """The end of a message about a name that is much like one of some others, or its last part."""
    # A column transformer puts the name of its step before that of a column.
    known = {each.rpartition("__")[2]: each for each in names} | {each: each for each in names}
    near = [known[each] for each in difflib.get_close_matches(str(name), known, n=1)]
    return f", did you mean {near[0]!r}?" if near else ""


def check_choice(name, value, choices):
    """Refuse what is not among some names, and say which one is near."""
    if value not in tuple(choices):
        near = suggestion(value, list(choices)) if isinstance(value, str) else ""
        raise ValueError(
            f"{name} must be {'among' if name == 'curves' else 'one of'} "
            f"{', '.join(map(repr, choices))}; got {value!r}{near or '.'}"
        )


def is_integer(value):
    """Whether it is one, of Python or NumPy; no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value):
    """Whether it is a real number; no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def pyplot(caller):
    """``matplotlib.pyplot``, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed: python -m pip install matplotlib"
        ) from error
    return plt


def long_names(line_kw):
    """Keywords of a line by their long names, so that they replace the defaults."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(line_kw, Line2D)


def plain_numbers(axis):
    """Label a log scale with 0.2 instead of 2 x 10^-1, where matplotlib would label it at all."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x, pos=None):
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(Plain(labelOnlyBase=False, minor_thresholds=(1.5, 0.4)))


def plain_text(text):
    """Text for matplotlib, which would typeset what is between two dollar signs as a formula."""
    return text.replace("$", r"\$")
