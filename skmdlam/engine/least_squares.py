"""The exact weight step: ridge regression of a layer's targets on its inputs, in three forms.

Every form solves the same problem, with centred ``A`` and ``T`` so that the intercept is free::

    argmin over W of  1/2 sum_i s_i ||T_i - A_i W||^2 + shift/2 ||W||^2

* *primal*: Cholesky of the ``d x d`` matrix ``A'SA + shift I``;
* *dual*: Cholesky of the ``n x n`` matrix ``S^1/2 AA' S^1/2 + shift I``, when ``n < d``;
* *conjugate gradients*: products with ``A`` alone, when ``A`` is sparse or both sides are large.
"""

import math

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg

from .moments import column_moments, varies

# Beyond this many rows and columns a factorisation costs more than conjugate gradients.
_LARGEST_FACTORISATION = 4000
# Beyond this size the top eigenvalue comes from Lanczos instead of a dense eigensolver.
_LARGEST_DENSE_EIGENVALUE = 600

FORMS = ("auto", "primal", "dual", "cg")


class Design:
    """The input of a layer as the design matrix of its weight step.

    The second moments are computed when first asked for and kept: for the first layer, whose
    input never changes, that is once a fit.

    Parameters
    ----------
    A : ndarray or sparse matrix of shape (n, d)
        Input of the layer.
    rows : Rows
        How to sum over the rows of ``A``.
    """

    def __init__(self, A, rows):
        self.A = A
        self.rows = rows
        self.mean = rows.mean(A)
        self._gram = None
        self._kernel = None
        self._top_eigenvalue = None
        self._factor = None, None

    @property
    def gram(self):
        """``A'SA`` of the centred input, shape (d, d)."""
        if self._gram is None:
            gram = self.rows.gram(self.A, self.mean)
            # Columns that are constant up to the rounding of their mean carry nothing.
            constant = self._constant(gram.diagonal() / self.rows.total)
            gram[constant] = 0
            gram[:, constant] = 0
            self._gram = gram
        return self._gram

    def _constant(self, variance):
        """Which columns do not vary, but for what rounding makes of their values and their mean."""
        # A sum is no further off than this: only these are worth another look, in full precision.
        suspects = np.flatnonzero(variance <= (self.A.shape[0] * self._mean_rounding) ** 2)
        constant = np.zeros(len(variance), dtype=bool)
        if suspects.size > 0:
            moments = column_moments(self.A[:, suspects], self.rows.share())
            constant[suspects] = ~varies(*moments, self.A.dtype)
        return constant

    @property
    def _mean_rounding(self):
        """What rounding may make of the centred values of a constant column."""
        return 16 * np.finfo(self.A.dtype).eps * np.abs(self.mean)

    @property
    def kernel(self):
        """``S^1/2 AA' S^1/2`` of the centred input, shape (n, n)."""
        if self._kernel is None:
            scaled = self._scaled_input()
            self._kernel = scaled @ scaled.T
        return self._kernel

    @property
    def small_side(self):
        """The smaller of the number of rows and columns."""
        return min(self.A.shape)

    def top_eigenvalue(self):
        """Largest eigenvalue of ``A'SA``, the curvature of the least-squares problem."""
        if self._top_eigenvalue is None:
            if self.small_side > _LARGEST_FACTORISATION or (
                sp.issparse(self.A) and self.A.shape[1] > _LARGEST_DENSE_EIGENVALUE
            ):
                size = self.A.shape[1]
                operator = scipy.sparse.linalg.LinearOperator(
                    (size, size),
                    matvec=lambda x: self.curvature(x.reshape(size, 1)).ravel(),
                    dtype=self.A.dtype,
                )
                self._top_eigenvalue = _lanczos(operator)
            else:
                narrow = self.A.shape[1] <= self.A.shape[0] or sp.issparse(self.A)
                self._top_eigenvalue = top_eigenvalue(self.gram if narrow else self.kernel)
            # Below its rounding the curvature is not known: steps must not be longer than that.
            rounding = self.rows.total * float(self._mean_rounding @ self._mean_rounding)
            self._top_eigenvalue += rounding + float(np.finfo(self.A.dtype).tiny)
        return self._top_eigenvalue

    def cross(self, R):
        """``A' S R`` for a centred ``R``; the mean of ``A`` then drops out."""
        return self.rows.cross(self.A, R)

    def curvature(self, V):
        """``A'SA V`` of the centred input, through the Gram matrix when that is smaller."""
        n, d = self.A.shape
        if self._gram is not None or (d <= n and d <= _LARGEST_FACTORISATION):
            return self.gram @ V
        product = self.A @ V
        product -= self.mean @ V
        # The mean of the product is zero up to rounding: remove the rounding too.
        product -= self.rows.mean(product)
        return self.cross(product)

    def ridge(self, T, shift, *, form="auto", start=None):
        """Solve the problem of this module for centred targets.

        Parameters
        ----------
        T : ndarray of shape (n, k)
            Centred targets.
        shift : float
            Ridge, at least 0. Where the problem has many solutions (``shift=0`` and dependent
            columns) the factorisations return the one of least norm.
        form : {"auto", "primal", "dual", "cg"}, default="auto"
            See the module; "auto" chooses by shape.
        start : ndarray of shape (d, k) or None
            Where conjugate gradients start.

        Returns
        -------
        W : ndarray of shape (d, k)
        """
        n, d = self.A.shape
        if form == "auto":
            if sp.issparse(self.A) or self.small_side > _LARGEST_FACTORISATION:
                form = "cg"
            else:
                form = "dual" if n < d else "primal"
        if form == "primal":
            return self._solve(self.gram, shift, self.cross(T))
        if form == "dual":
            if self.rows.weight is not None:
                T = T * np.sqrt(self.rows.weight)[:, None]
            return self._scaled_input().T @ self._solve(self.kernel, shift, T)
        if form == "cg":
            # Without a ridge the solution of least norm is the one reached from zero.
            return conjugate_gradients(
                lambda V: self.curvature(V) + shift * V,
                self.cross(T),
                start=start if shift > 0 else None,
            )
        raise ValueError(f"Unknown form {form!r}; known forms are {', '.join(FORMS)}.")

    def _scaled_input(self):
        A = self.A.toarray() if sp.issparse(self.A) else self.A
        scaled = A - self.mean
        if self.rows.weight is not None:
            scaled *= np.sqrt(self.rows.weight)[:, None]
        return scaled

    def _solve(self, matrix, shift, right):
        """``(matrix + shift I)^-1 right``; the factorisation is kept for the next call."""
        key = matrix is self._gram, float(shift)
        if self._factor[0] != key:
            self._factor = key, _factorise(matrix, shift)
        return self._factor[1](right)


def _factorise(matrix, shift):
    """Return a function that solves with ``matrix + shift I`` (positive semi-definite)."""
    size = matrix.shape[0]
    resolution = 10 * size * np.finfo(np.float64).eps
    # Double precision: the ridge is often far below the largest eigenvalue times 1e-7.
    shifted = matrix.astype(np.float64)
    shifted.flat[:: size + 1] += shift
    diagonal = shifted.diagonal().copy()
    # Unit diagonal: columns of very different scales then cost no digits. Columns of zeros get
    # the solution zero.
    scale = np.zeros_like(diagonal)
    np.divide(1.0, np.sqrt(diagonal), out=scale, where=diagonal > 0)
    scaled = shifted * scale * scale[:, None]
    scaled.flat[:: size + 1] = 1.0
    try:
        factor, _ = scipy.linalg.cho_factor(scaled, lower=True, check_finite=False)
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
            scaled = scale[:, None] * right
            solution = scipy.linalg.cho_solve((factor, True), scaled, check_finite=False)
            return (scale[:, None] * solution).astype(right.dtype)

    return solve


def conjugate_gradients(product, right, *, start=None, tol=None, max_iter=None):
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

    Returns
    -------
    W : ndarray of shape (d, k)
    """
    tol = 10 * np.finfo(right.dtype).eps if tol is None else tol
    max_iter = 10 * right.shape[0] if max_iter is None else max_iter
    W = np.zeros_like(right) if start is None else start.copy()
    residual = right - product(W) if start is not None else right.copy()
    goal = tol**2 * np.einsum("ij,ij->j", right, right)
    direction = residual.copy()
    size = np.einsum("ij,ij->j", residual, residual)
    for _ in range(max_iter):
        active = size > goal
        if not active.any():
            break
        image = product(direction)
        curvature = np.einsum("ij,ij->j", direction, image)
        active &= curvature > 0
        step = np.zeros_like(size)
        np.divide(size, curvature, out=step, where=active)
        if not step.any():
            break
        W += step * direction
        residual -= step * image
        new_size = np.einsum("ij,ij->j", residual, residual)
        ratio = np.zeros_like(size)
        np.divide(new_size, size, out=ratio, where=active)
        direction *= ratio
        direction += residual
        size = np.where(active, new_size, 0.0)
    return W


def top_eigenvalue(matrix):
    """Largest eigenvalue of a symmetric positive semi-definite matrix, never below it."""
    size = matrix.shape[0]
    if size > _LARGEST_DENSE_EIGENVALUE:
        return _lanczos(matrix)
    values = scipy.linalg.eigvalsh(matrix, subset_by_index=(size - 1, size - 1), check_finite=False)
    # One part in a hundred thousand covers the rounding of float32.
    return float(max(values[-1], 0.0)) * (1 + 1e-5)


def _lanczos(operator):
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


def spectral_norm_squared(W):
    """``lambda_max(W W')``, through the smaller of the two Gram matrices."""
    return top_eigenvalue(W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W)


def penalised(design, T, rho, penalty, alpha, start, *, tol=1e-8, max_iter=1000):
    """Weight step for any penalty, by FISTA with function restart on the normal equations.

    Solves ``argmin over W of rho/2 sum_i s_i ||T_i - A_i W||^2 + alpha penalty(W)`` for centred
    ``T``, from a starting point ``start`` than which the result is never worse.

    Parameters
    ----------
    design : Design
        The input ``A``.
    T : ndarray of shape (n, k)
        Centred targets.
    rho, alpha : float
        Weights of the two terms.
    penalty : Penalty
        Provides ``value`` and ``prox``.
    start : ndarray of shape (d, k)
        Starting point, inside the penalty's domain.
    tol : float
        Stop when an iteration moves no weight by more than ``tol`` times the largest weight.
    max_iter : int
        Limit on the iterations.

    Returns
    -------
    W : ndarray of shape (d, k)
    """
    right = design.cross(T)
    theta = max(rho * design.top_eigenvalue(), alpha * 1e-290)  # alpha / theta stays finite
    scale = alpha / theta

    def gradient_and_value(V):
        image = design.curvature(V)
        quadratic = 0.5 * float(np.vdot(V, image)) - float(np.vdot(V, right))
        return (rho / theta) * (image - right), rho * quadratic

    W, V, momentum = start, start, 1.0
    best = gradient_and_value(W)[1] + alpha * penalty.value(W)
    for _ in range(max_iter):
        gradient, _ = gradient_and_value(V)
        new = penalty.prox(V - gradient, scale)
        value = gradient_and_value(new)[1] + alpha * penalty.value(new)
        if not value <= best:
            if V is W:  # a plain step that does not descend: rounding has the last word
                break
            V, momentum = W, 1.0
            continue
        moved = float(np.max(np.abs(new - W), initial=0.0))
        next_momentum = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        V = new + ((momentum - 1) / next_momentum) * (new - W)
        W, best, momentum = new, value, next_momentum
        if moved <= tol * float(np.max(np.abs(W), initial=0.0)):
            break
    return W
