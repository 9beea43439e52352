"""Which run a fit is: sweeps over all samples, mini-batches, or one after the other."""

from abc import ABC, abstractmethod
from dataclasses import replace

from .loop.run import Chain
from .loop.side_by_side import side_by_side

# Options that only one kind of run looks at.
OF_MINI_BATCHES = ("momentum", "hidden_gain", "damping", "epochs", "cool_down", "patience")
OF_SWEEPS = ("acceleration",)


def _is_exact(problem):
    return all(activation.exact_derivative for activation in problem.activations)


def _is_priced(problem):
    """Whether the penalty finds its strength in the fit."""
    return problem.alpha is None and _is_exact(problem)


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
        priced = _is_priced(problem)
        if not priced:
            problem = problem.with_usual_alpha()
            only = self._only(problem, settings)
            if only is not None:
                return only(problem, starts, settings)
        begin = self.priced if priced else self._polished

        def with_generator(coefs, intercepts, rng):
            return begin(problem, coefs, intercepts, replace(settings, rng=rng))

        return side_by_side(with_generator, starts, settings.rng)

    def _only(self, problem, settings):
        """Sweeps or mini-batches where a fit is nothing else, else None."""
        smooth = problem.quadratic or not problem.loss.nonsmooth
        if _is_exact(problem) and smooth and self.takes_all_samples(problem, settings):
            return self.sweeps
        return self.mini_batches if problem.quadratic or not _is_exact(problem) else None

    def unused_options(self, problem, settings):
        """Options that a fit would not use, of those that have another value than the usual one.

        Parameters
        ----------
        problem : Problem
        settings : Settings

        Returns
        -------
        unused : dict
            By the name of an option what uses it.
        """
        if _is_priced(problem):
            return {}
        only = self._only(problem.with_usual_alpha(), settings)
        if only == self.sweeps:
            n, names = problem.X.shape[0], OF_MINI_BATCHES
            use = f"this fit takes all {n} samples at once; mini-batches use it (set batch_size)"
        elif only == self.mini_batches and _is_exact(problem):
            names = OF_SWEEPS
            use = "this fit takes mini-batches; all samples at once use it (batch_size=None)"
        else:
            return {}
        usual = type(self.options)()
        return {name: use for name in names if getattr(self.options, name) != getattr(usual, name)}

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
