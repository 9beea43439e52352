"""The metric of a full-batch sweep: a Kronecker product of two small matrices for each layer."""

import numpy as np
import scipy.linalg

from .objective import output_curvature

# Rows that the metric is taken from, at most, and columns of a layer's input that it covers.
_SAMPLE_ROWS = 4096
_LARGEST_INVERSE = 2000
# Numbers in the low-rank form of a wide layer, and its rows at most.
_LOW_RANK_SIZE, _LOW_RANK_ROWS = 2**24, 500


class KroneckerMetric:
    """Inverse curvature of J, layer by layer: the damped least-squares step and its price.

    With second moments over the rows, ``C_l`` of the centred input of layer l and ``H_l`` of the
    derivative ``h'(z_l)``, each matrix scaled to mean eigenvalue 1 but for ``M_l``::

        M_L = mean of R''(z_L)                      M_l = (W_{l+1} M_{l+1} W_{l+1}') * H_l
        P_l = (C_l + damping_in I + ridge)^-1       Q_l = (M_l / t_l + damping_out I)^-1 t_l^-1/2
        dW_l = P_l (G_l - mean a_{l-1} g_l') Q_l    db_l = g_l' Q_l - mean a_{l-1} dW_l

    where ``t_l`` is the mean eigenvalue of ``M_l`` and G_l, g_l the gradients of the weights and of
    the intercept: P_l is the exact, scale-free least-squares step of the layer, and Q_l says
    what a change of its units costs further up. Rows with a curved loss count more, because the
    others are fitted.

    Parameters
    ----------
    objective : Objective
    damping_in, damping_out : float
        Damping of the input and of the output side, in units of the mean eigenvalue.
    curvature_share : float
        How much of the weight of a row is in proportion to the curvature of its loss.
    """

    def __init__(self, objective, damping_in, damping_out, curvature_share):
        self.objective = objective
        self.damping_in, self.damping_out = damping_in, damping_out
        self.curvature_share = curvature_share
        n = objective.rows.n_rows
        self._sample = slice(None)
        if n > _SAMPLE_ROWS:
            chosen = np.random.RandomState(0).choice(n, _SAMPLE_ROWS, replace=False)
            self._sample = np.sort(chosen)

    def damp(self, damping_in, damping_out):
        """Change the damping, from the next update on."""
        self.damping_in, self.damping_out = damping_in, damping_out

    def update(self, theta):
        """Take the curvature at new weights."""
        objective, dtype = self.objective, self.objective.dtype
        V = objective.views(theta.astype(dtype, copy=False))
        x, target = objective.inputs.data[self._sample], objective.target[self._sample]
        share = np.full(x.shape[0], 1.0)
        if objective.rows.weight is not None:
            share = objective.rows.weight[self._sample].astype(float)
        share /= share.sum()
        with np.errstate(all="ignore"):
            z, a = objective.forward(V, x)
            diagonal, factor = output_curvature(objective.loss, z[-1], target)
            M = np.diag(share @ diagonal)
            curvature = diagonal.sum(axis=1)
            if factor is not None:
                M -= (factor * share[:, None]).T @ factor
                curvature -= np.square(factor).sum(axis=1)
            mean = share @ curvature
            if np.isfinite(mean) and mean > 0:
                mixed = self.curvature_share * curvature / mean + (1.0 - self.curvature_share)
                share = share * mixed
            root = np.sqrt(share).astype(dtype)[:, None]
            factors = []
            for layer in range(objective.depth - 1, -1, -1):
                scale = M.trace() / len(M)
                if not (np.isfinite(M).all() and scale > np.finfo(float).tiny):
                    M, scale = np.eye(len(M)), 1.0
                right = damped_inverse(M / scale, self.damping_out) / np.sqrt(scale)
                right *= 1.0 + self.damping_out
                ridge = objective.ridge[layer] / objective.rows.total / scale
                if layer == 0:
                    A, scratch = objective.inputs.standardised(x), None
                else:
                    A, scratch = a[layer - 1][:, :-1], objective.scratch(layer - 1, len(share))
                mean, left = self._input_side(A, share, root, ridge, scratch)
                factors.append((left, right, mean))
                if layer > 0:
                    slope = objective.activations[layer - 1].derivative(z[layer - 1], A)
                    W = V[layer][:-1].astype(float)
                    M = (W @ M @ W.T) * _gram(slope, root, scratch)
        self._factors = factors[::-1]

    def _input_side(self, A, share, root, ridge, scratch):
        """Mean of a layer's input, and a function that multiplies with P_l."""
        mean = share @ A
        mean[~np.isfinite(mean)] = 0.0
        size = A.shape[1]
        if size > _LARGEST_INVERSE:
            return mean, self._low_rank(A, mean, root, ridge)
        # What rounding leaves of the difference is far below the damping.
        covariance = _gram(A, root, scratch) - np.outer(mean, mean)
        spread = covariance.trace() / size
        rounding = 100 * np.finfo(A.dtype).eps * float(mean @ mean) / size
        if not rounding + np.finfo(float).tiny < spread < np.inf:
            covariance, spread = np.zeros_like(covariance), 1.0
        ridge = np.broadcast_to(np.asarray(ridge, dtype=float).ravel(), (size,))
        return mean, damped_inverse(covariance / spread, self.damping_in + ridge / spread).dot

    def _low_rank(self, A, mean, root, ridge):
        """P_l from some of the rows, by Woodbury's identity; the others count as a diagonal."""
        m, size = A.shape
        rank = max(20, min(_LOW_RANK_ROWS, _LOW_RANK_SIZE // size, m))
        chosen = np.linspace(0, m - 1, rank).astype(int)
        B = (A[chosen] - mean) * root[chosen] * np.sqrt(m / rank)
        spread = float(np.vdot(B, B)) / size
        if not spread > np.finfo(float).tiny:
            spread = 1.0
        B /= np.sqrt(spread)
        diagonal = self.damping_in + np.asarray(ridge, dtype=float).reshape(-1, 1) / spread
        diagonal = np.broadcast_to(diagonal, (size, 1))
        scaled = B / diagonal.T
        inner = damped_inverse(scaled @ B.T, 1.0)
        return lambda G: G / diagonal - scaled.T @ (inner @ (scaled @ G))

    def __call__(self, gradient):
        """The metric times a gradient: the step of the plain sweep."""
        step = np.empty_like(gradient)
        views = self.objective.views
        for G, out, (left, right, mean) in zip(
            views(gradient), views(step), self._factors, strict=True
        ):
            GQ = G @ right
            out[:-1] = left(GQ[:-1] - np.outer(mean, GQ[-1]))
            out[-1] = GQ[-1] - mean @ out[:-1]
        return step


def _gram(A, root, scratch):
    """Weighted second moments of the columns of A, in double precision."""
    scaled = np.multiply(A, root, out=scratch)
    return (scaled.T @ scaled).astype(float, copy=False)


def damped_inverse(matrix, damping):
    """``(matrix + damping I)^-1`` of a positive semi-definite matrix; damping may be a vector."""
    damped = matrix.copy()
    damped.flat[:: len(matrix) + 1] += damping
    scale = 1.0 / np.sqrt(damped.diagonal())
    damped *= scale * scale[:, None]
    try:
        factor = scipy.linalg.cho_factor(damped, lower=True, check_finite=True)
    except (scipy.linalg.LinAlgError, ValueError):
        scale = np.where(np.isfinite(scale), scale, 0.0)
        return np.diag(scale**2)
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(matrix)), check_finite=False)
    inverse *= scale * scale[:, None]
    return 0.5 * (inverse + inverse.T)
