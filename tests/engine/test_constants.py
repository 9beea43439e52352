"""Constants: each says what it is; what is handed in is used in place of the defaults."""

import ast
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest

from skmdlam import Feasible
from skmdlam.activations import Tanh
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED, Limits, Tuned
from skmdlam.engine.problem import Problem
from skmdlam.losses import SquaredError
from skmdlam.penalties import L2

ROOT = Path(__file__).resolve().parents[2]
FIELDS = [*fields(Tuned), *fields(Limits)]


def test_each_says_its_unit_what_it_trades_and_who_fitted_it():
    assert {field.name for field in fields(Tuned)}.isdisjoint(
        field.name for field in fields(Limits)
    )
    for field in FIELDS:
        about = field.metadata
        assert set(about) == {"unit", "trades", "fitted_by"}, field.name
        assert about["trades"], field.name
        assert about["unit"] or field.type is bool, field.name
        assert about["fitted_by"].startswith("benchmarks/"), field.name
        assert (ROOT / about["fitted_by"]).is_file(), field.name


def test_each_is_read():
    """A number that nobody reads is dead; ``tuned.x`` and ``self._limits.x`` read x."""
    read = set()
    for path in (ROOT / "skmdlam").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
                if owner.lower().strip("_") in ("tuned", "limits"):
                    read.add(node.attr)
    assert {field.name for field in FIELDS} - read == set()


def test_none_is_declared_twice():
    """The later one would hold for both."""
    tree = ast.parse((ROOT / "skmdlam/engine/constants.py").read_text(encoding="utf-8"))
    names = [node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    assert len(names) == len(set(names)) > len(FIELDS)


def test_they_cannot_be_changed_for_everyone():
    for constants, name in ((TUNED, "rho"), (LIMITS, "small"), (CONSTANTS, "tuned")):
        with pytest.raises(FrozenInstanceError):
            setattr(constants, name, 1)
    assert (CONSTANTS.tuned, CONSTANTS.limits) == (TUNED, LIMITS) == (Tuned(), Limits())


def start(n=120, *, stream=False, solver=None, **settings):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, 3)), rng.standard_normal((n, 1))
    problem = Problem(X, Y, [Tanh()], SquaredError(), L2(), 0.0)
    weights = Feasible().initial_weights((3, 4, 1), np.random.RandomState(0), float, [Tanh()])
    if stream:
        return solver.stream(problem, *weights, None, **settings)
    return solver.start(problem, *weights, **settings)


def with_tuned(**numbers):
    return Feasible(constants=replace(CONSTANTS, tuned=replace(TUNED, **numbers)))


def with_limits(**numbers):
    return Feasible(constants=replace(CONSTANTS, limits=replace(LIMITS, **numbers)))


HANDED_IN = [
    (with_tuned(rho=90.0), lambda run: run.step.rho, 90.0 * 2**0.58),
    (with_tuned(hidden_gain=5.0), lambda run: run.step.network.layers[0].gain, 5.0),
    (with_tuned(damping=0.7), lambda run: run.step.network.layers[1].preconditioner.damping, 0.7),
    (with_tuned(memory=0.3), lambda run: run.step.network.layers[1].preconditioner.memory, 0.3),
    (with_tuned(largest_decrease=3.0), lambda run: run.step.network.layers[0].limit.largest, 3.0),
    (with_tuned(epochs=7), lambda run: run.schedule.epochs, 7),
    (with_tuned(cool_down=8), lambda run: run.schedule.cool_down_epochs, 4),
    (with_tuned(warm_up=3), lambda run: run.schedule.factor(0.0), 1 / 3),
    (with_tuned(refresh_every=11), lambda run: run.step.rhythm.refresh_every, 11),
    (with_tuned(observe_every=11), lambda run: run.step.rhythm.observe_every, 11),
    (with_tuned(batch_share=2), lambda run: run.source.n_batches, 2),
    (with_tuned(activity=3.0), lambda run: run.estimated.activity_alpha, 0.9),
    (with_tuned(upper=0.0), lambda run: run.estimated.upper_alpha, 0.0),
    (with_tuned(column=0.0, least_column=2.0), lambda run: run.estimated.column_alpha, 2.0),
    (with_limits(measured_rows=50), lambda run: len(run.objective.chunks), 3),
    (with_tuned(all_measured=100, measured=60), lambda run: run.objective.n, 60),
]


@pytest.mark.parametrize("case", range(len(HANDED_IN)))
def test_what_is_handed_in_is_used(case):
    solver, ask, expected = HANDED_IN[case]
    given = solver.constants.tuned.batch_share == TUNED.batch_share
    size, longest = (50, 200) if given else (None, 40)
    settings = {"batch_size": size, "max_iter": longest}
    assert ask(start(solver=solver, **settings)) == pytest.approx(expected)
    assert ask(start(solver=Feasible(), **settings)) != pytest.approx(expected)


def test_the_full_batch_uses_them_too():
    run = start(solver=with_tuned(secant_pairs=4), batch_size=120)
    plain = start(solver=Feasible(), batch_size=120)
    losses = [[next(r).loss for _ in range(12)] for r in (run, plain)]
    assert losses[0] != losses[1]
    fewer = start(solver=with_limits(block_rows=50), batch_size=120)
    np.testing.assert_allclose([next(fewer).loss for _ in range(12)], losses[1], rtol=1e-6)


def test_a_stream_uses_them_too():
    run = start(stream=True, solver=with_tuned(stream_batch=40, stream_rho=6.0))
    assert run.source.sizes == [40]
    record = next(run)
    assert record.rho == pytest.approx(6.0 * 45.0 * 2.5**0.58, rel=0.02)
