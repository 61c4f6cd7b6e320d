"""CLUSTERING and PROPAGATE of Algorithm 1 with all that an exchange can need, and propagators other than clustering."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches

from ..files.errors import CmcslError
from ..method.distances import nearest_of_classes
from ..method.matrix import Matrix
from .inputs import metadata_of

#: Bytes that the rows of one step may take, and their distances.
MEMORY = 2**23, 2**26


class Opinion(NamedTuple):
    """What one modality says of every row, n rows and k classes.

    Parameters
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
    propagator: BaseEstimator | None,
    X: Matrix,
    codes: np.ndarray,
    classes: int,
    rows: np.ndarray | None = None,
    metadata: Mapping[str, Any] = MappingProxyType({}),
) -> Opinion:
    """What one modality says of every row: `around_seeds` if the propagator is None, else `by_propagator`.

    A modality whose labelled rows are all of one class, where there are more, can't tell classes apart: it says
    nothing of other rows.

    Parameters
    ----------
    propagator : estimator or None
        As `CMCSLClassifier` takes it.
    X : Matrix of shape (m, d), dtype float64
        The rows that have one modality, preprocessed.
    codes : ndarray of shape (n,), dtype int64
        Class of each labelled row, in 0..classes-1, and -1 for the others.
    classes : int
        How many there are, k.
    rows : ndarray of shape (m,), dtype int64, optional
        Which rows have the modality; default all.
    metadata : dict
        Of all n rows, for the `fit` of the propagator, such as `sample_weight`.

    Returns
    -------
    Opinion
        Of all n rows.
    """
    n = len(codes)
    rows = np.arange(n) if rows is None else rows
    seeds = np.flatnonzero(codes[rows] >= 0)
    if len(np.unique(codes[rows[seeds]])) < min(2, classes):
        X, rows = X[seeds], rows[seeds]
    label, distance, cluster = np.full(n, -1), np.full((n, classes), np.inf), np.zeros((n, classes), dtype=np.int64)
    if not len(rows):
        return Opinion(label, distance, cluster, np.full(1, -1), np.full(1, -1), None)
    if propagator is None:
        of_rows = around_seeds(X, codes[rows], classes)
    else:
        of_rows = by_propagator(propagator, X[:], codes[rows], classes, metadata_of(metadata, rows, n))
    label[rows], distance[rows], cluster[rows] = of_rows.label, of_rows.distance, of_rows.cluster
    seed_rows = np.where(of_rows.seeds >= 0, rows[of_rows.seeds], -1)
    return of_rows._replace(label=label, distance=distance, cluster=cluster, seeds=seed_rows)


def around_seeds(X: Matrix, codes: np.ndarray, classes: int) -> Opinion:
    """Opinion by Algorithm 1: each row takes the class of its nearest seed.

    Parameters
    ----------
    X : Matrix of shape (n, d), dtype float64
        One preprocessed modality, without missing rows.
    codes : ndarray of shape (n,), dtype int64
        Class of each labelled row, -1 for the others; at least one row is labelled.
    classes : int
        How many there are, k.

    Returns
    -------
    Opinion
        Of these rows; its seeds are positions in X.
    """
    # Class by class, as LABELING draws them: of equally near seeds the lower class wins.
    seeds = np.flatnonzero(codes >= 0)
    seeds = seeds[np.argsort(codes[seeds], kind="stable")]
    seed_label, places = codes[seeds], np.arange(len(seeds))
    vectors = X[seeds]
    present, starts = np.unique(seed_label, return_index=True)
    distance, cluster = np.full((len(codes), classes), np.inf), np.zeros((len(codes), classes), dtype=np.int64)
    size = max(1, min(memory // (8 * numbers) for memory, numbers in zip(MEMORY, vectors.T.shape, strict=True)))
    for step in gen_batches(len(codes), size):
        cluster[step, present], distance[step, present] = nearest_of_classes(X[step], vectors, starts)
    # A seed stays in its own cluster, also beside a twin.
    distance[seeds, seed_label], cluster[seeds, seed_label] = 0.0, places
    label = distance.argmin(axis=1)
    label[seeds] = seed_label
    among_seeds = np.full((len(seeds), classes), np.inf)
    for step in gen_batches(len(seeds), size):
        among_seeds[step, present] = nearest_of_classes(vectors[step], vectors, starts, own=places[step])[1]
    return Opinion(label, distance, cluster, seeds, seed_label, among_seeds)


def by_propagator(
    propagator: BaseEstimator,
    X: np.ndarray,
    codes: np.ndarray,
    classes: int,
    metadata: Mapping[str, Any] = MappingProxyType({}),
) -> Opinion:
    """Opinion of a classifier that gives confidences.

    Parameters
    ----------
    propagator : estimator
        With `predict_proba`. It is first shown all rows, unlabelled ones as -1; if it takes -1 for a class, it knows
        no unlabelled rows and is fitted again, to the labelled ones alone.
    X, codes, classes : ndarray, ndarray, int
        As for `around_seeds`.
    metadata : dict
        Of these rows, for `fit`.

    Returns
    -------
    Opinion
        Of these rows; clusters have no seeds.

    Raises
    ------
    CmcslError
        If the propagator has no `predict_proba`.
    """
    if isinstance(propagator, type):
        raise CmcslError(f"propagator must be an estimator, such as {propagator.__name__}(), got the class.")
    if not hasattr(propagator, "predict_proba"):
        raise CmcslError(f"propagator must have predict_proba, but {type(propagator).__name__} has none.")
    labeled = codes >= 0
    fitted = clone(propagator).fit(X, codes, **metadata)
    if -1 in fitted.classes_:
        fitted = clone(propagator).fit(X[labeled], codes[labeled], **metadata_of(metadata, labeled, len(X)))
    # For the nodes of a graph, the distributions to which it converged, not what it would predict for new rows.
    converged = getattr(fitted, "label_distributions_", None)
    support = np.zeros((len(X), classes))
    support[:, fitted.classes_] = np.nan_to_num(fitted.predict_proba(X) if converged is None else converged)
    support[labeled] = np.eye(classes)[codes[labeled]]
    silent = support.sum(axis=1) == 0
    label, distance = support.argmax(axis=1), 1 - support
    label[silent], distance[silent] = -1, np.inf
    numbers = np.arange(classes)
    return Opinion(label, distance, np.tile(numbers, (len(X), 1)), np.full(classes, -1), numbers, None)
