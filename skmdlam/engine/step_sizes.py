"""How long the steps of mini-batches are: rho, gain and damping."""

import numpy as np

from .options import first_given


class StepSizes:
    """What the options ``hidden_gain``, ``damping`` and a rho stand for, with their defaults."""

    def auto_rho(self, n, batch_size):
        """Return the initial rho of mini-batches for ``rho="auto"``.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int
            Samples in a batch. The more there are, the less noise, and the smaller rho may be.

        Returns
        -------
        rho : float
            45 for batches of 100.
        """
        tuned = self.constants.tuned
        if batch_size >= n:  # no noise of batches; and repeated rows must not count
            batch_size = 100
        return tuned.rho * (100.0 / batch_size) ** tuned.rho_power

    def rho_within_range(self, rho, auto):
        """Limit the user's rho to the neighborhood of the automatic one.

        Parameters
        ----------
        rho : float or None
            Value that the user sets; None for the automatic one.
        auto : float
            Result of :meth:`auto_rho`.

        Returns
        -------
        rho : float
            Within a factor of 8 of ``auto``.
        """
        if rho is None:
            return auto
        most = self.constants.tuned.rho_range
        return float(np.clip(rho, auto / most, auto * most))

    def gain_of(self, flat):
        """Return the step size of a hidden layer relative to the output layer.

        Parameters
        ----------
        flat : bool
            Whether the activation has a small slope.

        Returns
        -------
        gain : float
            ``hidden_gain`` if it is set.
        """
        tuned = self.constants.tuned
        return first_given(self.hidden_gain, tuned.flat_gain if flat else tuned.hidden_gain)

    def damping_of(self, n_hidden):
        """Return the damping of the steps of hidden layers.

        Parameters
        ----------
        n_hidden : int
            Number of hidden layers.

        Returns
        -------
        damping : float
            ``damping`` if it is set.
        """
        tuned = self.constants.tuned
        return first_given(self.damping, max(tuned.least_damping, tuned.damping * n_hidden))
