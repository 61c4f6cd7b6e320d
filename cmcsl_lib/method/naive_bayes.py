"""Many Gaussian naive Bayes classifiers on the same features, fitted and scored in a few matrix products.

The mathematics is that of `sklearn.naive_bayes.GaussianNB`. With sample weights w, a class has in each feature

    W = sum of w,  mean = sum of w x / W,  variance = sum of w x**2 / W - mean**2 + smoothing

over its rows x, and a row x to be classified has in that class the joint log-likelihood

    log(share of the class) - 1/2 sum of log(2 pi variance) - 1/2 sum of (x - mean)**2 / variance

over the features. Sums and likelihoods are linear in the powers (x, x**2): one matrix product gives the sums of all
classes of all classifiers, another one all their likelihoods. Where rounding could change a result, a bound tells
it, and that result is calculated again without such products.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .matrix import Matrix

#: Part of the largest variance of all columns that is added to every variance, as in scikit-learn.
SMOOTHING = 1e-9
#: A variance is taken in two passes where the mean of squares is so many times larger: rounding of the sums, about
#: 1e-15 of them, then stays below 1e-12 of the variance.
CANCELLATION = 1e3
#: Probabilities are calculated from differences where rounding could change a log-likelihood by more.
SURE = 1e-8
#: Bytes that the arrays of one step over some of the rows may take.
MEMORY = 2**23


class Gaussians(NamedTuple):
    """Fitted classifiers.

    Parameters
    ----------
    log_prior : ndarray of shape (f, k), dtype float64
        Logarithm of the share of each class in each fit, -inf for an absent class.
    mean, variance : ndarray of shape (f, k, d), dtype float64
        Of each feature in each class, the variance with its smoothing; a place holder in an absent class.
    """

    log_prior: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def fit(X: np.ndarray, labels: np.ndarray, weights: np.ndarray, classes: int) -> Gaussians:
    """Fit classifiers to the same rows with different labels.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Taken in double precision, also where it is given in single precision.
    labels : ndarray of shape (f, n), dtype int64
        Class of each row in each fit, in 0..classes-1; not every class need be there.
    weights : ndarray of shape (f, n), dtype float64
        Sample weights. A class that has no weight above 0 counts as absent.
    classes : int
        How many there are, k.

    Returns
    -------
    Gaussians
        The f classifiers.

    Notes
    -----
    Columns are centred before they are squared. A variance that is still small beside the mean of squares, as that of
    a feature that is constant in the class or that of a class of one row, is taken again in two passes.
    """
    (n, d), shape = X.shape, (len(labels), classes)
    centre = X.mean(axis=0, dtype=np.float64)
    totals, sums = np.zeros(shape), np.zeros((*shape, 2 * d))
    column_squares = np.zeros(d)
    for part, powers in _powers(X, centre, totals.size):
        indicators = _one_hot(labels[:, part], weights[:, part], classes)
        totals += indicators.sum(axis=2)
        sums += (indicators.reshape(totals.size, -1) @ powers).reshape(sums.shape)
        column_squares += powers[:, d:].sum(axis=0)
    mean, square = np.split(sums / np.where(totals > 0, totals, 1)[..., None], 2, axis=2)
    variance = square - mean**2
    smoothing = SMOOTHING * (column_squares / n).max()
    in_doubt = square > CANCELLATION * (variance + smoothing)
    for number in np.flatnonzero(in_doubt.any(axis=(1, 2))):
        doubt = in_doubt[number]
        columns, rows = doubt.any(axis=0), doubt.any(axis=1)[labels[number]]
        again = _two_passes(
            X[np.ix_(rows, columns)] - centre[columns], labels[number, rows], weights[number, rows], classes
        )
        mean[number][doubt], variance[number][doubt] = (each[doubt[:, columns]] for each in again)
    return _smoothed(totals, centre + mean, variance, smoothing)


def fit_one(X: np.ndarray, labels: np.ndarray, weights: np.ndarray, classes: int) -> Gaussians:
    """Fit one classifier in two passes, which is exact and, for few rows, as fast.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Its own rows; the smoothing depends on their variance, a row that stands twice counting twice.
    labels, weights : ndarray of shape (n,)
        Class and sample weight of each row.
    classes : int
        As for `fit`.

    Returns
    -------
    Gaussians
        One classifier.
    """
    X = X.astype(np.float64, copy=False)
    mean, variance = _two_passes(X, labels, weights, classes)
    totals = np.bincount(labels, weights, classes)
    return _smoothed(totals[None], mean[None], variance[None], SMOOTHING * X.var(axis=0).max())


class Sums(NamedTuple):
    """Sums over the rows of each part and class, from which classifiers are made that have not learnt some parts.

    Parameters
    ----------
    X : Matrix of shape (n, d)
        The rows.
    weights : ndarray of shape (n, k), dtype float64
        How much each row counts in each class.
    parts : ndarray of shape (n,), dtype int64
        Part of each row, in 0..P-1.
    centre : ndarray of shape (d,)
        What is taken from each row before it is squared.
    totals : ndarray of shape (P, k)
        Weights.
    powers : ndarray of shape (P, k, 2d)
        Weighted rows, and their squares.
    counts : ndarray of shape (P,)
        How many rows there are, one that stands several times counting as often.
    all_powers : ndarray of shape (P, 2d)
        Sums of these rows, and of their squares.
    """

    X: Matrix
    weights: np.ndarray
    parts: np.ndarray
    centre: np.ndarray
    totals: np.ndarray
    powers: np.ndarray
    counts: np.ndarray
    all_powers: np.ndarray

    def moments(self, left_out: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Learn all parts but one.

        Parameters
        ----------
        left_out : int, optional
            The part; default: none is left out.

        Returns
        -------
        totals : ndarray of shape (k,)
            Weight of each class.
        mean, variance : ndarray of shape (k, d)
            Of each class, without smoothing.
        largest : float
            Variance of the column that varies most, of all rows together.
        """
        learnt = np.arange(len(self.counts)) != left_out
        totals = self.totals[learnt].sum(axis=0)
        first, square = np.split(self.powers[learnt].sum(axis=0) / np.where(totals > 0, totals, 1)[:, None], 2, axis=1)
        variance = square - first**2
        all_first, all_square = np.split(self.all_powers[learnt].sum(axis=0) / self.counts[learnt].sum(), 2)
        largest = float((all_square - all_first**2).max())
        mean = self.centre + first
        in_doubt = square > CANCELLATION * (variance + SMOOTHING * largest)
        for label in np.flatnonzero(in_doubt.any(axis=1)):
            rows = np.flatnonzero((self.weights[:, label] > 0) & learnt[self.parts])
            columns, squares = in_doubt[label], 0.0
            step = max(1, MEMORY // (8 * self.X.shape[1]))
            for some in np.split(rows, range(step, len(rows), step)):
                squares += self.weights[some, label] @ (self.X[some][:, columns] - mean[label, columns]) ** 2
            variance[label, columns] = squares / totals[label]
        return totals, mean, variance, largest


def sums_by_part(X: Matrix, weights: np.ndarray, counts: np.ndarray, parts: np.ndarray) -> Sums:
    """Add up rows in one pass over them.

    Parameters
    ----------
    X : Matrix of shape (n, d), dtype float64
        The rows.
    weights : ndarray of shape (n, k), dtype float64
        How much each row counts in each class.
    counts : ndarray of shape (n,), dtype int64
        How often each row stands: in as many classes.
    parts : ndarray of shape (n,), dtype int64
        Part of each row, in 0..P-1.

    Returns
    -------
    Sums
        Of them all.
    """
    d, shape = X.shape[1], (parts.max() + 1, weights.shape[1] + 1)
    # Any point among the rows will do.
    centre = X[:1000].mean(axis=0)
    totals, powers = np.zeros(shape), np.zeros((*shape, 2 * d))
    columns = np.column_stack([weights, counts])
    for rows, own in _powers(X, centre, totals.size):
        indicators = np.zeros((len(own), *shape))
        indicators[np.arange(len(own)), parts[rows]] = columns[rows]
        totals += indicators.sum(axis=0)
        powers += (indicators.reshape(len(own), -1).T @ own).reshape(powers.shape)
    return Sums(X, weights, parts, centre, totals[:, :-1], powers[:, :-1], totals[:, -1], powers[:, -1])


def join(several: Iterable[Gaussians]) -> Gaussians:
    """Join classifiers that were fitted apart, with the same classes and features, in their order.

    Parameters
    ----------
    several : iterable of Gaussians
        From `fit` or `fit_one`.

    Returns
    -------
    Gaussians
        All of them.
    """
    return Gaussians(*map(np.concatenate, zip(*several, strict=True)))


def classify(fitted: Gaussians, X: np.ndarray, supports: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Most likely class of each row by each classifier, and the probabilities that some classifiers give.

    Parameters
    ----------
    fitted : Gaussians
        The f classifiers.
    X : ndarray of shape (m, d)
        Rows to classify.
    supports : sequence of int, of length s
        Classifiers whose probabilities are asked for.

    Returns
    -------
    labels : ndarray of shape (f, m), dtype int64
        As `GaussianNB.predict`: the first of the classes that are equally likely.
    probabilities : ndarray of shape (s, m, k), dtype float64
        As `GaussianNB.predict_proba`, but with a 0 for each absent class.

    Notes
    -----
    Where the two best likelihoods differ by less than the products can have rounded, all likelihoods of the row are
    calculated from the differences x - mean, as scikit-learn does. Labels are therefore those of scikit-learn, but
    where its own two best likelihoods differ by little more than its own rounding.
    """
    expanded = _expand(fitted)
    f, k, _ = fitted.mean.shape
    labels = np.empty((f, len(X)), dtype=np.int64)
    asked = np.empty((len(supports), len(X), k))
    for part, powers in _powers(X, expanded.centre, f * k):
        likelihoods = (expanded.factors @ powers.T).reshape(f, k, -1)
        likelihoods += expanded.constant[..., None]
        best = likelihoods.max(axis=1)
        margin = expanded.rounding * (8 * np.abs(best) + expanded.magnitude[:, None])
        label, in_doubt = _only_one(likelihoods >= (best - margin)[:, None])
        for number in np.flatnonzero(in_doubt.any(axis=1)).tolist():
            rows = np.flatnonzero(in_doubt[number])
            label[number, rows] = _plain_likelihoods(fitted, number, X[part][rows]).argmax(axis=0)
        labels[:, part] = label
        for place, number in enumerate(supports):
            rows = np.flatnonzero(margin[number] > SURE)
            likelihoods[number][:, rows] = _plain_likelihoods(fitted, number, X[part][rows])
            asked[place, part] = likelihoods[number].T
    if not len(asked):
        return labels, asked
    from scipy.special import logsumexp

    return labels, np.exp(asked - logsumexp(asked, axis=2, keepdims=True))


def balanced_accuracies(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean over the classes of the share of right predictions, of many classifiers.

    Parameters
    ----------
    y : ndarray of shape (m,), dtype int64
        True classes.
    predicted : ndarray of shape (f, m), dtype int64
        Classes by each classifier.

    Returns
    -------
    ndarray of shape (f,), dtype float64
        Those of `sklearn.metrics.balanced_accuracy_score`.
    """
    members = (y[:, None] == np.unique(y)).astype(np.float64)
    return np.mean((predicted == y) @ members / members.sum(axis=0), axis=1)


class _Expanded(NamedTuple):
    """Joint log-likelihoods as `constant` + `factors` times the powers of x - `centre`.

    `rounding` * (8 |likelihood| + `magnitude`) bounds how far off the difference of two of them can be.
    """

    centre: np.ndarray
    factors: np.ndarray
    constant: np.ndarray
    rounding: float
    magnitude: np.ndarray


def _expand(fitted: Gaussians) -> _Expanded:
    """Multiply out -1/2 sum of (x - mean)**2 / variance as sum of x mean / variance - x**2 / (2 variance), less C.

    A sum of 2d products loses at most 2d times the unit roundoff times the sum of their sizes. If Q is what is
    multiplied out, |x mean| <= (x**2 + mean**2) / 2 and x**2 <= 2 (x - mean)**2 + 2 mean**2 make that sum at most
    4 Q + 6 C. Q is at most the size of the likelihood and of its other terms, so the bound needs no further product.
    """
    f, k, d = fitted.mean.shape
    present = np.isfinite(fitted.log_prior)
    centre = fitted.mean[present].mean(axis=0)
    mean = np.where(present[..., None], fitted.mean - centre, 0)
    factors = np.concatenate([mean / fitted.variance, -0.5 / fitted.variance], axis=2).reshape(f * k, 2 * d)
    C = 0.5 * (mean**2 / fitted.variance).sum(axis=2)
    logarithms = 0.5 * np.log(2 * np.pi * fitted.variance)
    constant = fitted.log_prior - logarithms.sum(axis=2) - C
    others = np.where(present, np.abs(fitted.log_prior) + np.abs(logarithms).sum(axis=2), 0)
    return _Expanded(
        centre, factors, constant, (2 * d + 8) * np.finfo(np.float64).eps, 2 * (5 * others + 6 * C).max(axis=1)
    )


def _plain_likelihoods(fitted: Gaussians, number: int, X: np.ndarray) -> np.ndarray:
    """Joint log-likelihoods of one classifier from the differences x - mean, shape (k, m)."""
    return np.array(
        [
            log_prior - 0.5 * np.log(2 * np.pi * variance).sum() - 0.5 * ((X - mean) ** 2 / variance).sum(axis=1)
            for log_prior, mean, variance in zip(*(each[number] for each in fitted), strict=True)
        ]
    )


def _only_one(candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of candidates of shape (f, k, m): which class is one, and whether another one is too; each of shape (f, m)."""
    label, count = (np.zeros(candidates[:, 0].shape, dtype=np.int16) for _ in range(2))
    for number in range(candidates.shape[1]):
        np.maximum(label, candidates[:, number] * np.int16(number), out=label)
        count += candidates[:, number]
    return label, count > 1


def _two_passes(X: np.ndarray, labels: np.ndarray, weights: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each class, the variance from differences to the mean; shapes (k, d)."""
    indicators = _one_hot(labels[None], weights[None], classes)[0]
    total = indicators.sum(axis=1, keepdims=True)
    shares = indicators / np.where(total > 0, total, 1)
    mean = shares @ X
    return mean, shares @ (X - mean[labels]) ** 2


def _smoothed(totals: np.ndarray, mean: np.ndarray, variance: np.ndarray, smoothing: float) -> Gaussians:
    """Classifiers from the sums of weights, means and variances of their classes."""
    present = totals > 0
    with np.errstate(divide="ignore"):
        log_prior = np.log(totals / totals.sum(axis=1, keepdims=True))
    if smoothing == 0:
        # All rows are equal. scikit-learn then has NaN for every class, and predicts the first one.
        log_prior, variance = np.where(present, 0, -np.inf), np.ones_like(variance)
    return Gaussians(log_prior, mean, np.where(present[..., None], variance + smoothing, 1))


def _one_hot(labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """The weight of each row in the place of its class, 0 in the others, shape (f, k, n)."""
    indicators = np.zeros((len(labels), classes, labels.shape[1]))
    np.put_along_axis(indicators, labels[:, None], weights[:, None], axis=1)
    return indicators


def _powers(X: Matrix, centre: np.ndarray, width: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Centred rows and their squares side by side, for some rows at a time: a slice, and an array of shape (rows, 2d).

    There are so many rows in a slice that the array and another one of this width stay within `MEMORY`. The array of
    the next slice takes its place.
    """
    n, d = X.shape
    step = max(1, min(n, MEMORY // (8 * (2 * d + width))))
    buffer = np.empty((step, 2 * d))
    for start in range(0, n, step):
        rows = X[start : start + step]
        powers = buffer[: len(rows)]
        np.subtract(rows, centre, out=powers[:, :d])
        np.square(powers[:, :d], out=powers[:, d:])
        yield slice(start, start + len(rows)), powers
