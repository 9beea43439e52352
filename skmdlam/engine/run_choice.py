"""Which run a fit is: sweeps over all samples, mini-batches, or one after the other."""

from abc import ABC, abstractmethod
from dataclasses import replace

from .loop.run import Chain
from .loop.side_by_side import side_by_side


class Runs(ABC):
    """The runs that there are, and the choice among them; a subclass knows where the samples are.

    Parameters
    ----------
    options : Feasible
    """

    def __init__(self, options):
        self.options = options

    @abstractmethod
    def takes_all_samples(self, problem, settings):
        """Whether a fit makes sweeps over all samples rather than mini-batches."""

    @abstractmethod
    def sweeps(self, problem, starts, settings):
        """Sweeps over all samples, of one network or several."""

    @abstractmethod
    def mini_batches(self, problem, starts, settings):
        """Mini-batches of one network or several."""

    @abstractmethod
    def finish(self, problem, coefs, intercepts, settings, regularization, moments):
        """Proximal sweeps over all samples, with what mini-batches have found out."""

    @abstractmethod
    def priced(self, problem, coefs, intercepts, settings):
        """A run whose penalty finds its strength, see :func:`~skmdlam.engine.priced.priced_run`."""

    def begin(self, problem, starts, settings):
        """Begin runs of networks side by side, as one.

        Parameters
        ----------
        problem : Problem
        starts : list of (coefs, intercepts)
            Starting weights of each network.
        settings : Settings

        Returns
        -------
        run : Run
        """
        exact = all(activation.exact_derivative for activation in problem.activations)
        priced = problem.alpha is None and exact
        if not priced:
            problem = problem.with_usual_alpha()
            smooth = problem.quadratic or not problem.loss.nonsmooth
            if exact and smooth and self.takes_all_samples(problem, settings):
                return self.sweeps(problem, starts, settings)
            if problem.quadratic or not exact:
                return self.mini_batches(problem, starts, settings)
        begin = self.priced if priced else self._polished

        def with_generator(coefs, intercepts, rng):
            return begin(problem, coefs, intercepts, replace(settings, rng=rng))

        return side_by_side(with_generator, starts, settings.rng)

    def _polished(self, problem, coefs, intercepts, settings):
        """Mini-batches, then proximal sweeps, for non-smooth penalties."""
        # Proximal sweeps get stuck where a non-smooth loss has no gradient: they only finish.
        first = replace(settings, max_iter=-(-2 * settings.max_iter // 3))
        batches = self.mini_batches(problem, [(coefs, intercepts)], first)
        # Not the run itself, whose buffers are not needed any more by then.
        found, moments = batches.regularization, batches.moments

        def finish(coefs, intercepts):
            warm = replace(settings, warm=True)
            return self.finish(problem, coefs, intercepts, warm, found, moments)

        return Chain(batches, finish)
