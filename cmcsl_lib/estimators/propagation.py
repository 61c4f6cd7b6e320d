"""CLUSTERING and PROPAGATE of Algorithm 1 with all that an exchange can need, and propagators other than clustering."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches

from ..files.errors import CmcslError

#: Bytes that the distances of one step over some of the rows may take.
MEMORY = 2**26


class Opinion(NamedTuple):
    """What one modality says of every row, n rows and k classes.

    Attributes
    ----------
    label : ndarray of shape (n,), dtype int64
        The modality's own pseudo-label; -1 where it says nothing, because it is missing or has no seeds.
    distance : ndarray of shape (n, k), dtype float64
        How far each row is from each class: Euclidean distance to the nearest seed of that class, or 1 - probability
        of a propagator; inf where the modality says nothing.
    cluster : ndarray of shape (n, k), dtype int64
        Which cluster the row would join in each class, as a position in `seeds`.
    seeds : ndarray of shape (c,), dtype int64
        Row number of each cluster's seed; -1 if clusters have none, as with a propagator.
    seed_label : ndarray of shape (c,), dtype int64
        Class of each cluster.
    seed_distance : ndarray of shape (c, k), dtype float64, or None
        Distance of each seed to the nearest other seed of each class; None if `distance` holds 1 - probability.
    """

    label: np.ndarray
    distance: np.ndarray
    cluster: np.ndarray
    seeds: np.ndarray
    seed_label: np.ndarray
    seed_distance: np.ndarray | None


def opinion(
    propagator: BaseEstimator | None, X: np.ndarray, rows: np.ndarray, codes: np.ndarray, classes: int
) -> Opinion:
    """What one modality says: `around_seeds` if the propagator is None, else `by_propagator`.

    A modality whose labelled rows are all of one class, where there are more, can't tell classes apart: it speaks
    of no other rows.
    """
    labeled = codes[rows] >= 0
    if len(np.unique(codes[rows][labeled])) < min(2, classes):
        X, rows = X[labeled], rows[labeled]
    if not len(rows):
        return _silent(len(codes), classes)
    if propagator is None:
        return around_seeds(X, rows, codes, classes)
    return by_propagator(propagator, X, rows, codes, classes)


def around_seeds(X: np.ndarray, rows: np.ndarray, codes: np.ndarray, classes: int) -> Opinion:
    """Opinion by Algorithm 1: each row takes the class of its nearest seed.

    Parameters
    ----------
    X : ndarray of shape (m, d), dtype float64
        One preprocessed modality, of the rows that have it.
    rows : ndarray of shape (m,), dtype int64
        Their row numbers.
    codes : ndarray of shape (n,), dtype int64
        Class of each labelled row, -1 for the others; at least one of `rows` is labelled.
    classes : int
        k, how many there are.
    """
    own = codes[rows]
    # Class by class, as LABELING draws them: of equally near seeds the lower class wins.
    seeds = np.flatnonzero(own >= 0)
    seeds = seeds[np.argsort(own[seeds], kind="stable")]
    seed_label, places = own[seeds], np.arange(len(seeds))
    distance, cluster = _per_class(X, X[seeds], seed_label, classes)
    # A seed stays in its own cluster, also beside a twin.
    distance[seeds, seed_label], cluster[seeds, seed_label] = 0.0, places
    label = distance.argmin(axis=1)
    label[seeds] = seed_label
    among_seeds, _ = _per_class(X[seeds], X[seeds], seed_label, classes, own=places)
    present = Opinion(label, distance, cluster, rows[seeds], seed_label, among_seeds)
    return _spread(present, rows, len(codes))


def by_propagator(
    propagator: BaseEstimator, X: np.ndarray, rows: np.ndarray, codes: np.ndarray, classes: int
) -> Opinion:
    """Opinion of a classifier that gives confidences.

    Parameters
    ----------
    propagator : estimator
        With `predict_proba`. It is first shown all rows, unlabelled ones as -1; if it takes -1 for a class, it knows
        no unlabelled rows and is fitted again, to the labelled ones alone.
    X, rows, codes, classes
        As `around_seeds`.

    Raises
    ------
    CmcslError
        If the propagator has no `predict_proba`.
    """
    if isinstance(propagator, type):
        raise CmcslError(f"propagator must be an estimator, such as {propagator.__name__}(), got the class.")
    if not hasattr(propagator, "predict_proba"):
        raise CmcslError(f"propagator must have predict_proba, but {type(propagator).__name__} has none.")
    own = codes[rows]
    labeled = own >= 0
    fitted = clone(propagator).fit(X, own)
    if -1 in fitted.classes_:
        fitted = clone(propagator).fit(X[labeled], own[labeled])
    # Of a graph's nodes the distributions that it converged to are meant, not what it predicts for new rows.
    found = getattr(fitted, "label_distributions_", None)
    support = np.zeros((len(rows), classes))
    support[:, fitted.classes_] = np.nan_to_num(fitted.predict_proba(X) if found is None else found)
    support[labeled] = np.eye(classes)[own[labeled]]
    silent = support.sum(axis=1) == 0
    label, distance = support.argmax(axis=1), 1 - support
    label[silent], distance[silent] = -1, np.inf
    numbers = np.arange(classes)
    present = Opinion(label, distance, np.tile(numbers, (len(rows), 1)), np.full(classes, -1), numbers, None)
    return _spread(present, rows, len(codes))


def _per_class(
    X: np.ndarray, seeds: np.ndarray, seed_label: np.ndarray, classes: int, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest seed of each class, and which seed that is; both of shape (m, k).

    Parameters
    ----------
    X, seeds : ndarray of shape (m, d) and (c, d), dtype float64
    seed_label : ndarray of shape (c,), dtype int64
        In ascending order.
    own : ndarray of shape (m,), dtype int64, optional
        Which seed each row is itself; it is not compared with that.
    """
    nearest, which = np.full((len(X), classes), np.inf), np.zeros((len(X), classes), dtype=np.int64)
    present, starts = np.unique(seed_label, return_index=True)
    stops = np.append(starts[1:], len(seeds))
    for part in gen_batches(len(X), max(1, MEMORY // (8 * len(seeds)))):
        distances = cdist(X[part], seeds)
        if own is not None:
            distances[np.arange(len(distances)), own[part]] = np.inf
        for label, start, stop in zip(present, starts, stops, strict=True):
            which[part, label] = start + distances[:, start:stop].argmin(axis=1)
            nearest[part, label] = distances[np.arange(len(distances)), which[part, label]]
    return nearest, which


def _spread(present: Opinion, rows: np.ndarray, n: int) -> Opinion:
    """An opinion on some rows as one on all, silent on the others."""
    whole = _silent(n, present.distance.shape[1])
    for all_rows, some in zip(whole[:3], present[:3], strict=True):
        all_rows[rows] = some
    return Opinion(*whole[:3], *present[3:])


def _silent(n: int, classes: int) -> Opinion:
    """The opinion of a modality that says nothing of any row."""
    return Opinion(
        np.full(n, -1),
        np.full((n, classes), np.inf),
        np.zeros((n, classes), dtype=np.int64),
        np.full(1, -1),
        np.full(1, -1),
        None,
    )
