"""How long the steps of mini-batches are: rho, gain and damping."""

import numpy as np

from .options import first_given


class StepSizes:
    """What the options ``hidden_gain``, ``damping`` and a rho stand for, with their defaults."""

    def auto_rho(self, n, batch_size):
        """Where rho starts in mini-batches when the user leaves the choice to us.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int
            Samples in a batch: the more of them, the less noise, and the smaller rho may be.

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
        """The user's rho, held near the automatic one; None is that one.

        Parameters
        ----------
        rho : float or None
            What the user asks for.
        auto : float
            What :meth:`auto_rho` gives.

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
        """How many times longer than those of the output layer the steps of a hidden layer are.

        Parameters
        ----------
        flat : bool
            Whether the activation has a small slope.

        Returns
        -------
        gain : float
            ``hidden_gain`` where it is given.
        """
        tuned = self.constants.tuned
        return first_given(self.hidden_gain, tuned.flat_gain if flat else tuned.hidden_gain)

    def damping_of(self, n_hidden):
        """Damping of the steps of a net of so many hidden layers.

        Parameters
        ----------
        n_hidden : int
            Hidden layers.

        Returns
        -------
        damping : float
            ``damping`` where it is given.
        """
        tuned = self.constants.tuned
        return first_given(self.damping, max(tuned.least_damping, tuned.damping * n_hidden))
