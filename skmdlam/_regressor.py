"""MDLAMRegressor: numbers in, numbers out."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from ._base import BaseMDLAM, can_learn_a_stream
from ._compat import Interval, StrOptions, _fit_context
from ._devices import where_X_lies
from ._encoding import by_blocks
from ._targets import NumericTarget
from ._uncertainty import noise_of, predicted
from ._validation import check_new_X
from .losses import REGRESSION_LOSSES, Loss, get_loss


class MDLAMRegressor(RegressorMixin, BaseMDLAM):
    r"""Multi-layer perceptron regressor, trained by alternating minimization.

    The network is fitted block by block (mDLAM): the variables of a layer, its weights or its
    pre-activations and activations, are replaced by the minimizer of the objective, or of a close
    model of it, over that block, given all others. There is no learning rate to choose.

    With ``s_i`` the weights of the samples, ``f`` the network up to the last layer's
    pre-activations and ``z_l`` the pre-activations of layer l, solver "feasible", the default,
    minimizes ::

        J(W, b) = sum_i s_i R(f(x_i; W, b), y_i) + alpha sum_l Omega(W_l)
                  + activity_alpha/2 unit sum_l sum_k Var_i(z_l[i, k])
                  + column_alpha/2 unit sqrt(d) sum_j log(1 + 10 std_j^2 ||W_1[j, :]||^2)
                  + upper_alpha/2 unit sum_{l>=2} ||W_l||^2

    where R is the loss, summed over the outputs, and Omega is the penalty, by default
    ``1/2 ||W||^2``. The first line is the training objective of MLPRegressor. The second is a
    penalty on what the layers say instead of on the weights that say it, with variances over the
    samples weighted by ``s_i``; the third is one on the use of the d columns of X (of the encoded
    ones, where ``encoding`` makes them) at all, which hurts useless columns more than useful ones.
    The fourth, on the weights of all layers but the first, makes the others hold: without it a
    rescaling of the layers would shed them, and the lower J, the worse the model. Their strengths
    are chosen from the noise in the targets, or are options of :class:`Feasible`; what a fit has
    used is ``activity_alpha_``, ``column_alpha_`` and ``upper_alpha_``. ``unit`` makes all
    independent of the unit of y, as :class:`Feasible` says; variance and weights of the output
    layer count in units of the spread of y, for Poisson as they are.

    Solver "relaxed" is the algorithm of the paper [1]_. It minimizes the first line of J through
    a relaxed objective F, in which every layer has variables of its own (see :class:`Relaxed`).
    Both are derived step by step in :ref:`algorithm`.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error" (``1/2 (z - y)^2``), "absolute_error", "huber", "quantile" (see the
        parameter of that name), "poisson" (half the deviance, ``exp`` as the inverse link; y must
        not be negative), or an instance of a class of ``skmdlam.losses``, as ``Huber(delta=2.0)``.
        Of several targets each counts in its own unit, see Notes.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer. ``()`` means no hidden layer: a linear model.
    activation : str or Activation, or list or tuple of them, default="relu"
        Of every hidden layer: "relu", "leaky_relu", "elu", "softplus", "tanh", "logistic",
        "hard_tanh", "identity", "sign" (a step), or an instance of a class of
        ``skmdlam.activations``. A list has one for each hidden layer.
    quantile : float, default=0.5
        The quantile that ``loss="quantile"`` estimates, strictly between 0 and 1; 0.5 is the
        median. The other losses have no use for it.
    n_networks : int, default=1
        Number of networks of these layers, trained from different starts, whose outputs before the
        output activation are averaged. For a convex loss the average is at least as good as the
        networks are on average. Dense mini-batches train them together, in less time than one by
        one; sweeps over all samples, a sparse X, penalties with kinks and solver "relaxed" take
        ``n_networks`` times the time. The fitted model is one network, whose hidden layers have a
        block for each, so that ``coefs_`` has ``n_networks`` times the hidden units. Without a
        hidden layer all would be the same, and there is one. See Notes.
    calibrate : bool, default=False
        Whether ``fit`` also learns how far off predictions of new samples are, from samples that
        are left out, for ``predict(X, return_std=True)``. It takes four more fits of a single
        network, ten of fewer than 2,000 samples. Predictions themselves are the same. (For
        ``MDLAMClassifier`` it is a temperature of the probabilities.) See Notes.
    solver : str or solver object, default="feasible"
        "feasible": sweeps over all samples or mini-batches (``batch_size``), from the network's own
        values, J itself as what is reported and guarded. "relaxed": the paper's algorithm, on
        all samples at once. Or a :class:`Feasible` or :class:`Relaxed` with options of your own.
    rho : float or "auto", default="auto"
        Weight of the network's equations, positive: a large one takes small steps. Solver
        "feasible" needs it only to start with: in mini-batches it is held within a factor of 8 of
        the automatic one and doubled after a failed epoch, on the full batch it goes to 1. In
        solver "relaxed" it is part of F: a small rho takes large steps on a problem further from J.
        ``rho_curve_`` says what it was.
    epsilon : float, default=1e-3
        Solver "relaxed" only: width of the tube ``|a - h(z)| <= epsilon``, positive. It starts with
        a wide tube, 100, and halves it in every sweep until it is this. In solver "feasible" all
        these equations hold exactly.
    alpha : float or "auto", default="auto"
        Strength of the penalty, not negative, and the same number as in MLPRegressor: it stands
        beside a *sum* over samples, and beside weights in the units of X and y. With
        solver "feasible" "auto" is 0 for penalties without kinks, "l2", "nonnegative" and "box",
        because J has unit-free penalties (1e-4 with ``activity_alpha=0``); with "l1", "elasticnet"
        and "group" what is used pays a price in the noise of the targets, whatever the units are:
        first a fit without the penalty, then the strength at each input and unit is inversely
        proportional to its size there, as in the adaptive lasso. In ``partial_fit`` and for solver
        "relaxed" it is 1e-4.
    penalty : str, Penalty or None, default="l2"
        On the weights, never on the intercepts: "l2" (``1/2 ||W||^2``), "l1", "elasticnet",
        "nonnegative" (l2, with ``W >= 0``), "box" (l2, with ``-1 <= W <= 1``), "group" (whole
        inputs and units, which end exactly zero when they are of little use), "none" or None, or
        an instance of a class of ``skmdlam.penalties``. All act on weights in the units of X and
        y: scale the columns when a penalty should treat them alike.
    l1_ratio : float, default=0.5
        Share of l1 in "elasticnet", from 0 to 1; the other penalties have no use for it.
    encoding : {"auto", "piecewise"}, PiecewiseLinearEncoder or None, default="auto"
        How the first layer sees numeric columns: as they are, or each as a curve, by a
        :class:`PiecewiseLinearEncoder` that is fitted within ``fit``. "auto" chooses once for all
        columns, before any weight moves, by how well a Gaussian process predicts some of the
        targets with each (see :ref:`columns_as_curves`). "piecewise" is an encoder at its defaults,
        and an encoder of your own is cloned. None passes the columns on as they are. "auto" also
        does so for fewer than 100 samples, for more than 500 columns, without a hidden layer, with
        a penalty other than "l2" and "none", with solver "relaxed", and for a sparse X, for which
        an encoding that is asked for is an error. What was chosen is ``encoder_``.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns hold categories. "from_dtype": those of a data frame (pandas, polars,
        pyarrow) whose type is a category (Enum, dictionary) or string, or whose objects are
        strings; booleans are numbers, and so are all columns of an array. Or a mask (bool, one for
        each column), indices (int) or names (str). None: none, and strings are an error.
        A gap in such a column is a category of its own, and a category that was not there in
        ``fit`` is none of those known. Numbers may have gaps, too (nan, None). Dates and durations
        are refused: make numbers of them.
    activity_alpha : float or "auto", default="auto"
        Strength of the penalty on the variance of the pre-activations in J, not negative. It is
        counted in samples: it weighs like so many samples on which the network should say nothing.
        "auto" is 1, times a factor for the depth and the activation: what adapts to the noise is
        the strength of the penalty on the upper layers' weights, and only the product of the two
        matters where layers can be rescaled. More of it holds the network back more. 0 switches all
        three unit-free penalties off; what is left is, with ``encoding=None``, MLPRegressor's
        objective. Solver "relaxed" has no such term and takes only "auto" and 0.
    batch_size : int, "auto" or None, default="auto"
        Samples in a mini-batch of solver "feasible". None, or a number not below that of the
        samples, is the full batch: sweeps over all samples that are accelerated by secants and
        descend in J every time. "auto" is the full batch for up to 5,000 samples in up to 500 dense
        columns (up to 150,000 numbers where they are encoded), two hidden layers, a smooth loss and
        a ``max_iter`` of 50 and more: it generalizes better there, and takes two to four times as
        long. Elsewhere "auto" is a fifth of the samples below 500 (at least 20, and all of up to
        64), 100 below 2,000 and 200 from there on. Solver "relaxed" always takes the full batch:
        "auto" or None.
        With a loss that has kinks, absolute or quantile, and a penalty other than "l2", only the
        last sweeps of it are of this kind.
    max_iter : int, default=200
        Largest number of epochs or sweeps. The schedule of mini-batches ends by itself after 180
        epochs at most; where ``max_iter`` is less, it is shortened to fit. With a penalty other
        than "l2" and "none" sweeps over all samples follow, which make the weights as sparse as J
        says, and a third of ``max_iter`` is theirs.
    tol : float, default=1e-4
        Smallest improvement that counts, per unit of sample weight. In mini-batches it is
        one of the data term (in units of ``unit``), and one by less than 1 % is none. On the
        full batch it is one of J, in units of ``unit`` too, for solver "relaxed" of F, and with
        ``early_stopping=True`` of the validation score.
    n_iter_no_change : int or inf, default=10
        The fit ends after so many sweeps in a row without such an improvement; solver "relaxed"
        counts them once epsilon has reached its final value. In mini-batches the schedule decides:
        five such epochs (ten with clear targets; of many samples 1,500 steps, but at least three
        epochs) start the cool-down, in which the steps fall to zero over 30 epochs at most (15 with
        noisy ones); as many as ``n_iter_no_change`` within it halve what is left of the steps.
    early_stopping : bool, default=False
        Set ``validation_fraction`` of the samples apart (or take ``X_val``, see :meth:`fit`), score
        them after each epoch or sweep, and return the weights that had the best score. After
        ``n_iter_no_change`` in a row that did not better it by ``tol`` the fit ends; with
        mini-batches it goes over to the cool-down, in which the steps shrink, and ends with that.
    validation_fraction : float, default=0.1
        Share of the samples for ``early_stopping``, strictly between 0 and 1.
    scoring : str, callable or None, default=None
        What ``early_stopping`` goes by: a name that :func:`sklearn.metrics.get_scorer` knows,
        ``scorer(estimator, X, y)`` (with sample weights ``scorer(estimator, X, y,
        sample_weight=...)``), or None for the estimator's own ``score``.
    shuffle : bool, default=True
        Whether the samples for ``early_stopping`` are drawn at random or are the last ones. It has
        no other effect: mini-batches are drawn anew in each epoch in any case.
    clip : bool, default=True
        Clip the columns of new samples to their range in training, ``data_min_`` to ``data_max_``,
        as ``MinMaxScaler(clip=True)`` does: a row far outside, as a typing error makes it, gets the
        prediction of the nearest edge and not one far outside of the targets. False extrapolates
        the network; columns that are read by their ranks are constant there either way.
        The zeros of a sparse X stay.
    warm_start : bool, default=False
        Go on from the weights of the last fit, for solver "relaxed" with epsilon at its final
        value, and with the same ``encoder_`` and ``categories_``. Layer sizes must be the same;
        from or to ``loss="poisson"`` there is no going on.
    random_state : int, RandomState or None, default=None
        For the starting weights, the order of the samples and the split of ``early_stopping``. The
        same int gives the same weights, bit for bit, on the same machine and number of threads.
    verbose : bool, default=False
        Show the epochs: a progress bar in a terminal where rich is installed, else a line each.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, in the type of X (float32 or float64). The rows of the first one
        belong to ``input_names_``.
    intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of each layer.
    encoder_ : PiecewiseLinearEncoder or None
        What encodes the columns, fitted; None where the first layer sees them as they are. Its
        ``n_bins`` is what "auto" chose, ``n_bins_`` and ``knots_`` are the pieces of each column.
        With categories or scores (see ``input_names_``) its columns are numbers that the estimator
        makes of X, such as codes: then it transforms no X, and ``input_names_`` has its names.
    input_names_ : ndarray of str of shape (n_inputs,)
        What the first layer sees: for a feature "age" as a number ``age`` or, encoded,
        ``age_rank`` and ``age_pl_0``, ``age_pl_1``, ...; ``age_missing`` where it had gaps; for a
        category "city" ``city_Paris``, ... for levels that have a column (``city_missing``
        for gaps), and ``city_score`` for one number a level, or ``city_score_0``, ... for several.
        A number whose values have effects of their own, as those of an id have, has a score too,
        ``age_score``. Of many one-hot columns in X the score is that of ``first..last``. An array
        has features x0, x1, ...
    is_categorical_ : ndarray of bool of shape (n_features,), or None
        Which columns are categories; None where none is.
    categories_ : list of ndarray
        For each of them its categories, sorted, or in the order that the type of the column
        declares; nan stands for gaps.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these columns; only there when X was a data frame with names that are strings.
    n_layers_ : int
        Layers, the inputs and the outputs included.
    n_networks_ : int
        Networks that were fitted side by side; 1 after :meth:`partial_fit`, where all units learn
        together.
    n_outputs_ : int
        Units of the last layer.
    out_activation_ : str
        "identity", or "exp" for the Poisson loss.
    noise_ratio_ : float
        Noise in the targets relative to a smooth function of X, from which the automatic strengths
        and the length of the fit come; not a number where it was not needed, or could not be told.
    n_iter_ : int
        Complete epochs or sweeps.
    loss_ : float
        J per unit of sample weight of the weights that were returned, ``coefs_``: for solver
        "feasible" the lowest J that there was or, with ``early_stopping``, that of the weights with
        the best score; for "relaxed" that of the last sweep, as ``loss_`` of MLPRegressor is.
    activity_alpha_, column_alpha_, upper_alpha_ : float
        Strengths of the three unit-free penalties in J, on what layers say, on columns and on the
        weights of all layers but the first; given or automatic, 0 for solver "relaxed". Sample
        weights of less than one on average scale ``column_alpha_`` down in J.
    data_min_, data_max_ : ndarray of shape (n_features,)
        Range of each column in training, which ``clip`` is to; not of the encoded ones. Of a
        category it is that of its codes, the places in ``categories_``: all of them.
    best_loss_ : float
        Lowest J that was reached: the smallest entry of ``loss_curve_``, or J at the start where no
        epoch was better; of several networks the mean of that. It is there with
        ``early_stopping`` too, where MLPRegressor has None.
    loss_curve_ : list of float
        J per unit of sample weight of the weights after each epoch or sweep, from a forward pass
        over all training samples; in mini-batches of more than 10,000 samples without weights, and
        a penalty that is None or "l2", from one over 5000 of them, or a sixteenth if that is more.
        In mini-batches it may rise; an epoch that was taken back has the J that it was taken back
        for, the largest float where that was not finite. With ``batch_size=None`` every sweep of
        solver "feasible" descends and it never rises, see Notes. For solver "relaxed" it may.
    objective_curve_ : list of float
        What the solver guards, per unit of sample weight: for "feasible" J of the weights that are
        kept after each epoch, the lowest so far; for "relaxed" F, which does not rise between two
        changes of epsilon.
    epsilon_curve_, rho_curve_ : list of float
        Tolerance and penalty that were in force in each sweep; the tolerance of solver "feasible"
        is 0.
    gap_curve_ : list of float
        Root mean square over the samples of ``z_l - a_l-1 W_l - b_l`` after each sweep: how far the
        equations of the network are from holding. 0 for solver "feasible".
    stop_reason_ : str
        "converged" (``n_iter_no_change`` sweeps without an improvement, or the end of the
        schedule), "max_iter", "interrupted" (Ctrl-C), or "requested" (the validation score
        stalled, or a callback asked for it).
    validation_scores_ : list of float or None
        Score on the samples for validation after each epoch or sweep, of the weights that are kept
        then; None without ``early_stopping`` and ``X_val``.
    best_validation_score_ : float or None
        The largest of them; with ``early_stopping`` that of the weights that were kept.
    validation_loss_curve_ : list of float or None
        Loss of the same weights on these samples, without penalties and per unit of sample weight.

    Raises
    ------
    ValueError
        From ``fit``, before any work: a parameter out of range or a name that is not known, NaN,
        infinity or strings in the data, shapes that do not fit, weights that are negative or all
        zero, a target of the wrong kind.

    See Also
    --------
    MDLAMClassifier : Classifier counterpart.
    Feasible : The options of solver "feasible".
    Relaxed : The options of solver "relaxed".
    PiecewiseLinearEncoder : What encodes the columns, as a transformer.
    sklearn.neural_network.MLPRegressor : The same network, trained by gradients.

    Notes
    -----
    *Is it back-propagation?* Only in part. At small steps the targets of the layers follow the
    recursion of back-propagation. The step of the weights is another one: a damped least-squares
    fit in each layer, with no learning rate. See :class:`Feasible`.

    *When not.* Relu networks of ten and more layers; images and sequences that want convolutions or
    attention. Solver "relaxed" is for the paper's setting, few rows and many columns, and for
    studying it; on ordinary tables it is slow. Both solvers take every activation, loss and
    penalty, those with kinks and constraints too.

    *Descent.* On all samples (``batch_size=None``) J falls or stays in every sweep of solver
    "feasible", whatever the parameters are, but for two cases that begin as mini-batches do, where
    J may rise: the activation "sign", which has no slope, and the absolute error and quantile loss
    with a penalty that is not quadratic, which sweeps that descend finish.

    *Several networks.* Each of ``n_networks`` minimizes J by itself: it starts from weights of its
    own, drawn in turn, sees the same mini-batches as the others, and keeps its best weights. It
    ends by its own schedule; with ``early_stopping`` the average is scored, which is what
    predicts, and where that stalls all networks cool down, or stop. ``loss_``, ``loss_curve_``
    and ``objective_curve_`` are means over the networks, of one that has ended its last values;
    ``rho_curve_`` is the largest. There are no ``estimators_``: the blocks of ``coefs_`` are the
    networks, all but their last intercepts, of which it has the mean. Constraints on weights
    ("box") hold in each network, and not for the zeros beside the blocks and the last layer,
    which is divided by ``n_networks``. :meth:`partial_fit` learns one network of all units, and so
    does a warm start with ``n_networks=1`` and as many hidden units.

    *Calibration.* With ``calibrate=True`` single networks are fitted to three fourths of the
    samples (nine tenths of fewer than 2,000). Each predicts the others and is dropped. The folds
    are random, with the shares of the classes. What the first layer sees, encoding and scores of
    categories, is chosen once, from all samples. ``early_stopping`` has no part in it: these
    networks stop as they would without it, and samples for validation are not used. They start
    afresh with ``warm_start`` too: have a ``max_iter`` that is enough for them. All of it holds
    for new samples from where those of ``fit`` came from, and not elsewhere. Samples that belong
    together, as several of one person, make it too sure. Ctrl-C during the fit, or after it, leaves
    what ``calibrate=False`` would. :meth:`partial_fit` goes on from the weights as they are, and
    what it learns is not calibrated.

    *Standard deviations* are those of a new target, noise included. The logarithm of the variance
    is linear in the activations of the last hidden layer (of the first of several networks) and in
    the output. It is fitted to the squares of the left-out errors, by a gamma regression with a
    ridge penalty, and held within the .5 and 99.5 % of what the samples have. One factor makes the
    median of the errors that of a normal distribution; several networks get less by what they gain
    by their mean. Fewer than 50 samples have one standard deviation. On 19 tables with 4,000
    training samples at most, normal intervals of 50, 80 and 95 % held .53, .81 and .94 of the new
    samples for one network, .52, .81 and .93 for four, and with 300 training samples .53, .82 and
    .93. Of a single table the shares are off by .03, .02 and .02 on average, with 300 samples by
    .04, .04 and .02: tails are heavier than normal. Where new samples come from another part of the
    space it is far too small: there the intervals held .39, .64 and .80.

    *Streams.* :meth:`partial_fit` learns data chunk by chunk, by itself or after a fit, with solver
    "feasible" only. ``loss_curve_`` then has an entry for each call, the loss on its chunk before
    that was learned, and may rise; ``loss_`` is the last one and ``best_loss_`` the smallest;
    ``stop_reason_`` is "partial_fit". With an ``encoding`` up to 400 samples are kept until
    5,000 have been seen. From the hundredth on they choose the encoder, and again, for "auto" never
    a coarser one, whenever twice as many have been seen; before, columns are plain or, with an
    encoding that is asked for, have the knots of the first chunk. The weights are converted, so
    that what the network says stays at the new knots. After that, and after ``fit``, the encoder
    stays until many cells of a column lie beyond its knots; then it is chosen anew.

    *Memory.* Mini-batches hold a copy of X in the coordinates of the first layer's step (float32,
    also for float64 data), the values of one batch, and a few square matrices for each layer:
    nothing of the size samples x hidden units. A large sparse X is never made dense, not even a
    batch of it: a fit takes up to about ten times the numbers of X and the weights, or 100 MiB
    where that is more. The full batch holds a standardized copy of X (none where X is sparse; with
    ``activity_alpha=0`` and far fewer rows than columns, rows x rows numbers in its place), the
    activations of 1,000 samples at a time (of all, where these are at most 4 million numbers), and
    secants of up to 20 times the number of weights. Solver "relaxed" keeps z and a of every layer
    for all samples. Encoded samples are made as they are needed where a copy of them would take
    more than twice as much as X and more than 4 million numbers: in its place are the ranks of the
    columns, as many numbers as X has.

    *Scaling.* Solver "feasible" standardizes the columns of X and y inside its steps: the fit
    does not depend on their units, but for an ``alpha`` that you set, which stands beside the
    weights in those units and those of y. Solver "relaxed" wants scaled columns, as other networks
    do. An encoded column is nearly the same whatever increasing function it went through; but
    which encoding "auto" chooses also depends on how well plain columns do.

    The loss of a target is in its own units, and so are ``loss_`` and ``loss_curve_``.

    *Several targets.* Each has its own unit, so that all are learned, whatever their units are. For
    the squared error of K targets with the variances :math:`v_k` and their mean :math:`v`, both
    solvers minimize

    .. math:: R(z, y) = \frac{v}{2} \sum_{k=1}^K \frac{(z_k - y_k)^2}{v_k},

    and the penalty counts the output weights of target k times :math:`\sqrt{v / v_k}`. In general J
    is that of targets that are multiplied beforehand, so that they have one size. For the squared
    error, Huber and smooth losses of your own the standard deviation becomes the root mean square
    of all. For losses with kinks, absolute and quantile, the mean deviation becomes the mean of
    all, and for Poisson the mean becomes the mean of all. ``loss_``, the curves and the ``delta``
    of Huber are in this common unit; predictions and ``coefs_`` are in those of y. Targets of one
    size have the loss of MLPRegressor. A constant target has no say in the size of the others. With
    penalty "box", which says how large weights may be, no target is multiplied.

    References
    ----------
    .. [1] J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by
       Multi-convex Alternating Optimization", Neurocomputing, 2022, arXiv:1811.04187.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from skmdlam import MDLAMRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.5
    True

    The weights with the lowest J are returned. On all samples J never rises:

    >>> model.loss_ == model.best_loss_ == min(model.loss_curve_)
    True
    >>> full = MDLAMRegressor(hidden_layer_sizes=(20,), batch_size=None, max_iter=1000)
    >>> full = full.set_params(random_state=0).fit(X, y)
    >>> all(b <= a for a, b in zip(full.loss_curve_, full.loss_curve_[1:]))
    True

    How far off predictions are:

    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), calibrate=True, random_state=0)
    >>> model = model.fit(X[:300], y[:300])
    >>> mean, std = model.predict(X[300:], return_std=True)
    >>> inside = abs(y[300:] - mean) < 1.645 * std
    >>> bool(0.8 < inside.mean() < 0.97)  # of 90 %
    True

    Two targets at a time:

    >>> model.fit(X, np.column_stack([y, np.sqrt(y)])).predict(X[:3]).shape
    (3, 2)

    The 90 % quantile, which about as many of the targets stay below:

    >>> upper = MDLAMRegressor("quantile", (20,), quantile=0.9, random_state=0).fit(X, y)
    >>> bool(0.8 < np.mean(y < upper.predict(X)) < 0.97)
    True
    """

    _parameter_constraints: dict = {
        **BaseMDLAM._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        quantile=0.5,
        n_networks=1,
        calibrate=False,
        solver="feasible",
        rho="auto",
        epsilon=1e-3,
        alpha="auto",
        penalty="l2",
        l1_ratio=0.5,
        encoding="auto",
        categorical_features="from_dtype",
        activity_alpha="auto",
        batch_size="auto",
        max_iter=200,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        shuffle=True,
        clip=True,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.quantile = quantile
        self.n_networks = n_networks
        self.calibrate = calibrate
        self.solver = solver
        self.rho = rho
        self.epsilon = epsilon
        self.alpha = alpha
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.encoding = encoding
        self.categorical_features = categorical_features
        self.activity_alpha = activity_alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.shuffle = shuffle
        self.clip = clip
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _make_target(self, goes_on):
        return NumericTarget(self.loss, self.quantile)

    def _keep_calibration(self, problem, found=None):
        self._noise = None if problem is None else noise_of(self, problem, found)

    @available_if(can_learn_a_stream)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Learn one chunk of a stream, from where the last call ended.

        The chunk is gone over up to eight times, fewer times as the stream gets longer, and is not
        kept. After :meth:`fit` it goes on from the fitted weights. The weights kept, ``coefs_``,
        are an average of the latest steps: usable at any time, and close to what :meth:`fit` finds
        in the same samples when there are many or they come several times. ``max_iter``, ``tol``,
        ``n_iter_no_change``, ``epsilon`` and ``warm_start`` have no part in it.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Inputs of the chunk, which may be a single row; they need no scaling. A category that
            is new in a later chunk is added to ``categories_``, behind the others.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative. They count relative to the mean weight of all
            samples so far, and ``alpha`` counts against their sum.

        Returns
        -------
        self : object
            The estimator. When the call fails or is interrupted it is left as it was before.

        Raises
        ------
        AttributeError
            With ``solver="relaxed"``, which needs all samples at once.
        ValueError
            When a parameter, the data or the weights are not valid or do not fit what was learned
            before; with ``early_stopping=True``.
        FloatingPointError
            When numbers overflowed on the way: the data need another scale.

        See Also
        --------
        fit : All samples at once, which learns more from them.

        Notes
        -----
        ``loss_curve_`` gets one more entry, the loss on the chunk *before* it is learned, with
        ``alpha`` times the penalty, per unit of weight: an honest measure of how the stream is
        predicted. ``n_iter_`` counts the calls behind the epochs of a fit.

        Means, spreads and covariances (up to 1,500 columns) are those of all samples so far. Each
        call works in batches of 25 rows at most unless ``batch_size`` is a number; None takes the
        chunk as one batch. The automatic strengths of the penalties are estimated from chunks of
        100 rows and more (that on columns: 400) among the first 5,000 samples; without them they
        are those of the fit before or, in a stream that began by itself, usual ones.

        The unit of the target is that of all samples so far, too.

        An estimator that was stored by a version that did not keep what it had seen can go on: its
        weights are taken for those of a fit to 1,000 rows, or more, like those of the next chunk.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skmdlam import MDLAMRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), random_state=0)
        >>> for start in range(0, len(X), 50):
        ...     chunk = slice(start, start + 50)
        ...     _ = model.partial_fit(X[chunk], y[chunk])
        >>> model.score(X, y) > 0.4
        True
        """
        return self._partial_fit(X, y, sample_weight)

    @where_X_lies
    def predict(self, X, return_std=False):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Whether to return the standard deviations of new targets too, noise included, as
            ``GaussianProcessRegressor`` does. The fit must have had ``calibrate=True``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions: the conditional mean for squared_error and poisson, the median for
            absolute_error, a quantile for quantile.
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviations of new targets around them; only with ``return_std``.

        Raises
        ------
        ValueError
            With ``return_std``, after a fit without ``calibrate``.
        """
        if not return_std:
            output = self._output(X)
            return _of_targets(self._loss.inverse_link(output))
        X = check_new_X(self, X)
        if self._noise is None:
            raise ValueError(self._why_no_std())
        both = by_blocks(self, X, lambda inputs: predicted(self, inputs))
        output, std = np.hsplit(both, 2)
        return _of_targets(self._loss.inverse_link(output)), _of_targets(std)

    def _why_no_std(self):
        if not self._loss.central:
            return (
                "return_std=True is the standard deviation around a mean or a median, and this "
                "loss predicts neither: use another loss."
            )
        what = "Set calibrate=True and fit again."
        if self.calibrate:  # which was set after the fit, or forgotten by what came after it
            what = "Call fit again: partial_fit and an interrupted fit learn no such thing."
        return (
            "return_std=True needs a complete fit with calibrate=True, which learns the standard "
            f"deviation from samples that are left out. {what}"
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = get_loss(self.loss).positive_target
        return tags


def _of_targets(values):
    """One column as a vector."""
    return values.ravel() if values.shape[1] == 1 else values
