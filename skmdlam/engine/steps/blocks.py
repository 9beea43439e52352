"""The block updates: pure functions, each the minimizer of the objective over one block.

Notation of the package's mathematics: ``v_l = a_{l-1} W_l + b_l``; rows are samples. "The paper" is
Wang, Li and Zhao, Neurocomputing 2022. Sample weights multiply every term of a sample alike, so
they cancel from the updates of ``z`` and ``a``.
"""

import numpy as np


def update_w(W, gradient, theta, penalty, alpha):
    """Minimize the quadratic model of the weight block (paper, Eq. 3).

    ``argmin over V of <gradient, V - W> + theta/2 ||V - W||^2 + alpha penalty(V)``

    Parameters
    ----------
    W, gradient : ndarray of shape (n_in, n_out)
        The point (extrapolated or not) and the gradient of
        ``rho/2 sum_i s_i ||z_i - a_i W - b||^2`` there.
    theta : float
        Curvature of the model, at least ``rho lambda_max(A'SA)`` for it to be an upper bound.
    penalty : Penalty
    alpha : float
    """
    return penalty.prox(W - gradient / theta, alpha / theta)


def update_b(z_mean, a_mean, W):
    """Intercepts for given weights: ``argmin over b of sum_i s_i ||z_i - a_i W - b||^2``.

    The paper takes a gradient step on b; the minimizer is ``mean(z) - mean(a) W``.
    """
    return z_mean - a_mean @ W


def update_z(v, z, lower, upper):
    """Project on the preimage interval (paper, Eq. 5).

    ``argmin over z of rho/2 ||z - v||^2  subject to  lower <= z <= upper``

    The interval is widened to hold the incumbent ``z``, which rounding (or an empty preimage) must
    not evict.
    """
    return np.clip(v, np.minimum(lower, z), np.maximum(upper, z))


def update_z_last(loss, v, y, rho, start=None):
    """Proximal step of the loss (paper, Eq. 6).

    ``argmin over z of R(z, y) + rho/2 ||z - v||^2``; ``start`` is where an iterative prox begins.
    """
    return loss.prox(v, y, rho, start)


def target_a(a, residual, W_next, rho, tau):
    """Unconstrained minimizer of the quadratic model of the activation block (paper, Eq. 7).

    ``argmin over p of <gradient, p - a> + tau/2 ||p - a||^2`` with
    ``gradient = rho residual W_next'`` and ``residual = a W_next + b_next - z_next``.
    """
    target = residual @ W_next.T
    target *= -rho / tau
    target += a
    return target


def update_a(target, activated, epsilon):
    """Project the target of the activations on the tube around ``h(z)`` (paper, Eq. 7).

    ``argmin over a of ||a - target||^2  subject to  |a - h(z)| <= epsilon``
    """
    return np.clip(target, activated - epsilon, activated + epsilon)


def update_za(activation, v, target, rho, tau, epsilon):
    """Pre-activations and activations of a hidden layer together (not in the paper).

    ``argmin over z, a of rho/2 ||z - v||^2 + tau/2 ||a - target||^2
    subject to |a - h(z)| <= epsilon``, the exact global solution, element by element.

    With a small epsilon the separate updates jam: each can move by O(epsilon) only.
    """
    return activation.joint(v, target, rho, tau, epsilon)
