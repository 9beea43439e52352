"""Preconditioner of a full-batch sweep: a Kronecker product of two matrices for each layer."""

import numpy as np

from ..constants import LIMITS
from ..linalg import damped_inverse


class KroneckerPreconditioner:
    """Inverse curvature of J, layer by layer: the damped least-squares step and its price.

    With second moments over the rows, ``C_l`` of the centered input of layer l (scaled to mean
    eigenvalue 1) and ``H_l`` of the derivative ``h'(z_l)``::

        M_L = mean of R''(z_L)                      M_l = (W_{l+1} M_{l+1} W_{l+1}') * H_l
        P_l = (C_l + damping_in I + ridge)^-1       Q_l = (M_l / t_l + damping_out I)^-1 t_l^-1/2
        dW_l = P_l (G_l - mean a_{l-1} g_l') Q_l    db_l = g_l' Q_l - mean a_{l-1} dW_l

    where ``t_l`` is the mean eigenvalue of ``M_l`` and G_l, g_l the gradients of the weights and of
    the intercept: P_l is the exact, scale-free least-squares step of the layer, and Q_l says
    what a change of its units costs further up. Rows with a curved loss count more, because the
    others are fitted; the total weight of a block of rows stays.

    Parameters
    ----------
    objective : Objective
    damping_in, damping_out : float
        Damping of the input and of the output side, in units of the mean eigenvalue.
    curvature_share : float
        How much of the weight of a row is in proportion to the curvature of its loss.
    """

    def __init__(self, objective, damping_in, damping_out, curvature_share, limits=LIMITS):
        self.objective = objective
        self.damp(damping_in, damping_out)
        self.curvature_share = curvature_share
        self._inputs = [m - 1 for m, _ in objective.shapes]
        self._whole = [m <= limits.kronecker_inverse for m in self._inputs]
        n, widest = objective.n_rows, max(self._inputs)
        most = min(limits.kronecker_rows, limits.kronecker_numbers // max(widest, 1))
        rank = min(max(20, most), n)
        self._chosen = np.linspace(0, n - 1, rank).astype(int)

    def damp(self, damping_in, damping_out):
        """Change the damping, from the next update on."""
        self.damping_in, self.damping_out = damping_in, damping_out

    def update(self, theta):
        """Take the curvature at new weights."""
        objective = self.objective
        cast = theta.astype(objective.dtype, copy=False)
        with np.errstate(all="ignore"):
            moments = objective.reduce(
                layer_moments,
                cast,
                self._whole,
                self.curvature_share,
                by_row=objective.curvature_scales(cast),
            )
            moments /= objective.total
            outputs, inputs, slopes = self._unpack(moments)
            ridges = list(objective.ridge)
            if objective.columns > 0:
                ridges[0] = ridges[0] + objective.column_ridge(theta)
            V = objective.views(cast)
            self._factors = self._factorize(V, outputs, inputs, slopes, ridges)

    def _unpack(self, moments):
        """The parts of :func:`layer_moments`: outputs, (mean, second moments) of inputs, slopes."""
        position = 0

        def take(*shape):
            nonlocal position
            start, position = position, position + int(np.prod(shape))
            return moments[start:position].reshape(shape)

        k = self.objective.shapes[-1][1]
        outputs, inputs, slopes = take(k, k), [], []
        for layer, (size, whole) in enumerate(zip(self._inputs, self._whole, strict=True)):
            inputs.append((take(size), take(size, size)) if whole else None)
            slopes.append(take(size, size) if layer > 0 else None)
        return outputs, inputs, slopes

    def _factorize(self, V, M, inputs, slopes, ridges):
        """``(P_l, Q_l, mean a_{l-1})`` of every layer, P_l as a function."""
        objective, factors = self.objective, []
        few = weight = None
        if not all(self._whole):
            few, weight = objective.some(self._chosen)
            activations = objective.forward(V, few)[1]
        for layer in range(objective.depth - 1, -1, -1):
            scale = M.trace() / len(M)
            if not (np.isfinite(M).all() and scale > np.finfo(float).tiny):
                M, scale = np.eye(len(M)), 1.0
            right = damped_inverse(M / scale, self.damping_out)
            right *= (1.0 + self.damping_out) / np.sqrt(scale)
            ridge = np.asarray(ridges[layer], dtype=float) / objective.total / scale
            ridge = np.broadcast_to(ridge.ravel(), (self._inputs[layer],))
            if self._whole[layer]:
                mean, left = self._whole_input(*inputs[layer], ridge)
            elif layer == 0:
                mean, left = self._wide_input(objective.inputs.standardized(few), weight, ridge)
            else:
                mean, left = self._wide_input(activations[layer - 1][:, :-1], weight, ridge)
            factors.append((left, right, mean))
            if layer > 0:
                W = V[layer][:-1].astype(float)
                M = (W @ M @ W.T) * slopes[layer]
        return factors[::-1]

    def _whole_input(self, mean, moments, ridge):
        """Mean of a layer's input, and P_l as a matrix."""
        mean = np.where(np.isfinite(mean), mean, 0.0)
        # What rounding leaves of the difference is far below the damping.
        covariance = moments - np.outer(mean, mean)
        size = len(mean)
        spread = covariance.trace() / size
        rounding = 100 * np.finfo(self.objective.dtype).eps * float(mean @ mean) / size
        if not rounding + np.finfo(float).tiny < spread < np.inf:
            covariance, spread = np.zeros_like(covariance), 1.0
        inverse = damped_inverse(covariance / spread, self.damping_in + ridge / spread)
        # Heavily damped it is the identity, as it is for the intercept.
        inverse *= 1.0 + self.damping_in
        return mean, inverse.dot

    def _wide_input(self, A, weight, ridge):
        """The same from a few rows, by Woodbury's identity, where a square matrix is too large."""
        normalized = np.ones(len(A)) if weight is None else weight.astype(float)
        normalized /= normalized.sum()
        mean = normalized @ A
        B = (A - mean) * np.sqrt(normalized)[:, None]
        spread = float(np.vdot(B, B)) / A.shape[1]
        if not np.finfo(float).tiny < spread < np.inf:
            B, spread = np.zeros_like(B), 1.0
        B /= np.sqrt(spread)
        B /= np.sqrt(1.0 + self.damping_in)
        diagonal = (self.damping_in + ridge / spread) / (1.0 + self.damping_in)
        scaled = B / diagonal
        inner = damped_inverse(scaled @ B.T, 1.0)
        diagonal = diagonal[:, None]
        return mean, lambda G: G / diagonal - scaled.T @ (inner @ (scaled @ G))

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


def layer_moments(objective, V, whole, curvature_share, weight, x, y, scale=None):
    """What a block of rows adds to the moments of the preconditioner, strung together.

    Parameters
    ----------
    objective : FullObjective
        Of the samples that the rows are some of.
    V : list of ndarray
        Weights of each layer.
    whole : list of bool
        Of which layers the moments of the input are wanted.
    curvature_share : float
    weight : ndarray of shape (m,) or None
    x, y
        The rows, as the first layer and the loss take them.
    scale : ndarray of shape (m,) or None
        What the curvature of a row is multiplied by; None keeps the total weight of the block.
    """
    z, a = objective.forward(V, x)
    diagonal, factor = objective.loss.curvature(z[-1], y)
    weights = np.ones(len(y)) if weight is None else weight.astype(float)
    curvature = total_curvature(diagonal, factor)
    curvature *= weights.sum() / (weights @ curvature) if scale is None else scale
    if np.isfinite(curvature).all():
        weights = weights * (curvature_share * curvature + (1.0 - curvature_share))
    root = np.sqrt(weights).astype(objective.dtype)[:, None]
    M = np.diag(weights @ diagonal)
    if factor is not None:
        M -= (factor * weights[:, None]).T @ factor
    parts = [M]
    for layer, is_whole in enumerate(whole):
        if layer > 0:
            A, scratch = a[layer - 1][:, :-1], objective.scratch(layer - 1, len(weights))
        elif is_whole:
            A, scratch = objective.inputs.standardized(x), None
        if is_whole:
            parts += [weights @ A, _gram(A, root, scratch)]
        if layer > 0:
            slope = objective.activations[layer - 1].derivative(z[layer - 1], A)
            parts.append(_gram(slope, root, scratch))
    return np.concatenate([part.ravel() for part in parts])


def total_curvature(diagonal, factor):
    """Trace of the curvature of the loss of each row."""
    curvature = diagonal.sum(axis=1)
    if factor is not None:
        curvature -= np.square(factor).sum(axis=1)
    return curvature


def _gram(A, root, scratch):
    """Weighted second moments of the columns of A, in double precision."""
    scaled = np.multiply(A, root, out=scratch)
    return (scaled.T @ scaled).astype(float, copy=False)
