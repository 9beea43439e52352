"""Linear algebra of the engine: positive definite systems, conjugate gradients, eigenvalues."""

import functools
import math

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from scipy.linalg import lapack

# Curvature below this share of the largest one, in units of its rounding, is none.
_NO_CURVATURE = 0.1


@functools.cache
def lapack_of(dtype, *names):
    """LAPACK routines of these names for a type: SciPy wraps them at the cost of a small system."""
    return lapack.get_lapack_funcs(names, dtype=dtype)


def _scaled_factor(matrix, jitter=0.0):
    """Cholesky factor of a positive definite matrix with its diagonal scaled to one.

    Rows of very different sizes then cost no digits. Those whose diagonal is zero count as absent.

    Returns
    -------
    factor : ndarray
        Lower triangle.
    scale : ndarray
        What rows and columns were multiplied by.

    Raises
    ------
    LinAlgError
        Where the matrix is not positive definite, or not finite.
    """
    diagonal = matrix.diagonal()
    if not (np.isfinite(diagonal) & (diagonal >= 0)).all():
        raise np.linalg.LinAlgError("not positive definite, or not finite")
    scale = np.zeros_like(diagonal)
    np.divide(1.0, np.sqrt(diagonal), out=scale, where=diagonal > 0)
    scaled = matrix * scale * scale[:, None]
    scaled.flat[:: len(matrix) + 1] += np.where(scale > 0, jitter, 1.0).astype(matrix.dtype)
    (factorize,) = lapack_of(scaled.dtype, "potrf")
    factor, failed = factorize(scaled, lower=True, overwrite_a=True, clean=False)
    if failed:
        raise np.linalg.LinAlgError("not positive definite, or not finite")
    return factor, scale


def _solve_scaled(factor, scale, right):
    """``matrix^-1 right`` from what :func:`_scaled_factor` returned."""
    column = scale[:, None]
    right = column * right
    (solve,) = lapack_of(np.result_type(factor, right), "potrs")
    return column * solve(factor, right, lower=True, overwrite_b=True)[0]


def solve_positive(system, right):
    """``system^-1 right`` for a positive definite matrix, NaN where it turns out not to be one."""
    size = len(system)
    if size == 0:
        return right
    try:
        # Rounding in the sums that made the matrix stays below this.
        factor, scale = _scaled_factor(system, size * np.finfo(system.dtype).eps)
    except np.linalg.LinAlgError:
        return np.full(right.shape, np.nan)
    return _solve_scaled(factor, scale, right)


def damped_inverse(matrix, damping):
    """``(matrix + damping I)^-1`` of a positive semi-definite matrix; damping may be a vector.

    Where that is not positive definite or not finite, the inverse of its diagonal.
    """
    damped = matrix.copy()
    damped.flat[:: len(matrix) + 1] += damping
    try:
        factor, scale = _scaled_factor(damped)
        inverse = _solve_scaled(factor, scale, np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        inverse = None
    if inverse is None or not np.isfinite(inverse).all():
        scale = 1.0 / damped.diagonal()
        return np.diag(np.where(np.isfinite(scale), scale, 0.0))
    return 0.5 * (inverse + inverse.T)


def solver_of(matrix, shift):
    """A function that solves with ``matrix + shift I``, positive semi-definite.

    Where columns are dependent it gives the solution of least norm.
    """
    size = matrix.shape[0]
    resolution = 10 * size * np.finfo(np.float64).eps
    # Double precision: the ridge is often far below the largest eigenvalue times 1e-7.
    shifted = matrix.astype(np.float64)
    shifted.flat[:: size + 1] += shift
    try:
        factor, scale = _scaled_factor(shifted)
        # A tiny pivot means dependent columns: the answer would be noise of any size.
        if factor.diagonal().min() ** 2 < resolution:
            raise np.linalg.LinAlgError("nearly singular")
    except np.linalg.LinAlgError:
        values, vectors = scipy.linalg.eigh(shifted, check_finite=False)
        keep = values > values[-1] * resolution
        inverse = np.zeros_like(values)
        inverse[keep] = 1.0 / values[keep]

        def solve(right):
            return (vectors @ (inverse[:, None] * (vectors.T @ right))).astype(right.dtype)

    else:

        def solve(right):
            return _solve_scaled(factor, scale, right).astype(right.dtype)

    return solve


def conjugate_gradients(product, right, *, start=None, tol=None, max_iter=None, preconditioner=1.0):
    """Solve ``H W = right`` for a positive semi-definite ``H``, all columns at the same time.

    Parameters
    ----------
    product : callable
        ``V -> H V``.
    right : ndarray of shape (d, k)
        Right-hand sides, in the range of ``H``.
    start : ndarray of shape (d, k) or None
        First iterate; None is zero, from where singular systems give the solution of least norm.
    tol : float or None
        A column is done when its residual is below ``tol`` times its right-hand side; None
        is 10 times the resolution of the type.
    max_iter : int or None
        None allows 10 d iterations.
    preconditioner : float or ndarray of shape (d, 1) or (d, k), default=1.0
        A diagonal matrix that is about ``H``.

    Returns
    -------
    W : ndarray of shape (d, k)
    """
    tol = 10 * np.finfo(right.dtype).eps if tol is None else tol
    max_iter = 10 * right.shape[0] if max_iter is None else max_iter
    W = np.zeros_like(right) if start is None else start.copy()
    residual = right - product(W) if start is not None else right.copy()
    goal = tol**2 * np.einsum("ij,ij->j", right, right / preconditioner)
    scaled = residual / preconditioner
    direction = scaled.copy()
    size = np.einsum("ij,ij->j", residual, scaled)
    steepest, resolution = np.zeros_like(size), np.finfo(right.dtype)
    for _ in range(max_iter):
        active = size > goal
        if not active.any():
            break
        image = product(direction)
        curvature = np.einsum("ij,ij->j", direction, image)
        # What rounding leaves in the null space of H has no curvature, and a step no bounds there.
        length = np.einsum("ij,ij->j", direction, preconditioner * direction)
        np.maximum(steepest, curvature / np.maximum(length, resolution.tiny), out=steepest)
        active &= curvature > _NO_CURVATURE * resolution.eps * steepest * length
        step = np.zeros_like(size)
        np.divide(size, curvature, out=step, where=active)
        if not step.any():
            break
        W += step * direction
        residual -= step * image
        scaled = residual / preconditioner
        new_size = np.einsum("ij,ij->j", residual, scaled)
        ratio = np.zeros_like(size)
        np.divide(new_size, size, out=ratio, where=active)
        direction *= ratio
        direction += scaled
        size = np.where(active, new_size, 0.0)
    return W


def top_eigenvalue(matrix, largest_dense):
    """Largest eigenvalue of a symmetric positive semi-definite matrix, never below it.

    Of more than ``largest_dense`` rows it comes from Lanczos' method.
    """
    size = matrix.shape[0]
    if size > largest_dense:
        return lanczos(matrix)
    values = scipy.linalg.eigvalsh(matrix, subset_by_index=(size - 1, size - 1), check_finite=False)
    # One part in a hundred thousand covers the rounding of float32.
    return float(max(values[-1], 0.0)) * (1 + 1e-5)


def lanczos(operator):
    """Largest eigenvalue by Lanczos' method, a little above what it finds."""
    size = operator.shape[0]
    start = np.random.default_rng(0).standard_normal(size).astype(operator.dtype)
    try:
        values = scipy.sparse.linalg.eigsh(
            operator, k=1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        values = error.eigenvalues if len(error.eigenvalues) else [operator @ start @ start]
    # Lanczos comes from below; the caller still checks the descent that this promises.
    return float(max(values[-1], 0.0)) * 1.01


def spectral_norm_squared(W, largest_dense):
    """``lambda_max(W W')``, through the smaller of the two Gram matrices."""
    gram = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    return top_eigenvalue(gram, largest_dense)


def accelerated_proximal(step, start, *, max_iter, value=None, tol=0.0):
    """Iterate a proximal gradient step with Nesterov's extrapolation (FISTA).

    Parameters
    ----------
    step : callable
        ``step(point)`` gives the proximal gradient step from there.
    start : ndarray
        First point.
    max_iter : int
        Limit on the iterations.
    value : callable or None, default=None
        What is minimized, by which the extrapolation is dropped where it would rise, so that the
        result is never worse than the start; None does not look.
    tol : float, default=0.0
        Stop when an iteration moves no entry by more than ``tol`` times the largest entry.

    Returns
    -------
    W : ndarray
    """
    W, point, momentum = start, start, 1.0
    best = np.inf if value is None else value(W)
    for _ in range(max_iter):
        new = step(point)
        if value is not None:
            reached = value(new)
            if not reached <= best:
                if point is W:  # a plain step that does not descend: rounding has the last word
                    break
                point, momentum = W, 1.0
                continue
            best = reached
        last, momentum = momentum, (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        point = new + ((last - 1.0) / momentum) * (new - W)
        moved = float(np.max(np.abs(new - W), initial=0.0)) if tol > 0 else np.inf
        W = new
        if moved <= tol * float(np.max(np.abs(W), initial=0.0)):
            break
    return W
