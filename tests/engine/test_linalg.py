"""Linear algebra against NumPy's own, where matrices are good and where they are not."""

import numpy as np
import pytest
import scipy.sparse.linalg

from skmdlam.engine.linalg import (
    accelerated_proximal,
    conjugate_gradients,
    damped_inverse,
    solve_positive,
    solver_of,
    spectral_norm_squared,
    top_eigenvalue,
)

SCALES = np.array([1e-9, 1e-3, 1.0, 1e3, 1e9])


def positive(size, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, 2 * size))
    return (root @ root.T / size + 0.1 * np.eye(size)).astype(dtype)


def with_zeros(H, zero):
    H = H.copy()
    H[zero] = 0.0
    H[:, zero] = 0.0
    return H


class TestSolvePositive:
    def test_solves_whatever_the_sizes_of_the_rows(self):
        H = positive(5)
        right = np.random.default_rng(1).normal(size=(5, 3))
        found = solve_positive(H * SCALES * SCALES[:, None], right * SCALES[:, None])
        np.testing.assert_allclose(found * SCALES[:, None], np.linalg.solve(H, right), rtol=1e-10)

    def test_rows_of_zeros_are_absent(self):
        H = with_zeros(positive(5), [1, 3])
        right = np.random.default_rng(1).normal(size=(5, 2))
        found, rest = solve_positive(H, right), [0, 2, 4]
        np.testing.assert_array_equal(found[[1, 3]], 0.0)
        expected = np.linalg.solve(H[np.ix_(rest, rest)], right[rest])
        np.testing.assert_allclose(found[rest], expected, rtol=1e-12)

    def test_rounding_of_dependent_columns_is_survived(self):
        """The jitter is of the size of the rounding in the sums, so that a singular one passes."""
        A = np.random.default_rng(0).normal(size=(50, 4))
        A = np.hstack([A, A[:, :2] + A[:, 2:]])
        H, right = A.T @ A, A.T @ A[:, :1]
        found = solve_positive(H, right)
        np.testing.assert_allclose(H @ found, right, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
    def test_not_a_number_where_it_is_not_positive(self, bad):
        H = positive(3)
        H[1, 1] = bad
        assert np.isnan(solve_positive(H, np.ones((3, 2)))).all()
        H = np.array([[1.0, 3.0], [3.0, 1.0]])  # a positive diagonal is not enough
        assert np.isnan(solve_positive(H, np.ones((2, 1)))).all()

    def test_empty_and_single_precision(self):
        assert solve_positive(np.empty((0, 0)), np.empty((0, 3))).shape == (0, 3)
        H = positive(4, dtype=np.float32)
        found = solve_positive(H, np.ones((4, 1), dtype=np.float32))
        assert found.dtype == np.float32
        np.testing.assert_allclose(H @ found, 1.0, rtol=1e-5)


class TestDampedInverse:
    @pytest.mark.parametrize("damping", [0.3, np.array([0.1, 1.0, 10.0, 0.5, 0.0])], ids=["1", "d"])
    def test_is_the_inverse_and_symmetric(self, damping):
        H = positive(5)
        kept = H.copy()
        found = damped_inverse(H, damping)
        np.testing.assert_allclose(found, np.linalg.inv(H + damping * np.eye(5)), rtol=1e-10)
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_array_equal(H, kept)

    def test_without_damping_rows_of_zeros_have_the_inverse_of_one_that_is_absent(self):
        H = with_zeros(positive(4), [2])
        found, rest = damped_inverse(H, 0.0), [0, 1, 3]
        expected = np.linalg.inv(H[np.ix_(rest, rest)])
        np.testing.assert_allclose(found[np.ix_(rest, rest)], expected, rtol=1e-10)
        np.testing.assert_array_equal(found[2], 0.0)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -50.0, "indefinite"])
    def test_of_what_has_no_factor_the_diagonal(self, bad):
        H = positive(3)
        if bad == "indefinite":
            H[0, 1] = H[1, 0] = 1e3
        else:
            H[1, 1] = bad
        found = damped_inverse(H, 1.0)
        expected = 1.0 / (H.diagonal() + 1.0)
        expected[~np.isfinite(expected)] = 0.0
        np.testing.assert_allclose(found, np.diag(expected), rtol=1e-14)


class TestSolverOf:
    @pytest.mark.parametrize("shift", [0.0, 0.7])
    def test_solves(self, shift):
        H, right = positive(6), np.random.default_rng(1).normal(size=(6, 2))
        expected = np.linalg.solve(H + shift * np.eye(6), right)
        np.testing.assert_allclose(solver_of(H, shift)(right), expected, rtol=1e-10)
        np.testing.assert_array_equal(H, positive(6))

    def test_dependent_and_zero_columns_give_the_least_norm(self):
        """Whether rounding leaves a factor, with a tiny pivot, or none."""
        for seed in range(30):
            rng = np.random.default_rng(seed)
            A, T = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
            A = np.hstack([A, A @ rng.normal(size=(3, 2)), np.zeros((20, seed % 2))])
            found = solver_of(A.T @ A, 0.0)(A.T @ T)
            np.testing.assert_allclose(found, np.linalg.lstsq(A, T, rcond=1e-10)[0], atol=1e-10)

    def test_columns_of_very_different_sizes_are_not_dependent(self):
        H, right = positive(5), np.random.default_rng(1).normal(size=(5, 2))
        found = solver_of(H * SCALES * SCALES[:, None], 0.0)(right * SCALES[:, None])
        np.testing.assert_allclose(found * SCALES[:, None], np.linalg.solve(H, right), rtol=1e-9)

    def test_single_precision_is_solved_in_double(self):
        """A ridge far below the largest eigenvalue times 1e-7 is still one."""
        H = np.full((2, 2), 1e4, dtype=np.float32)
        right = np.array([[1.0, 1.0], [1.0, -1.0]], dtype=np.float32)
        found = solver_of(H, 1e-4)(right)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, [[0.5e-4, 1e4], [0.5e-4, -1e4]], rtol=1e-5)
        singular = solver_of(H, 0.0)(right)
        assert singular.dtype == np.float32
        np.testing.assert_allclose(singular, [[0.5e-4, 0.0], [0.5e-4, 0.0]], rtol=1e-5, atol=1e-9)


class TestConjugateGradients:
    def problem(self):
        H = positive(12) * np.geomspace(0.01, 100, 12) * np.geomspace(0.01, 100, 12)[:, None]
        right = np.random.default_rng(0).normal(size=(12, 3))
        return H, right

    @pytest.mark.parametrize("preconditioned", [False, True])
    @pytest.mark.parametrize("start", [False, True])
    def test_solves(self, preconditioned, start):
        H, right = self.problem()
        preconditioner = H.diagonal()[:, None] if preconditioned else 1.0
        first = np.random.default_rng(1).normal(size=(12, 3)) if start else None
        kept = None if first is None else first.copy()
        found = conjugate_gradients(
            lambda V: H @ V, right, start=first, preconditioner=preconditioner, max_iter=1000
        )
        np.testing.assert_allclose(found, np.linalg.solve(H, right), rtol=1e-6)
        if start:
            np.testing.assert_array_equal(first, kept)

    def test_preconditioner_saves_iterations(self):
        H, right = self.problem()
        counts = []
        for preconditioner in (1.0, H.diagonal()[:, None], np.tile(H.diagonal()[:, None], 3)):
            calls = []
            conjugate_gradients(
                lambda V, calls=calls: calls.append(1) or H @ V, right,
                preconditioner=preconditioner, tol=1e-8, max_iter=1000,
            )  # fmt: skip
            counts.append(len(calls))
        assert counts[1] == counts[2] < counts[0] / 2
        assert counts[1] <= 20

    def test_every_iteration_is_the_best_of_its_krylov_space(self):
        """k products give the minimum of the energy over the span of ``right .. H^(k-1) right``."""
        H = positive(8)
        right = np.random.default_rng(3).normal(size=(8, 1))
        for k in range(1, 6):
            space = np.hstack([np.linalg.matrix_power(H, j) @ right for j in range(k)])
            space = np.linalg.qr(space)[0]
            best = space @ np.linalg.solve(space.T @ H @ space, space.T @ right)
            found = conjugate_gradients(lambda V: H @ V, right, max_iter=k)
            np.testing.assert_allclose(found, best, rtol=1e-8, atol=1e-10)

    def test_tolerance_is_that_of_each_column_by_itself(self):
        H = positive(30)
        right = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 1e-9]
        tol = 1e-3
        residual = right - H @ conjugate_gradients(lambda V: H @ V, right, tol=tol)
        size = np.linalg.norm(residual, axis=0) / np.linalg.norm(right, axis=0)
        assert (size <= tol).all()
        assert (size > 1e-3 * tol).all()  # and no further

    def test_from_the_solution_it_stays_there(self):
        H, right = positive(8), np.random.default_rng(0).normal(size=(8, 2))
        solution = np.linalg.solve(H, right)
        found = conjugate_gradients(lambda V: H @ V, right, start=solution)
        np.testing.assert_allclose(found, solution, rtol=1e-12)

    def test_singular_systems_give_the_least_norm(self):
        A = np.random.default_rng(0).normal(size=(3, 7))
        H, right = A.T @ A, A.T @ np.random.default_rng(1).normal(size=(3, 2))
        found = conjugate_gradients(lambda V: H @ V, right)
        np.testing.assert_allclose(found, np.linalg.lstsq(H, right, rcond=1e-10)[0], atol=1e-9)

    def test_rounding_outside_of_the_range_has_no_step(self):
        """What it has of curvature is rounding too: a step by it has no bounds."""
        errors, sizes = [], []
        for seed in range(50):
            rng = np.random.default_rng(seed)
            rank, size = int(rng.integers(1, 4)), int(rng.integers(4, 30))
            A = rng.normal(size=(rank, size))
            H, right = A.T @ A, A.T @ rng.normal(size=(rank, 3))
            least = np.linalg.lstsq(H, right, rcond=1e-10)[0]
            right += 1e-14 * rng.normal(size=right.shape)
            found = conjugate_gradients(lambda V, H=H: H @ V, right)
            errors.append(np.abs(H @ (found - least)).max() / np.abs(right).max())
            sizes.append(np.abs(found - least).max() / np.abs(least).max())
        assert max(errors) < 1e-5
        assert np.median(sizes) < 1e-3  # without the limit it is 1e4

    def test_columns_of_zeros_and_no_curvature(self):
        H = positive(4)
        right = np.zeros((4, 2))
        right[:, 1] = 1.0
        found = conjugate_gradients(lambda V: H @ V, right)
        np.testing.assert_array_equal(found[:, 0], 0.0)
        np.testing.assert_allclose(H @ found[:, 1], 1.0, rtol=1e-10)
        none = conjugate_gradients(lambda V: 0.0 * V, np.ones((4, 1)))
        np.testing.assert_array_equal(none, 0.0)


class TestTopEigenvalue:
    @pytest.mark.parametrize("largest_dense", [100, 10], ids=["dense", "lanczos"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_is_never_below_and_hardly_above(self, largest_dense, dtype):
        for seed in range(5):
            H = positive(60, seed, dtype)
            exact = float(np.linalg.eigvalsh(H.astype(float))[-1])
            slack = 1.02 if largest_dense == 10 else 1.00003
            assert exact <= top_eigenvalue(H, largest_dense) <= slack * exact

    def test_of_nothing_is_nothing(self):
        assert top_eigenvalue(np.zeros((3, 3)), 10) == 0.0
        assert top_eigenvalue(-np.eye(3), 10) == 0.0

    @pytest.mark.parametrize("found", [[], [3.0]])
    def test_lanczos_that_does_not_converge(self, found, monkeypatch):
        """What it has is better than nothing; without any, a Rayleigh quotient."""

        def fail(*args, **kwargs):
            raise scipy.sparse.linalg.ArpackNoConvergence("no", np.array(found), np.empty((9, 0)))

        monkeypatch.setattr(scipy.sparse.linalg, "eigsh", fail)
        value = top_eigenvalue(4.0 * np.eye(20), 10)
        if found:
            assert value == pytest.approx(3.03)
        else:
            assert value >= 4.0

    @pytest.mark.parametrize("shape", [(5, 40), (40, 5)])
    def test_spectral_norm(self, shape):
        W = np.random.default_rng(0).normal(size=shape)
        exact = np.linalg.norm(W, 2) ** 2
        assert exact <= spectral_norm_squared(W, 4) <= 1.02 * exact
        assert exact <= spectral_norm_squared(W, 5) <= 1.00003 * exact  # the smaller matrix has 5


class TestAcceleratedProximal:
    """Lasso: where the solution is known by its subgradient."""

    def setup_method(self):
        rng = np.random.default_rng(0)
        root = rng.normal(size=(40, 12)) * np.geomspace(0.2, 2.0, 12)
        self.H, self.right = root.T @ root, root.T @ rng.normal(size=(40, 2))
        self.curvature = float(np.linalg.eigvalsh(self.H)[-1])
        self.alpha = 3.0

    def value(self, W):
        quadratic = 0.5 * np.vdot(W, self.H @ W) - np.vdot(W, self.right)
        return float(quadratic + self.alpha * np.abs(W).sum())

    def step(self, V):
        V = V - (self.H @ V - self.right) / self.curvature
        return V - np.clip(V, -self.alpha / self.curvature, self.alpha / self.curvature)

    @pytest.mark.parametrize("guarded", [False, True])
    def test_reaches_the_lasso(self, guarded):
        value = self.value if guarded else None
        start = np.random.default_rng(1).normal(size=(12, 2))
        kept = start.copy()
        W = accelerated_proximal(self.step, start, max_iter=5000, value=value, tol=1e-13)
        slope = self.right - self.H @ W
        np.testing.assert_array_equal(start, kept)
        zero = W == 0
        assert zero.any()
        assert not zero.all()
        np.testing.assert_allclose(slope[~zero], self.alpha * np.sign(W[~zero]), rtol=1e-7)
        assert (np.abs(slope[zero]) <= self.alpha).all()

    def test_reaches_ridge(self):
        self.alpha = 0.0
        system = self.H + 0.5 * np.eye(12)
        curvature = self.curvature + 0.5
        W = accelerated_proximal(
            lambda V: V - (system @ V - self.right) / curvature,
            np.zeros((12, 2)), max_iter=5000, tol=1e-14,
        )  # fmt: skip
        np.testing.assert_allclose(W, np.linalg.solve(system, self.right), rtol=1e-8)

    def test_follows_nesterovs_sequence(self):
        W = previous = np.ones((12, 2))
        s, point = 1.0, W
        for k in range(1, 8):
            new = self.step(point)
            s, last = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * s**2)), s
            point, previous = new + (last - 1.0) / s * (new - previous), new
            found = accelerated_proximal(self.step, W, max_iter=k)
            np.testing.assert_allclose(found, previous, rtol=1e-12, atol=1e-14)

    def test_restarts_where_the_value_would_rise(self):
        """From the last point, with weights from the first one on."""
        W = previous = start = np.random.default_rng(2).normal(size=(12, 2))
        s, point, best, steps, restarts = 1.0, W, self.value(W), 0, 0
        while steps < 150:
            new = self.step(point)
            steps += 1
            if self.value(new) > best:
                s, point, restarts = 1.0, W, restarts + 1
                continue
            best = self.value(new)
            s, last = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * s**2)), s
            point, previous = new + (last - 1.0) / s * (new - W), W
            W = new
        assert restarts > 1
        assert not np.array_equal(W, previous)
        found = accelerated_proximal(self.step, start, max_iter=150, value=self.value)
        np.testing.assert_allclose(found, W, rtol=1e-10, atol=1e-14)

    def test_is_faster_than_the_step_alone(self):
        W = start = np.zeros((12, 2))
        for _ in range(60):
            W = self.step(W)
        fast = accelerated_proximal(self.step, start, max_iter=60, value=self.value)
        best = self.value(accelerated_proximal(self.step, start, max_iter=5000, value=self.value))
        assert self.value(fast) - best < 0.1 * (self.value(W) - best)

    def test_is_never_worse_than_the_start_nor_than_fewer_iterations(self):
        """With the value, after any number of iterations; steps that overshoot are dropped."""
        for factor in (1.0, 0.45):  # the second of the two is longer than the curvature allows

            def step(V, factor=factor):
                return V - factor**-1 * (V - self.step(V))

            start = np.random.default_rng(2).normal(size=(12, 2))
            last = self.value(start)
            for max_iter in range(40):
                W = accelerated_proximal(step, start, max_iter=max_iter, value=self.value)
                reached = self.value(W)
                assert reached <= last
                last = reached

    def test_where_no_step_descends_the_start_stays(self):
        start = np.ones((3, 1))
        calls = []

        def step(V):
            calls.append(1)
            return V + 1.0

        W = accelerated_proximal(step, start, max_iter=50, value=lambda W: float(W.sum()))
        np.testing.assert_array_equal(W, start)
        assert len(calls) == 1
        W = accelerated_proximal(step, start, max_iter=5, value=lambda W: np.nan)
        np.testing.assert_array_equal(W, start)

    def test_tolerance_ends_it(self):
        calls = []

        def step(V):
            calls.append(1)
            return self.step(V)

        accelerated_proximal(step, np.zeros((12, 2)), max_iter=5000, tol=1e-3)
        few = len(calls)
        accelerated_proximal(step, np.zeros((12, 2)), max_iter=5000, tol=1e-9)
        assert 2 < few < len(calls) - few < 5000


def test_a_column_without_curvature_is_done():
    H = np.diag([1.0, 2.0, 3.0, 0.0])
    right = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1e-3, 0.0]])
    W = conjugate_gradients(lambda V: H @ V, right)
    np.testing.assert_allclose(W[:3], right[:3] / H.diagonal()[:3, None], atol=1e-5)
    assert abs(W[3, 0]) < 0.01
