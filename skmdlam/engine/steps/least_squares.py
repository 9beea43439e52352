"""The exact weight step: ridge regression of a layer's targets on its inputs, in three forms.

Every form solves the same problem, with centered ``A`` and ``T`` so that the intercept is free::

    argmin over W of  1/2 sum_i s_i ||T_i - A_i W||^2 + shift/2 ||W||^2

* *primal*: Cholesky of the ``d x d`` matrix ``A'SA + shift I``;
* *dual*: Cholesky of the ``n x n`` matrix ``S^1/2 AA' S^1/2 + shift I``, when ``n < d``;
* *conjugate gradients*: products with ``A`` alone, when ``A`` is sparse or both sides are large.
"""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg

from ..constants import LIMITS
from ..linalg import (
    accelerated_proximal,
    conjugate_gradients,
    lanczos,
    solver_of,
    top_eigenvalue,
)
from ..moments import column_moments, varies

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
    limits : Limits
    """

    def __init__(self, A, rows, limits=LIMITS):
        self.A, self.rows, self.limits = A, rows, limits
        self.mean = rows.mean(A)
        self._gram = None
        self._kernel = None
        self._top_eigenvalue = None
        self._factor = None, None

    @property
    def gram(self):
        """``A'SA`` of the centered input, shape (d, d)."""
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
            moments = column_moments(self.A[:, suspects], self.rows.normalized())
            constant[suspects] = ~varies(*moments, self.A.dtype)
        return constant

    @property
    def _mean_rounding(self):
        """What rounding may make of the centered values of a constant column."""
        return 16 * np.finfo(self.A.dtype).eps * np.abs(self.mean)

    @property
    def kernel(self):
        """``S^1/2 AA' S^1/2`` of the centered input, shape (n, n)."""
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
            if self.small_side > self.limits.factorization or (
                sp.issparse(self.A) and self.A.shape[1] > self.limits.dense_eigenvalue
            ):
                size = self.A.shape[1]
                operator = scipy.sparse.linalg.LinearOperator(
                    (size, size),
                    matvec=lambda x: self.curvature(x.reshape(size, 1)).ravel(),
                    dtype=self.A.dtype,
                )
                self._top_eigenvalue = lanczos(operator)
            else:
                narrow = self.A.shape[1] <= self.A.shape[0] or sp.issparse(self.A)
                matrix = self.gram if narrow else self.kernel
                self._top_eigenvalue = top_eigenvalue(matrix, self.limits.dense_eigenvalue)
            # Below its rounding the curvature is not known: steps must not be longer than that.
            rounding = self.rows.total * float(self._mean_rounding @ self._mean_rounding)
            self._top_eigenvalue += rounding + float(np.finfo(self.A.dtype).tiny)
        return self._top_eigenvalue

    def cross(self, R):
        """``A' S R`` for a centered ``R``; the mean of ``A`` then drops out."""
        return self.rows.cross(self.A, R)

    def curvature(self, V):
        """``A'SA V`` of the centered input, through the Gram matrix when that is smaller."""
        n, d = self.A.shape
        if self._gram is not None or (d <= n and d <= self.limits.factorization):
            return self.gram @ V
        product = self.A @ V
        product -= self.mean @ V
        # The mean of the product is zero up to rounding: remove the rounding too.
        product -= self.rows.mean(product)
        return self.cross(product)

    def ridge(self, T, shift, *, form="auto", start=None):
        """Solve the problem of this module for centered targets.

        Parameters
        ----------
        T : ndarray of shape (n, k)
            Centered targets.
        shift : float
            Ridge, at least 0. Where the problem has many solutions (``shift=0`` and dependent
            columns) the factorizations return the one of least norm.
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
            if sp.issparse(self.A) or self.small_side > self.limits.factorization:
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
        """``(matrix + shift I)^-1 right``; the factorization is kept for the next call."""
        key = matrix is self._gram, float(shift)
        if self._factor[0] != key:
            self._factor = key, solver_of(matrix, shift)
        return self._factor[1](right)


def penalized(design, T, rho, penalty, alpha, start, *, tol=1e-8, max_iter=1000):
    """Weight step for any penalty, by FISTA with function restart on the normal equations.

    Solves ``argmin over W of rho/2 sum_i s_i ||T_i - A_i W||^2 + alpha penalty(W)`` for centered
    ``T``, from a starting point ``start`` than which the result is never worse.

    Parameters
    ----------
    design : Design
        The input ``A``.
    T : ndarray of shape (n, k)
        Centered targets.
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

    def step(V):
        return penalty.prox(V - (rho / theta) * (design.curvature(V) - right), alpha / theta)

    def value(V):
        quadratic = 0.5 * float(np.vdot(V, design.curvature(V))) - float(np.vdot(V, right))
        return rho * quadratic + alpha * penalty.value(V)

    return accelerated_proximal(step, start, max_iter=max_iter, value=value, tol=tol)
