"""Coordinates of the first layer's input in which its weight step is a plain one."""

from copy import copy
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from .metric import solve_positive
from .moments import chunks, column_moments, varies

# Numbers that a dense copy of (a part of) a sparse matrix may always have.
_SMALL = 2**22
# Rows, at most, that a covariance is estimated from: fewer of very many columns, as its cost grows
# with their square, but always several times as many as there are columns.
_COVARIANCE_ROWS, _COVARIANCE_COST, _COVARIANCE_RATIO = 20_000, 4e9, 8
# Numbers of a part of X that is changed to new coordinates at a time.
_TRANSFORMED = 2**18
# From so many columns on only the leading directions are turned.
_LARGEST_ROTATION = 400
# Larger second-moment matrices are sketched instead of decomposed.
_LARGEST_DECOMPOSITION = 1500
# Directions that a sketch finds, and how often it multiplies by X'X to find them.
_SKETCH_SIZE, _SKETCH_ROUNDS = 200, 2
# Where X stays sparse there are fewer, so that all of them together have no more numbers than this,
# or than twice the entries of X; for each sample they may be more.
_SKETCH_NUMBERS, _SKETCH_ENTRIES = 3 * 2**19, 2
# Coordinates of a sparse X may have so many numbers for each entry.
_ENTRIES = 8
# Columns this many standard deviations from zero are too far for centring in single precision.
_FAR_FROM_ZERO = 1e3
# Accuracy and largest number of iterations of systems whose matrix is never formed.
_CG_TOLERANCE, _CG_ITERATIONS = 1e-2, 200
# Squared weight below which a column's penalty is quadratic and no longer logarithmic.
COLUMN_FLOOR = 0.1
# Directions with less of the largest variance than this are copies of others up to rounding.
_SMALLEST_VARIANCE = 1e-6
# Ratio of the spreads of columns that may still be in one unit.
_ONE_UNIT = 1e3
# A column that costs more than this in the metric is as good as gone; more would cost digits.
_LARGEST_CHARGE = 1e4


class InputCoordinates:
    """Coordinates ``U = (X - mean) T`` of the input and the metric of the first layer.

    With standardised columns ``Xs = (X - mean) D``, ``D = 1 / std`` (0 for a constant column), and
    their covariance ``C``, the metric of the first layer's weight step is the tempered inverse::

        P = 2 (C + m I)^(-1/2),    m = mean eigenvalue of C

    between a gradient step (power 0) and the least-squares step (power -1), which on noisy
    columns fits the noise. In coordinates ``T = D P^(1/2)`` the metric is the identity, so a step
    costs no product with it, and it is the same one whatever the units of X are. Where columns in
    one unit outnumber the samples P is the mean of that, weighted by variance, times I: the small
    directions of so few samples are noise.

    Subclasses say where mean, spreads and C come from, and load samples.

    Attributes
    ----------
    size : int
        Number r of coordinates.
    n_columns : int
        Columns that are not constant.
    U : ndarray of shape (n, r + 1) or None
        The samples in the new coordinates, and a column of ones for the intercept. None for a
        large sparse X.
    rows : SparseRows or None
        What there is in place of U, for products with samples that are never transformed.
    leverage : ndarray of shape (n, 1) or None
        ``min(1, 2 mean(q) / q_i)``, ``q_i = ||u_i||^2``: what a sample counts in the first layer's
        weight step. Samples far from all others would otherwise own directions. None where every
        sample counts in full.
    """

    # Whether T is exact enough for the block of the penalties to be solved with it.
    _exact = False
    # Whether columns in one unit outnumber the samples: the metric is then that of a gradient step.
    _wide = False
    # The directions as a product with a sparse X; where they are, T is not formed.
    _directions = None
    rows = None

    def _scale_columns(self, mean, std, total, n, dtype):
        """Mean and unit of each column, for samples of this number, total weight and type."""
        self.mean, self.std = mean, std
        vary = varies(mean, std, dtype)
        self._inverse_std = np.zeros(std.size)
        np.divide(1.0, std, out=self._inverse_std, where=vary)
        self.std = np.where(vary, std, 0.0)
        self._wide = share_one_unit(self.std[vary], total, n)
        if self._wide:
            # A rare column blown up to the size of the others is noise that owns directions.
            unit = float(np.sqrt(np.mean(self.std[vary] ** 2)))
            self.std[vary], self._inverse_std[vary] = unit, 1.0 / unit
        self._n_varying = self.n_columns = max(int(vary.sum()), 1)

    @property
    def size(self):
        """Number r of coordinates."""
        return self.variance.shape[0] if self._basis is None else self._basis.shape[0]

    @property
    def n_directions(self):
        """What a change of coordinates costs, in products for each column and unit."""
        return self._T.shape[1] if self._basis is None else 2 * self._basis.shape[1] + 1

    def _standardised(self, x):
        x = (x.toarray() if sp.issparse(x) else x) - self.mean
        x *= self._inverse_std
        return x

    def _decompose(self, values, vectors):
        """T from the eigenvalues and eigenvectors of C: the coordinates are uncorrelated."""
        keep = _not_negligible(values)
        values, vectors = values[keep], vectors[:, keep]
        metric = self._temper(values, values.sum())
        root = np.sqrt(metric)
        self._basis = None
        self._T = self._inverse_std[:, None] * vectors * root
        self._T_inverse = (vectors / root).T * self.std
        # Weights of standardised columns, in the working precision.
        self._standard = (vectors * root * (self.std > 0)[:, None]).astype(self._dtype)
        self.variance = values * metric

    def _decompose_leading(self, values, vectors):
        """T = D (g I + Q diag(g_i - g) Q'), Q the directions of more than the mean variance.

        The metric hardly tells the others apart, and with Q of few columns the change of
        coordinates costs less than a product of X with a square matrix.
        """
        total = float(values.sum())
        most = max(values.size // 8, 1)
        leading = values[-most:] > total / self._n_varying
        values, vectors = values[-most:][leading], vectors[:, -most:][:, leading]
        rest = max(total - values.sum(), 0.0) / max(self._n_varying - values.size, 1)
        self._set_leading(values, vectors, rest, total)
        self._exact = True

    def _set_leading(self, values, vectors, rest, total):
        metric = self._temper(np.append(values, rest), total)
        root = np.sqrt(metric)
        self._basis, self._root, self._rest = vectors, root[:-1], root[-1]
        self.variance = values * metric[:-1]
        self._variance_rest = rest * metric[-1]
        self._set_factors()

    def _set_factors(self):
        """The two factors of the change of coordinates, in the working precision if they fit."""
        excess = self._root - self._rest
        fits = max(np.abs(excess).max(initial=0.0), self._rest) < 1e30
        dtype = self._dtype if fits else float
        self._turn = self._basis.astype(dtype)
        self._back = np.ascontiguousarray((excess * self._basis).T, dtype)

    def _keep_axes(self, values, vectors):
        """T = D P^(1/2) with the symmetric root: nothing is left out, constraints survive."""
        values = np.maximum(values, 0.0)
        metric = self._temper(values, values.sum())
        self._basis, self._root, self._rest = vectors, np.sqrt(metric), 1.0
        self.variance, self._variance_rest = values * metric, 0.0
        self._set_factors()

    def _temper(self, values, total):
        metric = 2.0 / np.sqrt(np.maximum(values + total / self._n_varying, np.finfo(float).tiny))
        if self._wide and total > 0:
            # The small directions of so few samples are noise: a plain step, as long as the
            # tempered one is on average over the variance, comes to them last.
            variance = np.maximum(values, 0.0)
            variance[-1] += max(total - variance.sum(), 0.0)  # the last stands for all others
            metric[:] = variance @ metric / variance.sum()
        return metric

    # -- samples --------------------------------------------------------------------------------

    def load(self, X, share=None):
        """Hold these samples, in the new coordinates where that takes little memory.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n, d)
        share : ndarray of shape (n,) or None
            Their weights, with sum one, where the mean size of the samples is to be measured on
            them; None takes it from the covariance.
        """
        n, d = X.shape
        self._X, self.U, self.rows = X, None, None
        if not sp.issparse(X) or n * self.size <= max(_SMALL, _ENTRIES * X.nnz):
            self.U = np.empty((n, self.size + 1), dtype=self._dtype)
            self.U[:, -1] = 1.0
        elif self._directions is None:
            self.rows = SparseRows(X, self)
        if self.rows is not None and self.rows.along is not None:
            norms = self._norms()
        else:
            norms = np.empty(n)
            for rows in chunks(n, d if self._directions is None else n, _TRANSFORMED):
                u = self._coordinates(X[rows])
                if self.U is not None:
                    self.U[rows, :-1] = u
                norms[rows] = np.einsum("ij,ij->i", u, u)
        mean_norm = self.total_variance if share is None else float(share @ norms)
        leverage = np.ones(n)
        np.divide(2 * mean_norm, norms, out=leverage, where=norms > 2 * mean_norm)
        self.leverage = leverage.astype(self._dtype)[:, None] if (leverage < 1.0).any() else None

    @property
    def total_variance(self):
        """Mean of ``||u_i||^2`` over the samples that C was taken from."""
        total = float(self.variance.sum())
        if self._basis is not None:
            total += self._variance_rest * max(self._n_varying - self.variance.size, 0)
        return total

    def take(self, rows, out):
        """Copy the samples ``rows`` (a slice or indices), in the new coordinates, to ``out``."""
        if self.U is None:
            out[:, :-1] = self._coordinates(self._X[rows])
            out[:, -1] = 1.0
        elif isinstance(rows, slice):
            out[:] = self.U[rows]
        else:
            # The indices are in range; "clip" spares a buffered copy.
            np.take(self.U, rows, axis=0, out=out, mode="clip")

    def inputs(self, rows):
        """The samples of these indices in the new coordinates, without the column of ones."""
        out = np.empty((len(rows), self.size + 1), dtype=self._dtype)
        self.take(rows, out)
        return out[:, :-1]

    def inputs_rotated(self, rows):
        """The same up to a rotation, which a sparse X of many columns has far fewer numbers for."""
        if self.rows is None or self.rows.along is None:
            return self.inputs(rows)
        values, vectors = scipy.linalg.eigh(self._gram(rows), check_finite=False)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def factor(self, rows):
        """The samples of these indices, for products ``factor(rows) @ V``."""
        return self.inputs(rows) if self.rows is None else _Product(self, rows)

    def _excess_squared(self):
        """What the squared length of a coordinate in Q counts beyond that of all others."""
        return self._root**2 - self._rest**2

    def _norms(self):
        """``||u_i||^2`` of all samples."""
        along = self.rows.along
        norms = self._rest**2 * self.rows.squares
        norms += np.square(along[:, :-2], dtype=float) @ self._excess_squared()
        return np.maximum(norms, 0.0)

    def _gram(self, rows):
        """``U U'`` of some samples."""
        x, centre = self.rows.X[rows].astype(float), self.rows.centre
        inside, h = self.rows.along[rows, :-2].astype(float), x @ centre
        gram = (x @ x.T).toarray()
        gram += float(centre @ centre) - h - h[:, None]
        gram *= self._rest**2
        return gram + (inside * self._excess_squared()) @ inside.T

    # -- changes of coordinates -----------------------------------------------------------------

    def standard_weights(self, V):
        """Weights of standardised columns from weights of U, both without intercept."""
        if self._directions is not None:
            return self._directions.astype(V.dtype).product(V)
        if self._basis is None:
            return self._standard @ V
        W = self._rest * V
        W += self._basis @ ((self._root - self._rest)[:, None] * (self._basis.T @ V))
        return W

    def standard_gradient(self, G):
        """The transpose of :meth:`standard_weights`: ``T' D^-1 G``."""
        return self._standard.T @ G if self._basis is None else self.standard_weights(G)

    def _coordinates(self, x):
        """Samples x in the new coordinates."""
        if self._directions is not None:
            return self._directions.coordinates(x).astype(self._dtype)
        if self._basis is None:
            return self._standardised(x).astype(self._dtype, copy=False) @ self._standard
        x = self._standardised(x).astype(self._turn.dtype, copy=False)
        inside = (x @ self._turn) @ self._back
        x *= self._rest
        x += inside
        return x

    def contract(self, W, b, *, standard=False):
        """Weights of X as weights of U, the intercept as the last row.

        ``standard=True`` says that W and b are meant for standardised columns.
        """
        W = W.astype(float)
        if standard:
            W = W * self._inverse_std[:, None]
        else:
            b = b + self.mean @ W
        if self._directions is not None:
            V = self._directions.inverse(self.std[:, None] * W)
        elif self._basis is None:
            V = self._T_inverse @ W
        else:
            W = W * self.std[:, None]
            inverse = 1.0 / self._root - 1.0 / self._rest
            V = W / self._rest + self._basis @ (inverse[:, None] * (self._basis.T @ W))
        return np.vstack([V, b])

    def expand(self, V):
        """Weights and intercept for X from weights of U; the inverse of :meth:`contract`."""
        V, b = V[:-1].astype(float), V[-1].astype(float)
        if self._directions is not None:
            W = self._inverse_std[:, None] * self._directions.product(V)
        elif self._basis is None:
            W = self._T @ V
        else:
            excess = self._root - self._rest
            W = self._rest * V + self._basis @ (excess[:, None] * (self._basis.T @ V))
            W *= self._inverse_std[:, None]
        return W, b - self.mean @ W

    def shrink(self, V, variance, ridge, columns):
        """The block of the penalties on the first layer, in the metric of its step, in place.

        ``argmin over V of 1/2 ||V - V_0||^2 + variance/2 sum_k Var(U V)_k + ridge/2 ||T V||^2
        + columns/2 sum_j log(1 + ||w_j||^2 / floor)``, ``w_j`` the weights of the standardised
        column j. The logarithm counts as its tangent at V_0, which lies above it, so that the
        block never rises. In sketched form and where the axes are kept the last two terms count
        with the diagonal of the metric alone.
        """
        weights = V[:-1]
        with np.errstate(over="ignore"):
            charge = ridge * self.inverse_variance
        if columns > 0.0:
            charge = charge + columns / (COLUMN_FLOOR + self.column_sizes(V))
        charge = np.minimum(charge, _LARGEST_CHARGE).astype(V.dtype)
        if self._basis is None:
            diagonal = (1.0 + variance * self.variance).astype(V.dtype)
            if not charge.any():
                weights /= diagonal[:, None]
                return
            if self._directions is not None:
                directions = self._directions.astype(V.dtype)
                weights[:] = directions.solve(diagonal[:, None], charge[:, None], weights)
                return
            system = self._standard.T @ (charge[:, None] * self._standard)
            system.flat[:: self.size + 1] += diagonal
            weights[:] = solve_positive(system, weights)
            return
        if self._exact and charge.any():
            weights[:] = self._shrink_leading(weights, variance, charge)
            return
        shrunk = 1.0 / (1.0 + variance * self.variance)
        shrunk_rest = 1.0 / (1.0 + variance * self._variance_rest)
        inside = (self._basis.T @ weights) * (shrunk - shrunk_rest)[:, None]
        weights[:] = shrunk_rest * weights.astype(float) + self._basis @ inside
        weights /= (1.0 + self._rest**2 * charge)[:, None].astype(V.dtype)

    def _shrink_leading(self, weights, variance, charge):
        """``argmin over V of ||V - V_0||^2 + variance tr V' S V + ||charge^(1/2) T V||^2``.

        With the form of T the matrix of this problem is a diagonal one plus F K F', where F has
        twice the columns of Q: the inverse by Woodbury's formula, never of a large matrix.
        """
        Q, excess, rest = self._basis, self._root - self._rest, self._rest
        charge = charge.astype(float)
        charged = charge[:, None] * Q
        r = excess.size
        diagonal = 1.0 + variance * self._variance_rest + rest**2 * charge
        K = np.zeros((2 * r, 2 * r))
        K[:r, :r] = (Q.T @ charged) * excess * excess[:, None]
        K[:r, :r].flat[:: r + 1] += variance * (self.variance - self._variance_rest)
        K[:r, r:] = K[r:, :r] = np.diag(rest * excess)
        F = np.hstack([Q, charged])
        solved = F / diagonal[:, None]
        start = weights / diagonal[:, None]
        system = K @ (F.T @ solved)
        system.flat[:: 2 * r + 1] += 1.0
        inside = scipy.linalg.solve(system, K @ (F.T @ start), check_finite=False)
        return start - solved @ inside

    def output_variance(self, V):
        """Variance of what the first layer with these weights says, summed over its units."""
        W = V[:-1].astype(float)
        if self._basis is None:
            return float(self.variance @ np.einsum("jk,jk->j", W, W))
        inside = self._basis.T @ W
        leading = (self.variance - self._variance_rest) @ np.einsum("jk,jk->j", inside, inside)
        return float(leading + self._variance_rest * np.vdot(W, W))

    @property
    def inverse_variance(self):
        """``1 / std_j^2`` of each column, 0 for a constant one, at most the largest number."""
        with np.errstate(over="ignore"):
            return np.minimum(self._inverse_std**2, np.finfo(float).max)

    def column_sizes(self, V):
        """Sum of squared weights of each standardised column, shape (d,)."""
        W = self.standard_weights(V[:-1])
        return np.einsum("jk,jk->j", W, W, dtype=float)

    def column_penalty(self, V):
        """``sum_j log(1 + ||w_j||^2 / floor)`` over the standardised columns j."""
        return float(np.log1p(self.column_sizes(V) / COLUMN_FLOOR).sum())

    def in_weights(self, V):
        """The metric of a step in the weights of X, for :func:`~skmdlam.engine.metric.proximal`."""
        W, _ = self.expand(V)
        rest = 1.0 / self._rest**2
        excess = (1.0 / self._root**2 - rest)[:, None]

        def product(A):
            return rest * A + self._basis @ (excess * (self._basis.T @ A))

        # A constant column has no weights; any size will do.
        rows = np.where(self.std > 0, self.std, 1.0)[:, None]
        return product, max(rest, float((1.0 / self._root**2).max(initial=0.0))), rows, W

    def from_weights(self, V, W):
        """Replace the weights; the mean of the layer's output stays."""
        V[:-1] = self.contract(W, 0.0)[:-1]


class InputSpace(InputCoordinates):
    """The coordinates of a whole data set, and its samples in them.

    The decomposition of C comes in three forms: *primal* from C itself, *dual* from the kernel
    ``Xs Xs'`` when there are fewer samples than columns, and *sketched* (leading directions by a
    randomised range finder, one number for all the others) when both are large. Primal and dual
    leave out directions in which the samples do not vary. Of more than 400 columns the primal form
    turns the leading directions only, as the sketched one does.

    A large sparse X is never changed to other coordinates: the dual form then keeps its directions
    as combinations of the samples, the sketched one finds fewer directions the wider X is, and the
    weights change theirs, see :class:`SparseRows`.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    weight : ndarray of shape (n,) or None
        Sample weights.
    dtype : dtype
        Type of U.
    rng : numpy.random.RandomState
        For the sketch.
    rotate : bool, default=True
        False keeps the axes of X, for penalties that look at single weights.
    """

    def __init__(self, X, weight, dtype, rng, *, rotate=True):
        X = X.tocsr() if sp.issparse(X) else X
        self._X, self._dtype = X, dtype
        n, d = X.shape
        large = sp.issparse(X) and n * d > max(_SMALL, _ENTRIES * X.nnz)
        share = np.full(n, 1.0 / n) if weight is None else weight / weight.sum(dtype=float)
        total = n if weight is None else weight.sum(dtype=float)
        self._scale_columns(*column_moments(X, share), total, n, X.dtype)

        if not rotate and d <= _LARGEST_DECOMPOSITION:
            self._keep_axes(*self._primal(share))
        elif d <= min(n, _LARGEST_DECOMPOSITION):
            few = d <= _LARGEST_ROTATION
            (self._decompose if few else self._decompose_leading)(*self._primal(share))
        elif rotate and n <= _LARGEST_DECOMPOSITION:
            if large:
                self._combine_samples(share)
            else:
                self._decompose(*self._dual(share))
        else:
            self._sketch(share, rng, min(_SKETCH_SIZE, d, most_directions(X) if large else d))

        self.load(X, share)

    # -- the three forms ------------------------------------------------------------------------

    def _primal(self, share):
        n, d = self._X.shape
        covariance, total = np.zeros((d, d)), 0.0
        # A part of very many rows, in short runs from all over, says enough of a covariance.
        enough = min(_COVARIANCE_ROWS, int(_COVARIANCE_COST / d**2))
        enough = max(enough, _COVARIANCE_RATIO * d)
        for rows in chunks(n, d, _TRANSFORMED)[:: max(1, n // enough)]:
            x = self._standardised(self._X[rows])
            x *= np.sqrt(share[rows])[:, None]
            x = x.astype(self._dtype, copy=False)
            covariance += x.T @ x
            total += share[rows].sum()
        covariance /= total
        return scipy.linalg.eigh(covariance, overwrite_a=True, check_finite=False)

    def _dual(self, share):
        x = self._standardised(self._X) * np.sqrt(share)[:, None]
        values, vectors = scipy.linalg.eigh(x @ x.T, overwrite_a=True, check_finite=False)
        keep = _not_negligible(values)
        return values[keep], x.T @ (vectors[:, keep] / np.sqrt(values[keep]))

    def _combine_samples(self, share):
        """The dual form of a large sparse X: nothing of samples times columns is stored."""
        X = scaled_rows(self._X, self._inverse_std, float)
        centre = self._inverse_std * self.mean
        along, root = X @ centre, np.sqrt(share)
        kernel = (X @ X.T).toarray()
        kernel += float(centre @ centre) - along - along[:, None]
        kernel *= root * root[:, None]
        values, vectors = scipy.linalg.eigh(kernel, overwrite_a=True, check_finite=False)
        keep = _not_negligible(values)
        values, vectors = values[keep], vectors[:, keep]
        metric = self._temper(values, values.sum())
        self._basis, self.variance = None, values * metric
        combinations = root[:, None] * vectors / np.sqrt(values)
        self._directions = SampleDirections(
            X, self._inverse_std, centre, combinations, np.sqrt(metric)
        )

    def _sketch(self, share, rng, size):
        """T = D (g I + Q diag(g_i - g) Q'): exact in the leading directions Q of C."""
        d = self._X.shape[1]
        if size == 0:
            self._set_leading(np.empty(0), np.empty((d, 0)), 1.0, float(self._n_varying))
            return
        Q = rng.standard_normal((d, size))
        for _ in range(_SKETCH_ROUNDS + 1):
            Q, _ = scipy.linalg.qr(Q, mode="economic", overwrite_a=True, check_finite=False)
            image, small = self._moments_along(Q, share)
            Q_last, Q = Q, image
        values, vectors = scipy.linalg.eigh(small, check_finite=False)
        keep = _not_negligible(values)
        values, vectors = values[keep], Q_last @ vectors[:, keep]
        total = float(self._n_varying)
        rest = max(total - values.sum(), 0.0) / max(d - values.size, 1)
        self._set_leading(values, vectors, rest, total)

    def _moments_along(self, Q, share):
        """``C Q`` and ``Q' C Q``; a sparse X is never centred, nor stored dense."""
        n, (d, size) = self._X.shape[0], Q.shape
        sparse = sp.issparse(self._X)
        image, small = np.zeros((d, size)), np.zeros((size, size))
        sums = np.zeros(size)
        if sparse:
            Q = self._inverse_std[:, None] * Q
            centre = self.mean @ Q
        for rows in chunks(n, 1 if sparse else d):
            x = self._X[rows] if sparse else self._standardised(self._X[rows])
            part = x @ Q - centre if sparse else x @ Q
            weighted = share[rows][:, None] * part
            image += x.T @ weighted
            small += part.T @ weighted
            sums += weighted.sum(axis=0)
        if sparse:
            for column in range(size):  # one at a time: a copy of the image is what is large here
                image[:, column] -= sums[column] * self.mean
            image *= self._inverse_std[:, None]
        return image, small


class SparseRows:
    """Samples of a large sparse X, for products in coordinates that they are never changed to.

    The standardised samples are ``Xs = X D - 1 centre'``, and with ``T = D (g I + Q E Q')``::

        U V  = g Xs V + (Xs Q) E Q' V
        U' S = g Xs' S + Q E (Xs Q)' S

    so that a step costs a product with the entries of the batch, and what depends on Q costs one
    with the few numbers ``Xs Q`` of each sample.

    Parameters
    ----------
    X : sparse matrix of shape (n, d)
    space : InputCoordinates

    Attributes
    ----------
    X : sparse array of shape (n, d)
        Scaled by D.
    centre : ndarray of shape (d,)
        ``D mean``.
    along : ndarray of shape (n, k + 2) or None
        ``[Xs Q, X D centre, 1]``; None where it would need more memory than X.
    squares : ndarray of shape (n,)
        ``||xs_i||^2``.
    """

    def __init__(self, X, space):
        self.centre = space._inverse_std * space.mean
        dtype = space._dtype if space._basis is None else space._turn.dtype
        if np.abs(self.centre).max(initial=0.0) > _FAR_FROM_ZERO:
            dtype = np.dtype(float)
        self.X, self.along = scaled_rows(X, space._inverse_std, dtype), None
        n = X.shape[0]
        if space._basis is None or n * space._basis.shape[1] > max(_SMALL, _ENTRIES * X.nnz):
            return
        basis = space._basis
        self.along = np.ones((n, basis.shape[1] + 2), dtype)
        self.squares = np.empty(n)
        inside, square = self.centre @ basis, float(self.centre @ self.centre)
        for rows in chunks(n):
            x = self.X[rows].astype(float)
            h = x @ self.centre
            self.along[rows, :-2] = x @ basis - inside
            self.along[rows, -2] = h
            self.squares[rows] = x.multiply(x).sum(axis=1) - 2 * h + square

    def product(self, V, space):
        """A function from rows to their ``(U, 1) V``."""
        W = space.standard_weights(V[:-1])
        intercept = (V[-1] - self.centre @ W).astype(self.X.dtype)
        W = W.astype(self.X.dtype, copy=False)
        return lambda rows: self.X[rows] @ W + intercept


@dataclass(frozen=True)
class _Product:
    """Samples of a large sparse X in the new coordinates, of which only products are known."""

    space: InputCoordinates
    rows: np.ndarray

    def __len__(self):
        return len(self.rows)

    def __matmul__(self, V):
        V = np.vstack([V, np.zeros_like(V[:1])])
        return self.space.rows.product(V, self.space)(self.rows)


class SampleDirections:
    """``T = D Xs' B R``: directions as combinations B of fewer samples than columns, scaled by R.

    Parameters
    ----------
    X : sparse array of shape (n, d)
        The samples, scaled by D.
    inverse_std : ndarray of shape (d,)
        The diagonal of D.
    centre : ndarray of shape (d,)
        ``D mean``.
    combinations : ndarray of shape (n, r)
        B, such that ``Xs' B`` has orthonormal columns.
    root : ndarray of shape (r,)
        The diagonal of R.
    """

    def __init__(self, X, inverse_std, centre, combinations, root):
        self._X, self._inverse_std, self._centre, self._root = X, inverse_std, centre, root
        self._combinations = combinations * root
        self._single = None

    def astype(self, dtype):
        """For weights of this type."""
        if np.dtype(dtype) == self._X.dtype:
            return self
        if self._single is None:
            new = copy(self)
            for name in ("_X", "_centre", "_root", "_combinations"):
                setattr(new, name, getattr(self, name).astype(dtype))
            self._single = new
        return self._single

    def product(self, V):
        """``Xs' B R V``."""
        A = self._combinations @ V
        W = self._X.T @ A
        W -= self._centre[:, None] * A.sum(axis=0)
        return W

    def adjoint(self, W):
        """``R B' Xs W``."""
        return self._combinations.T @ (self._X @ W - self._centre @ W)

    def inverse(self, W):
        """``R^-1 B' Xs W``, what :meth:`product` makes W of where it does."""
        return self.adjoint(W) / self._root[:, None] ** 2

    def coordinates(self, x):
        """``xs Xs' B R`` of samples x."""
        x = scaled_rows(x, self._inverse_std, float)
        kernel = (x @ self._X.T).toarray()
        kernel -= self._X @ self._centre
        kernel -= (x @ self._centre)[:, None]
        kernel += float(self._centre @ self._centre)
        return kernel @ self._combinations

    def solve(self, diagonal, charge, right):
        """``(diagonal + R B' Xs charge Xs' B R)^-1 right`` by conjugate gradients.

        They start near the solution for an even charge, and each iteration lowers the quadratic
        function that the solution minimises: the block of the penalties never rises.
        """
        tolerance = _CG_TOLERANCE * np.sqrt(np.finfo(right.dtype).eps)

        def system(V):
            return diagonal * V + self.adjoint(charge * self.product(V))

        even = diagonal + charge.mean() * self._root[:, None] ** 2
        V = right / even
        residual = right - system(V)
        scaled = residual / even
        direction, size = scaled, np.einsum("ij,ij->j", residual, scaled)
        enough = tolerance**2 * np.einsum("ij,ij->j", right, right / even)
        for _ in range(_CG_ITERATIONS):
            if not (size > enough).any():
                break
            image = system(direction)
            curvature = np.einsum("ij,ij->j", direction, image)
            step = np.where(size > enough, size, 0.0) / np.where(curvature > 0, curvature, 1.0)
            step = step.astype(right.dtype)
            V = V + step * direction
            residual = residual - step * image
            scaled = residual / even
            last, size = size, np.einsum("ij,ij->j", residual, scaled)
            ratio = (size / np.where(last > 0, last, 1.0)).astype(right.dtype)
            direction = scaled + ratio * direction
        return V


def scaled_rows(X, inverse_std, dtype):
    """``X D`` for a sparse X, with the indices of X."""
    data = (X.data * inverse_std[X.indices]).astype(dtype, copy=False)
    return sp.csr_array((data, X.indices, X.indptr), shape=X.shape)


def most_directions(X):
    """How many directions a sketch of a large sparse X may have."""
    n, d = X.shape
    by_columns = max(_SKETCH_NUMBERS, _SKETCH_ENTRIES * X.nnz) // d
    return min(by_columns, max(_SMALL, _ENTRIES * X.nnz) // n)


def column_strength(column_alpha, total, n, n_columns):
    """What the penalty of a column is multiplied by: ``column_alpha sqrt(d)``, d columns that vary.

    Weights that sum to a total of less than one a sample scale it down.
    """
    return min(1.0, total / n) * column_alpha * np.sqrt(max(n_columns, 1))


def share_one_unit(std, total, n):
    """Whether columns of these spreads are taken to be in one unit, and are not scaled each.

    So it is where they outnumber the samples, whose weights are numbers of copies, and four fifths
    of them are within a factor of 1000 of each other.
    """
    if std.size <= max(total, n):
        return False
    low, high = np.quantile(std, (0.1, 0.9))
    return bool(high <= _ONE_UNIT * low)


def standardised_rows(X, share):
    """A function from indices to those samples with centred and scaled columns."""
    mean, std = column_moments(X, share)
    scale = np.zeros_like(std)
    np.divide(1.0, std, out=scale, where=varies(mean, std, X.dtype))

    def inputs(rows):
        x = X[rows]
        return ((x.toarray() if sp.issparse(x) else x) - mean) * scale

    return inputs


def _not_negligible(values):
    return values > _SMALLEST_VARIANCE * max(values.max(initial=0.0), np.finfo(float).tiny)
