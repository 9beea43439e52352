"""Coordinates of the first layer's input: a class for each form of the change of coordinates."""

from abc import ABC, abstractmethod

import numpy as np
import scipy.linalg

from ..linalg import solve_positive

# A coordinate with less than this share of the largest variance is a copy up to rounding.
_SMALLEST_VARIANCE = 1e-6
# Factors of a change of coordinates above this do not fit into single precision.
_SINGLE = 1e30
# A column that costs more than this in the metric is as good as gone; more would cost digits.
LARGEST_COLUMN_RIDGE = 1e4


def not_negligible(values):
    """Which eigenvalues of a covariance are more than rounding."""
    return values > _SMALLEST_VARIANCE * max(values.max(initial=0.0), np.finfo(float).tiny)


def tempered(values, total, columns):
    """Metric of the weight step along the eigenvectors of the covariance C of the columns.

    ::

        P = 2 (C + m I)^(-1/2),    m = mean eigenvalue of C

    lies between a gradient step (power 0) and the least-squares step (power -1), which on noisy
    columns fits the noise. Where columns in one unit outnumber the samples P is the mean of that,
    weighted by variance, times I: the small directions of so few samples are noise.

    Parameters
    ----------
    values : ndarray
        Eigenvalues, the last of them standing for all others.
    total : float
        The trace of C.
    columns : Columns
    """
    n_varying = columns.n_varying
    metric = 2.0 / np.sqrt(np.maximum(values + total / n_varying, np.finfo(float).tiny))
    if columns.one_unit and total > 0:
        variance = np.maximum(values, 0.0)
        variance[-1] += max(total - variance.sum(), 0.0)
        metric[:] = variance @ metric / variance.sum()
    return metric


class Coordinates(ABC):
    """Coordinates of the input, and what weights become in them.

    Attributes
    ----------
    columns : Columns
        Mean and unit of each column.
    """

    def __init__(self, columns):
        self.columns = columns

    @property
    @abstractmethod
    def size(self):
        """Number r of coordinates."""

    @abstractmethod
    def coordinates(self, x):
        """Samples x in these coordinates."""

    @abstractmethod
    def _contract(self, W):
        """Weights of the coordinates that stand for weights W of the columns."""

    @abstractmethod
    def _expand(self, V):
        """The inverse of :meth:`_contract`."""

    def contract(self, W, b, *, standard=False):
        """Weights of X as weights of the coordinates, the intercept as the last row.

        ``standard=True`` says that W and b are meant for standardized columns.
        """
        W = W.astype(float)
        if standard:
            W = W * self.columns.inverse_std[:, None]
        else:
            b = b + self.columns.mean @ W
        return np.vstack([self._contract(W), b])

    def expand(self, V):
        """Weights and intercept of X from weights of U; the inverse of :meth:`contract`."""
        V, b = V[:-1].astype(float), V[-1].astype(float)
        W = self._expand(V)
        return W, b - self.columns.mean @ W


class Basis(Coordinates):
    """Coordinates ``U = Xs R`` of standardized columns ``Xs = (X - mean) D``.

    R is chosen so that in these coordinates the metric of the first layer's step is the identity:
    ``R = P^(1/2)`` up to a rotation, with P of :func:`tempered`. A step then costs no product with
    the metric, and it is the same one whatever the units of X are.

    Attributes
    ----------
    columns : Columns
        Mean and D.
    dtype : dtype
        Of the coordinates.
    variance : ndarray of shape (r,)
        Of each coordinate, or of the leading ones.
    """

    # Whether the coordinates are not those along the axes of X.
    rotated = False
    # Whether a sample's coordinates cost as much as it has columns, or as there are samples.
    by_columns = True
    # Leading eigenvectors, where R is a multiple of the identity but for these.
    leading = None

    def __init__(self, columns, dtype):
        super().__init__(columns)
        self.dtype = np.dtype(dtype)

    # -- what a form has to say, besides its coordinates ----------------------------------------

    @property
    @abstractmethod
    def n_directions(self):
        """What a change of coordinates costs, in products for each column and unit."""

    @abstractmethod
    def standard_weights(self, V):
        """``R V``: weights of standardized columns from weights of U, without intercept."""

    @abstractmethod
    def standard_gradient(self, G):
        """``R' G``, the transpose."""

    @abstractmethod
    def _shrink(self, weights, variance, column_ridge):
        """:meth:`shrink` with the ridge and the columns' penalty as one ridge for each column."""

    def factors(self):
        """How :meth:`coordinates` follow from standardized columns, for other kinds of arrays.

        Returns
        -------
        bulk : float or None
        factors : list of ndarray
            ``bulk x + x F_1 F_2 ...``; None is 0.
        """
        raise NotImplementedError(f"{type(self).__name__} is for a sparse X.")

    # -- what follows ---------------------------------------------------------------------------

    @property
    def working_dtype(self):
        """Type that the change of coordinates fits into."""
        return self.dtype

    @property
    def total_variance(self):
        """Mean of ``||u_i||^2`` over the samples that C was taken from."""
        return float(self.variance.sum())

    def shrink(self, V, variance, ridge, columns=None):
        """The block of the penalties on the first layer, in the metric of its step, in place.

        ``argmin over V of 1/2 ||V - V_0||^2 + variance/2 sum_k Var(U V)_k + ridge/2 ||D R V||^2
        + 1/2 sum_j columns_j ||w_j||^2``, ``w_j`` the weights of the standardized column j. In
        sketched form and where the axes are kept the last two terms count in the other directions'
        metric alone, so that there the block need not descend.

        Parameters
        ----------
        V : ndarray of shape (r + 1, n_1)
        variance, ridge : float
        columns : ndarray of shape (d,) or None
            The tangent of the columns' penalty at V_0, which lies above it: where the block is
            solved exactly it never rises.
        """
        with np.errstate(over="ignore"):
            column_ridge = ridge * self.columns.inverse_variance
        if columns is not None:
            column_ridge = column_ridge + columns
        column_ridge = np.minimum(column_ridge, LARGEST_COLUMN_RIDGE).astype(V.dtype)
        self._shrink(V[:-1], variance, column_ridge)

    def in_weights(self, V):
        """The metric of a step in the weights of X, for the block of a general penalty."""
        raise NotImplementedError(
            f"{type(self).__name__} turns the axes of X: penalties on single weights need others."
        )

    def column_sizes(self, V):
        """Sum of squared weights of each standardized column, shape (d,)."""
        W = self.standard_weights(V[:-1])
        return np.einsum("jk,jk->j", W, W, dtype=float)

    def output_variance(self, V):
        """Variance of the pre-activations of the first layer, summed over its units."""
        W = V[:-1].astype(float)
        return float(self.variance @ np.einsum("jk,jk->j", W, W))

    def from_weights(self, V, W):
        """Replace the weights; the mean of the layer's output stays."""
        V[:-1] = self.contract(W, 0.0)[:-1]


class RotatedBasis(Basis):
    """Uncorrelated coordinates: R from the eigenvectors of C, without those of no variance."""

    rotated = True

    def __init__(self, columns, dtype, values, vectors):
        super().__init__(columns, dtype)
        keep = not_negligible(values)
        values, vectors = values[keep], vectors[:, keep]
        metric = tempered(values, values.sum(), columns)
        root = np.sqrt(metric)
        self._T = columns.inverse_std[:, None] * vectors * root
        self._T_inverse = (vectors / root).T * columns.std
        # R, in the working precision.
        self._standard = (vectors * root * columns.vary[:, None]).astype(self.dtype)
        self.variance = values * metric

    @property
    def size(self):
        return self.variance.shape[0]

    @property
    def n_directions(self):
        return self._T.shape[1]

    def coordinates(self, x):
        return self.columns.standardized(x).astype(self.dtype, copy=False) @ self._standard

    def factors(self):
        return None, [self._standard]

    def standard_weights(self, V):
        return self._standard @ V

    def standard_gradient(self, G):
        return self._standard.T @ G

    def _contract(self, W):
        return self._T_inverse @ W

    def _expand(self, V):
        return self._T @ V

    def _shrink(self, weights, variance, column_ridge):
        diagonal = (1.0 + variance * self.variance).astype(weights.dtype)
        if not column_ridge.any():
            weights /= diagonal[:, None]
            return
        system = self._standard.T @ (column_ridge[:, None] * self._standard)
        system.flat[:: self.size + 1] += diagonal
        weights[:] = solve_positive(system, weights)


class SymmetricBasis(Basis):
    """``R = g I + Q diag(g_i - g) Q'``: a factor for the directions Q, one for all others.

    Attributes
    ----------
    vectors : ndarray of shape (d, k)
        Q.
    root, bulk : ndarray of shape (k,), float
        ``g_i`` and ``g``.
    """

    # Whether the block of the penalties is solved with all of R or with its diagonal.
    _exact = False

    def _set(self, vectors, root, bulk, variance, variance_bulk):
        self.vectors, self.root, self.bulk = vectors, root, bulk
        self.variance, self._variance_bulk = variance, variance_bulk
        self._set_factors()

    def _set_factors(self):
        """The two factors of the change of coordinates, in the working precision if they fit."""
        excess = self.root - self.bulk
        fits = max(np.abs(excess).max(initial=0.0), self.bulk) < _SINGLE
        dtype = self.dtype if fits else float
        self._turn = self.vectors.astype(dtype)
        self._back = np.ascontiguousarray((excess * self.vectors).T, dtype)

    @property
    def size(self):
        return self.vectors.shape[0]

    @property
    def n_directions(self):
        return 2 * self.vectors.shape[1] + 1

    @property
    def leading(self):
        return self.vectors

    @property
    def working_dtype(self):
        return self._turn.dtype

    @property
    def total_variance(self):
        others = max(self.columns.n_varying - self.variance.size, 0)
        return float(self.variance.sum()) + self._variance_bulk * others

    def excess_squared(self):
        """What the squared length of a coordinate along Q counts beyond that of all others."""
        return self.root**2 - self.bulk**2

    def coordinates(self, x):
        x = self.columns.standardized(x).astype(self._turn.dtype, copy=False)
        leading_part = (x @ self._turn) @ self._back
        x *= self.bulk
        x += leading_part
        return x

    def factors(self):
        return self.bulk, [self._turn, self._back]

    def standard_weights(self, V):
        W = self.bulk * V
        W += self.vectors @ ((self.root - self.bulk)[:, None] * (self.vectors.T @ V))
        return W

    def standard_gradient(self, G):
        return self.standard_weights(G)

    def _contract(self, W):
        W = W * self.columns.std[:, None]
        inverse = 1.0 / self.root - 1.0 / self.bulk
        return W / self.bulk + self.vectors @ (inverse[:, None] * (self.vectors.T @ W))

    def _expand(self, V):
        excess = self.root - self.bulk
        W = self.bulk * V + self.vectors @ (excess[:, None] * (self.vectors.T @ V))
        W *= self.columns.inverse_std[:, None]
        return W

    def _shrink(self, weights, variance, column_ridge):
        if self._exact and column_ridge.any():
            weights[:] = self._shrink_exactly(weights, variance, column_ridge)
            return
        shrunk = 1.0 / (1.0 + variance * self.variance)
        shrunk_bulk = 1.0 / (1.0 + variance * self._variance_bulk)
        leading_part = (self.vectors.T @ weights) * (shrunk - shrunk_bulk)[:, None]
        weights[:] = shrunk_bulk * weights.astype(float) + self.vectors @ leading_part
        weights /= (1.0 + self.bulk**2 * column_ridge)[:, None].astype(weights.dtype)

    def _shrink_exactly(self, weights, variance, column_ridge):
        """``argmin over V of ||V - V_0||^2 + variance tr V' S V + ||column_ridge^(1/2) R V||^2``.

        With the form of R the matrix of this problem is a diagonal one plus F K F', where F has
        twice the columns of Q: the inverse by Woodbury's formula, never of a large matrix.
        """
        Q, excess, bulk = self.vectors, self.root - self.bulk, self.bulk
        column_ridge = column_ridge.astype(float)
        weighted = column_ridge[:, None] * Q
        r = excess.size
        diagonal = 1.0 + variance * self._variance_bulk + bulk**2 * column_ridge
        K = np.zeros((2 * r, 2 * r))
        K[:r, :r] = (Q.T @ weighted) * excess * excess[:, None]
        K[:r, :r].flat[:: r + 1] += variance * (self.variance - self._variance_bulk)
        K[:r, r:] = K[r:, :r] = np.diag(bulk * excess)
        F = np.hstack([Q, weighted])
        solved = F / diagonal[:, None]
        start = weights / diagonal[:, None]
        system = K @ (F.T @ solved)
        system.flat[:: 2 * r + 1] += 1.0
        coefficients = scipy.linalg.solve(system, K @ (F.T @ start), check_finite=False)
        return start - solved @ coefficients

    def output_variance(self, V):
        """Variance of the pre-activations of the first layer, summed over its units."""
        W = V[:-1].astype(float)
        projected = self.vectors.T @ W
        leading = (self.variance - self._variance_bulk) @ np.einsum(
            "jk,jk->j", projected, projected
        )
        return float(leading + self._variance_bulk * np.vdot(W, W))

    def in_weights(self, V):
        """The metric of a step in the weights of X, for the block of a general penalty."""
        W, _ = self.expand(V)
        bulk = 1.0 / self.bulk**2
        excess = (1.0 / self.root**2 - bulk)[:, None]

        def product(A):
            return bulk * A + self.vectors @ (excess * (self.vectors.T @ A))

        # A constant column has no weights; any size will do.
        rows = np.where(self.columns.vary, self.columns.std, 1.0)[:, None]
        return product, max(bulk, float((1.0 / self.root**2).max(initial=0.0))), rows, W


class LeadingBasis(SymmetricBasis):
    """``R = g I + Q diag(g_i - g) Q'``: a metric for a few directions, one for all others.

    With Q of few columns the change of coordinates costs less than a product of X with a square
    matrix, and the metric hardly tells the other directions apart.

    Parameters
    ----------
    columns, dtype
        As for :class:`Basis`.
    values, vectors : ndarray of shape (k,) and (d, k)
        Leading eigenvalues and eigenvectors of C.
    bulk : float
        The eigenvalue that stands for all others.
    total : float
        The trace of C.
    exact : bool, default=False
        Whether the block of the penalties is solved with all of R or with its diagonal.
    """

    def __init__(self, columns, dtype, values, vectors, bulk, total, *, exact=False):
        super().__init__(columns, dtype)
        metric = tempered(np.append(values, bulk), total, columns)
        root = np.sqrt(metric)
        self._exact = exact
        self._set(vectors, root[:-1], root[-1], values * metric[:-1], bulk * metric[-1])

    @classmethod
    def without_directions(cls, columns, dtype):
        """Standardized columns with one number for all directions."""
        nothing = np.empty(0), np.empty((columns.std.size, 0))
        return cls(columns, dtype, *nothing, 1.0, float(columns.n_varying))


class AxesBasis(SymmetricBasis):
    """``R = P^(1/2)``, symmetric: nothing is left out, and constraints on weights survive."""

    def __init__(self, columns, dtype, values, vectors):
        super().__init__(columns, dtype)
        values = np.maximum(values, 0.0)
        metric = tempered(values, values.sum(), columns)
        self._set(vectors, np.sqrt(metric), 1.0, values * metric, 0.0)
