"""The words of the package: American spelling, and the field's terms where users read."""

import functools
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # it reads every file

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "package": ["skmdlam/**/*.py"],
    "tests": ["tests/**/*.py"],
    "benchmarks": ["benchmarks/**/*.py"],
    "examples": ["examples/*.py"],
    "pages": ["*.rst", "doc/*.rst", "doc/user_guide/**/*.rst", "doc/benchmarks/*.rst"],
}
BRITISH = re.compile(
    r"""(un|re)?(
        (minim|maxim|optim|penal|regular|normal|standard|initial|general|summar|random|orthogonal
          |factor|vector|stabil|symmetr|serial|discret|quant|recogn|organ|special|parametr)
          is(e|ed|es|er|ers|ing|ation|ations)
        |(colour|behaviour|neighbour|favour|honour|flavour)[a-z]*
        |centred?|centres|licences?|catalogues?|(modell|labell|travell)(ed|ing)|fulfil|grey
        |artefacts?|analys(e|ed|ing)|learnt|towards|(kilo|milli|centi)?metres?)""",
    re.VERBOSE,
)
PRIVATE = [
    "what layers say",
    "what the layers say",
    "what the network says",
    "a stream that turns",
    "by heart",
    "made up",
    "made tables",
    "asks nobody",
    "it complains",
    "it stands still",
    "losses of your own",
    "samples of your own",
    "less adam's",
    "slow controls",
    "hangs on",
]


@functools.cache
def is_british(word):
    return BRITISH.fullmatch(word) is not None


def texts(place):
    """Paths, as they are named in a checkout, and the texts there in lower case."""
    for pattern in PLACES[place]:
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "test_words.py" and "generated" not in path.parts:
                text = path.read_text(encoding="utf-8").lower()
                yield path.relative_to(ROOT).as_posix(), text


@pytest.mark.parametrize("place", PLACES)
def test_american_spelling(place):
    found = {
        name: words
        for name, text in texts(place)
        if (words := sorted(filter(is_british, set(re.findall("[a-z]+", text)))))
    }
    assert found == {}


@pytest.mark.parametrize("place", ["package", "examples", "pages"])
def test_words_of_the_field(place):
    """These were in the package's own language, and have a usual term."""
    found = {
        name: words
        for name, text in texts(place)
        if (words := [each for each in PRIVATE if each in " ".join(text.split())])
    }
    assert found == {}


def test_words_are_found():
    for word in ("minimise", "unstandardised", "colours", "centred", "kilometres", "towards"):
        assert is_british(word)
    for word in ("minimize", "optimistic", "center", "premise", "promised", "parameter"):
        assert not is_british(word)
