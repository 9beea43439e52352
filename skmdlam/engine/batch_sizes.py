"""How many samples a step takes: all of them, or a batch."""

from .start import DEEP


class BatchSizes:
    """What ``batch_size`` stands for where the user leaves it open."""

    def takes_all_samples(self, problem, settings):
        """Return whether a fit is in full-batch mode rather than mini-batch mode.

        Parameters
        ----------
        problem : Problem
            What is minimized.
        settings : Settings
            If ``batch_size`` is None it is automatic: full-batch mode for up to 5,000 samples in
            up to 500 dense columns (150,000 numbers if they are encoded) and up to two hidden
            layers, where it generalizes better and takes two to four times as long. Up to 64
            samples, copies counted, are one batch, which is as good and less sensitive to rounding.
            A ``max_iter`` below 50 is too small for it, and it stalls at the kinks of a non-smooth
            loss.

        Returns
        -------
        all_samples : bool
            True for the full batch.
        """
        n, d = problem.X.shape
        if settings.batch_size is not None:
            return settings.batch_size >= n
        tuned = self.constants.tuned
        # Weights are numbers of copies.
        small = tuned.batch_tiny < max(n, problem.rows.total) <= tuned.full_batch_rows
        if problem.pieces is None or d <= len(problem.pieces.curves):
            small = small and d <= tuned.full_batch_columns
        else:
            small = small and n * d <= tuned.full_batch_numbers
        shallow = len(problem.activations) < DEEP and settings.max_iter >= tuned.full_batch_sweeps
        return small and shallow and not (problem.sparse or problem.loss.nonsmooth)

    def auto_batch_size(self, n):
        """Return the size of mini-batches for ``batch_size="auto"``.

        Parameters
        ----------
        n : int
            Number of samples.

        Returns
        -------
        size : int
            All of up to 64, a fifth below 500, 100 below 2,000, and 200 from there on.
        """
        tuned = self.constants.tuned
        if n <= tuned.batch_tiny:
            return n
        if n < tuned.batch_few:
            return min(n, max(tuned.batch_least, n // tuned.batch_share))
        return tuned.batch_small if n < tuned.batch_many else tuned.batch_usual

    def rows_at_a_time(self, n, batch_size):
        """Return the number of samples in the products of a step.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int or None
            Parameter of the estimator; None for "auto".

        Returns
        -------
        rows : int
            Size of a batch, or the number of samples if "auto" may take all.
        """
        if batch_size is None and n > self.constants.tuned.full_batch_rows:
            batch_size = self.auto_batch_size(n)
        return n if batch_size is None else min(n, batch_size)
