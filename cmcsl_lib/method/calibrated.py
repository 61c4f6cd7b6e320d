"""Exchange on one scale: what each modality says as calibrated probabilities, added up, and said once more.

Algorithm 1 is one step of k-means around the seeds, after which the modality with the smaller distance decides. Here
each seed is the centre of a Gaussian of the same width in its modality, so that a row x has of class c the evidence

    S(c) = log of the mean of exp(-||x - s||**2 / t) over the class's seeds s,

which for t towards 0 is that of the nearest seed. Each modality has a temperature t of its own, which makes its
evidence free of its unit and calibrates it (`temperature`). Given the class, modalities are taken for independent: the
evidence of all is added, and what lacks one adds nothing. That is the posterior of each row. NEAREST would come out if
instead one of the modalities, nobody knows which, spoke of the class, at one temperature towards 0 in all: the largest
term of a sum decides then.

A round of re-estimation is the next step of k-means, a soft one: in each modality the rows, weighted by the posterior
that all modalities gave them, have one centre per class, and the distance to it gives evidence C(c) as that to seeds
did. S and C come from the same features, so they are averaged within a modality before modalities are added. Modalities
that train models for each other on all rows with soft labels are co-EM of Nigam and Ghani [1]_, which had naive Bayes
where a Gaussian around the centre stands here.

References
----------
.. [1] K. Nigam and R. Ghani, "Analyzing the effectiveness and applicability of co-training", Proceedings of the Ninth
   International Conference on Information and Knowledge Management, 2000.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from .matrix import Matrix

#: A temperature is expected to be so many times the median gap between the two nearest classes: of two classes, one
#: modality then gives that of a typical row the probability 0.56. One seed says little, however close it lies.
GAPS = 4.0
#: Temperatures that are compared, over the median gap.
TEMPERATURES = 2.0 ** np.arange(-5, 8.5, 0.5)
#: What a seed counts for in centres and in training, where a pseudo-label counts 1: it is known.
SEED_WEIGHT = 2.0
#: Seeds that are judged, at least, where there are more: one number is sought.
JUDGED = 500
#: Rounds of re-estimation; more change little.
ROUNDS = 2
#: Bytes that the rows of one step and their distances may take.
MEMORY = 2**23


class CalibratedLabels(NamedTuple):
    """What modalities say of each row, and all of them together; n rows, k classes.

    Parameters
    ----------
    posterior : ndarray of shape (n, k), dtype float64
        Probability of each class, 0 or 1 in labelled rows; equal where no modality says anything.
    evidence : list of ndarray of shape (n, k), dtype float64
        By modality, logarithms of the probabilities that it gives by itself; NaN in rows of which it says nothing.
    """

    posterior: np.ndarray
    evidence: list[np.ndarray]


def calibrated_labels(
    modalities: Sequence[Matrix],
    codes: np.ndarray,
    classes: int,
    rounds: int = ROUNDS,
    present: Sequence[np.ndarray] | None = None,
    nearest: Sequence[np.ndarray] | None = None,
) -> CalibratedLabels:
    """Label rows by the calibrated evidence of all modalities.

    Parameters
    ----------
    modalities : sequence of Matrix of shape (m, d of the modality), dtype float64
        Preprocessed features of the m rows that have the modality.
    codes : ndarray of shape (n,), dtype int64
        Class of each labelled row, in 0..classes-1, and -1 for the others. Numbers of seeds tell nothing of how
        frequent classes are.
    classes : int
        How many there are, k.
    rounds : int
        Rounds of re-estimation, at least 0.
    present : sequence of ndarray of shape (m,), dtype int64, optional
        Which rows have each modality; default all of them.
    nearest : sequence of ndarray of shape (n, k), optional
        By modality, distances to the nearest seed of each class; default: they are measured.

    Returns
    -------
    CalibratedLabels
        Of all rows.
    """
    present = [np.arange(len(codes))] * len(modalities) if present is None else present
    pairs, n = list(zip(modalities, present, strict=True)), len(codes)
    first = [
        _of_all_rows(seed_evidence(X, codes[rows], classes, None if near is None else near[rows]), rows, n)
        for (X, rows), near in zip(pairs, nearest or repeat(None, len(pairs)), strict=True)
    ]
    evidence = first
    for _ in range(rounds):
        weights = posterior(evidence, codes) * np.where(codes >= 0, SEED_WEIGHT, 1.0)[:, None]
        again = [_of_all_rows(centre_evidence(X, codes[rows], weights[rows]), rows, n) for X, rows in pairs]
        evidence = [_averaged(*both) for both in zip(first, again, strict=True)]
    return CalibratedLabels(posterior(evidence, codes), evidence)


def posterior(evidence: Sequence[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Probabilities of the classes by modalities that are independent given the class.

    Parameters
    ----------
    evidence : sequence of ndarray of shape (n, k)
        Log-probabilities by modality, NaN where it says nothing.
    codes : ndarray of shape (n,), dtype int64
        Known classes, else -1.

    Returns
    -------
    ndarray of shape (n, k), dtype float64
        Rows sum to 1.
    """
    probabilities = np.exp(normalised(np.nansum(evidence, axis=0)))
    seeds = codes >= 0
    probabilities[seeds] = np.eye(probabilities.shape[1])[codes[seeds]]
    return probabilities


def seed_evidence(X: Matrix, codes: np.ndarray, classes: int, nearest: np.ndarray | None = None) -> np.ndarray:
    """Evidence S: log-probabilities by Gaussians around the seeds.

    The seeds of a class count as one: how many there are is no evidence.

    Parameters
    ----------
    X : Matrix of shape (m, d), dtype float64
        One modality, without missing rows.
    codes : ndarray of shape (m,), dtype int64
        Class of each labelled row, -1 for the others.
    classes : int
        k.
    nearest : ndarray of shape (m, k), dtype float64, optional
        Distances to the nearest seed of each class; default: they are measured.

    Returns
    -------
    ndarray of shape (m, k), dtype float64
        NaN if seeds of fewer than two classes have the modality, or all classes are equally far from every row. A class
        without a seed here has its share 1/k: nothing is said for or against it.
    """
    seeds = np.flatnonzero(codes >= 0)
    seeds = seeds[np.argsort(codes[seeds], kind="stable")]
    present, starts = np.unique(codes[seeds], return_index=True)
    if len(present) < 2:
        return np.full((len(codes), classes), np.nan)
    if nearest is None:
        squared = _by_steps(X, X[seeds], lambda squared: np.minimum.reduceat(squared, starts, axis=1))
    else:
        squared = nearest[:, present] ** 2
    unit = median_gap(squared[codes < 0])
    if unit == 0:
        return np.full((len(codes), classes), np.nan)
    counts = np.diff(np.append(starts, len(seeds)))
    own = np.repeat(np.arange(len(present)), counts)
    # Each seed is judged by the others, if its class has any; of very many seeds some of every class.
    judged = np.flatnonzero(counts[own] > 1)
    judged = judged[:: max(1, len(judged) // JUDGED)]
    among = squared_distances(X[seeds[judged]], X[seeds])
    among[np.arange(len(judged)), judged] = np.inf
    others = counts - (own[judged, None] == np.arange(len(present)))
    t = temperature(unit, lambda t: _log_sums(among, starts, t) - np.log(others), own[judged])
    scores = _by_steps(X, X[seeds], lambda squared: _log_sums(squared, starts, t)) - np.log(counts)
    return _of_all_classes(scores, present, classes)


def centre_evidence(X: Matrix, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Evidence C: log-probabilities by Gaussians around the classes' centres.

    Parameters
    ----------
    X, codes : ndarray
        As for `seed_evidence`.
    weights : ndarray of shape (m, k), dtype float64
        How much each row belongs to each class.

    Returns
    -------
    ndarray of shape (m, k), dtype float64
        NaN if the centres are equally far from every row.
    """
    totals = weights.sum(axis=0)
    present = np.flatnonzero(totals > 0)
    if len(present) < 2:
        return np.full_like(weights, np.nan)
    sums = 0.0
    for step in _steps(X):
        sums += weights.T[present, step] @ X[step]
    centres = sums / totals[present, None]
    squared = _by_steps(X, centres, lambda squared: squared)
    unit = median_gap(squared[codes < 0])
    # Centres that are the same differ by what rounding makes of sums over all rows.
    if unit <= (len(codes) * np.finfo(np.float64).eps) ** 2 * np.einsum("ij,ij->i", centres, centres).max():
        return np.full_like(weights, np.nan)
    # Each seed is judged by centres without itself: its own class's centre moves away from it by N / (N - w).
    seeds = np.flatnonzero(codes >= 0)
    rest = totals[codes[seeds]] - weights[seeds, codes[seeds]]
    seeds, rest = seeds[rest > 0], rest[rest > 0]
    own = np.searchsorted(present, codes[seeds])
    left_out = squared[seeds]
    left_out[np.arange(len(seeds)), own] *= (totals[codes[seeds]] / rest) ** 2
    return _of_all_classes(-squared / temperature(unit, lambda t: -left_out / t, own), present, weights.shape[1])


def temperature(unit: float, scores: Callable[[float], np.ndarray], own: np.ndarray) -> float:
    """Temperature at which seeds, each judged by the others, are likely to be what they are.

    Few seeds are often separated without an error, and would be most likely at temperature 0. The logarithm of the
    temperature therefore has a normal prior around `GAPS` units, of standard deviation 1; where no seed can be judged,
    as with one per class, that alone decides.

    Parameters
    ----------
    unit : float
        From `median_gap`.
    scores : callable
        Takes a temperature; returns the evidence on the judged seeds, shape (s, k), in any scale.
    own : ndarray of shape (s,), dtype int64
        Class of each, as a column of the scores.

    Returns
    -------
    float
        A squared distance.
    """

    def log_likelihood(t: float) -> float:
        return float(normalised(scores(t))[np.arange(len(own)), own].sum())

    logs = [log_likelihood(unit * factor) if len(own) else 0.0 for factor in TEMPERATURES]
    return float(unit * TEMPERATURES[np.argmax(logs - np.log(TEMPERATURES / GAPS) ** 2 / 2)])


def median_gap(squared: np.ndarray) -> float:
    """Median difference of the squared distances to the two nearest classes: the unit of temperatures.

    Parameters
    ----------
    squared : ndarray of shape (m, k)
        Squared distances to the classes.

    Returns
    -------
    float
        The mean where more than half of the rows lie between classes; 0 if all do.
    """
    if not len(squared):
        return 1.0
    two = np.partition(squared, 1, axis=1)[:, :2]
    gaps = two[:, 1] - two[:, 0]
    return float(np.median(gaps) or gaps.mean())


def squared_distances(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of all rows of X and Y, from one matrix product.

    Parameters
    ----------
    X, Y : ndarray of shape (m, d) and (c, d), dtype float64
        Rows.

    Returns
    -------
    ndarray of shape (m, c), dtype float64
        At least 0.
    """
    # Around the middle of Y, so that an offset that all rows share costs no digits.
    middle = Y.mean(axis=0)
    X, Y = X - middle, Y - middle
    squared = X @ (-2 * Y.T)
    squared += np.einsum("ij,ij->i", X, X)[:, None]
    squared += np.einsum("ij,ij->i", Y, Y)
    return np.maximum(squared, 0, out=squared)


def _of_all_rows(evidence: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Evidence of the rows that have the modality, NaN in the others."""
    table = np.full((n, evidence.shape[1]), np.nan)
    table[rows] = evidence
    return table


def _averaged(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean of two kinds of evidence of one modality, of one where the other is missing."""
    mean = np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))
    return normalised(mean)


def _of_all_classes(scores: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Log-probabilities of all classes from scores of those that are present; the others have their share 1/k."""
    table = np.full((len(scores), classes), -np.log(classes))
    table[:, present] = normalised(scores) + np.log(len(present) / classes)
    return table


def normalised(scores: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities from logarithms without a common scale, row by row.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Logarithms, each row's up to a constant.

    Returns
    -------
    ndarray of shape (n, k), dtype float64
        Their exponentials sum to 1 in each row.
    """
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def _log_sums(squared: np.ndarray, starts: np.ndarray, t: float) -> np.ndarray:
    """Logarithm of the sum of exp(-squared / t) over each class, whose columns begin at `starts`."""
    scores = squared / -t
    highest = np.maximum.reduceat(scores, starts, axis=1)
    counts = np.diff(np.append(starts, scores.shape[1]))
    # Where a class has no other seed, all that it has is -inf.
    scores -= np.repeat(np.where(np.isinf(highest), 0, highest), counts, axis=1)
    with np.errstate(divide="ignore"):
        return np.log(np.add.reduceat(np.exp(scores, out=scores), starts, axis=1)) + highest


def _steps(X: Matrix, more: int = 0) -> Iterator[slice]:
    """All rows, so many at a time that they and as many rows of `more` numbers stay within `MEMORY`."""
    n, d = X.shape
    step = max(1, MEMORY // (8 * (d + more)))
    return (slice(start, start + step) for start in range(0, n, step))


def _by_steps(X: Matrix, seeds: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What `reduce` makes of the squared distances to the seeds, some rows at a time."""
    return np.concatenate([reduce(squared_distances(X[step], seeds)) for step in _steps(X, len(seeds))])
