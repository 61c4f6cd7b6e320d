"""CLUSTERING of Algorithm 1 for many lists of seeds, or for each class: distances of many rows in one matrix product.

In ||x - s||**2 = ||x||**2 - 2 x s + ||s||**2 only x s costs, and one product gives it for all rows and seeds. What this
form loses to rounding is bounded. Where that could decide which seed is nearest, or a distance is small beside ||x||
and ||s||, the distances of the row are calculated again from the differences x - s.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from .labeling import Clusters

#: Squared distances below this part of ||x||**2 + ||s||**2 are calculated from differences. The others are right to
#: 1e-9 of themselves for any number of features up to 1000, and usually to 1e-13.
NEAR = 1e-3
#: With fewer seeds per class, measuring them all takes no longer than a product.
FEW = 8
#: Bytes that the arrays of one step over some of the rows may take.
MEMORY = 2**23


def clusterings(X: np.ndarray, seeds: list[np.ndarray]) -> list[Clusters]:
    """What `labeling.clustering` gives for each of many lists of seeds.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
        One preprocessed modality.
    seeds : list of ndarray of int64
        Lists of row numbers. One that holds all seeds of the list before it costs only those that are new, as with
        the nested seeds of increasing budgets.

    Returns
    -------
    list of Clusters
        Equal to those of `labeling.clustering` but for the last digits of the distances (see `NEAR`).
    """
    from sklearn.utils import gen_batches

    drawn = np.unique(np.concatenate(seeds))
    columns = [np.searchsorted(drawn, rows) for rows in seeds]
    fresh = _fresh(columns)
    clusters = [Clusters(np.empty(len(X), dtype=np.int64), np.empty(len(X))) for _ in seeds]
    vectors = X[drawn]
    for part in gen_batches(len(X), max(1, MEMORY // (8 * len(drawn)))):
        inside = [rows[(rows >= part.start) & (rows < part.stop)] - part.start for rows in seeds]
        for cluster, nearest in zip(clusters, _nearest(X[part], vectors, columns, fresh, inside), strict=True):
            cluster.seed[part], cluster.distance[part] = nearest
    for cluster, rows in zip(clusters, seeds, strict=True):
        # As in `labeling.clustering`: a seed is in its own cluster, a row drawn twice in that of its first place.
        cluster.seed[rows[::-1]] = np.arange(len(rows))[::-1]
        cluster.distance[rows] = 0.0
    return clusters


def nearest_of_classes(
    X: np.ndarray, seeds: np.ndarray, starts: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row the nearest seed of each class, and its distance.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
        One preprocessed modality.
    seeds : ndarray of shape (c, d), dtype float64
        Seeds, class by class.
    starts : ndarray of shape (k,), dtype int64
        Where the seeds of each class begin.
    own : ndarray of shape (n,), dtype int64, optional
        The seed that each row is itself, with which it is not compared.

    Returns
    -------
    nearest : ndarray of shape (n, k), dtype int64
        Places among the seeds; of equally near ones the first.
    distance : ndarray of shape (n, k), dtype float64
        As `scipy.spatial.distance.cdist` gives it; inf where a row is the only seed of a class.
    """
    if len(seeds) < FEW * len(starts):
        return _measured(X, seeds, starts, own)
    sizes, seed_sizes = (np.einsum("ij,ij->i", each, each) for each in (X, seeds))
    # ||x - s||**2 - ||x||**2, and how far apart two of these must be for their order to be certain.
    products = X @ (-2 * seeds.T)
    products += seed_sizes
    rounding = 2 * (X.shape[1] + 4) * np.finfo(np.float64).eps * (sizes + seed_sizes.max())
    if own is not None:
        products[np.arange(len(X)), own] = np.inf
    nearest, distance = np.empty((len(X), len(starts)), dtype=np.int64), np.empty((len(X), len(starts)))
    in_doubt = np.zeros(len(X), dtype=bool)
    for label, (start, stop) in enumerate(pairwise([*starts, len(seeds)])):
        part = products[:, start:stop]
        nearest[:, label] = start + part.argmin(axis=1)
        best = products[np.arange(len(X)), nearest[:, label]]
        in_doubt |= (part <= (best + rounding)[:, None]).sum(axis=1) > 1
        distance[:, label] = _distances_to_one_each(X, seeds, nearest[:, label])
        distance[np.isinf(best), label] = np.inf
    rows = np.flatnonzero(in_doubt)
    nearest[rows], distance[rows] = _measured(X[rows], seeds, starts, None if own is None else own[rows])
    return nearest, distance


def _measured(
    X: np.ndarray, seeds: np.ndarray, starts: np.ndarray, own: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest_of_classes`, by measuring all distances."""
    from scipy.spatial.distance import cdist

    rows = np.arange(len(X))
    distances = cdist(X, seeds)
    if own is not None:
        distances[rows, own] = np.inf
    nearest = np.column_stack(
        [start + distances[:, start:stop].argmin(axis=1) for start, stop in pairwise([*starts, len(seeds)])]
    )
    return nearest, np.take_along_axis(distances, nearest, axis=1)


def _distances_to_one_each(X: np.ndarray, seeds: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distance of each row to the seed at its place."""
    from scipy.spatial.distance import cdist

    order = np.argsort(places, kind="stable")
    distance = np.empty(len(X))
    for rows in np.split(order, np.flatnonzero(np.diff(places[order])) + 1):
        if len(rows):
            distance[rows] = cdist(X[rows], seeds[places[rows[:1]]])[:, 0]
    return distance


def _nearest(
    X: np.ndarray,
    seeds: np.ndarray,
    columns: list[np.ndarray],
    fresh: list[tuple[bool, np.ndarray]],
    inside: list[np.ndarray],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Place in each list of the seed that is nearest to each row, and its distance.

    `columns` are the lists, as rows of `seeds`; `inside` are the rows of X that are themselves seeds in each list: the
    results for these are overwritten.
    """
    from scipy.spatial.distance import cdist

    sizes, seed_sizes = (np.einsum("ij,ij->i", each, each) for each in (X, seeds))
    largest = sizes + seed_sizes.max()
    # ||x - s||**2 - ||x||**2, and how far apart two of these must be for their order to be certain.
    products = (-2 * seeds) @ X.T
    products += seed_sizes[:, None]
    rounding = 2 * (X.shape[1] + 4) * np.finfo(np.float64).eps * largest
    in_doubt = np.zeros(len(X), dtype=bool)
    nearest = []
    for (best, second, column), listed, own in zip(_two_nearest(products, fresh), columns, inside, strict=True):
        squared = best + sizes
        doubt = (second - best <= rounding) | (squared < NEAR * largest)
        doubt[own] = False
        in_doubt |= doubt
        # Where a seed stands twice in the list, its first place.
        places = np.zeros(len(seeds), dtype=np.int64)
        places[listed[::-1]] = np.arange(len(listed))[::-1]
        nearest.append((places[column], np.sqrt(np.maximum(squared, 0))))
    rows = np.flatnonzero(in_doubt)
    exact = cdist(X[rows], seeds)
    for (place, distance), listed in zip(nearest, columns, strict=True):
        place[rows] = exact[:, listed].argmin(axis=1)
        distance[rows] = exact[np.arange(len(rows)), listed[place[rows]]]
    return nearest


def _two_nearest(
    products: np.ndarray, fresh: list[tuple[bool, np.ndarray]]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each list: smallest and second smallest of its rows of `products`, and which row is the smallest.

    All three are overwritten for the next list; `fresh` is from `_fresh`.
    """
    m = products.shape[1]
    for goes_on, rows in fresh:
        if not goes_on:
            best, second, nearest = np.full(m, np.inf), np.full(m, np.inf), np.zeros(m, dtype=np.int64)
        for row in rows:
            own = products[row]
            np.minimum(second, np.maximum(best, own), out=second)
            np.copyto(nearest, row, where=own < best)
            np.minimum(best, own, out=best)
        yield best, second, nearest


def _fresh(columns: list[np.ndarray]) -> list[tuple[bool, np.ndarray]]:
    """Of each list whether it holds all of the one before it, and what is new in it."""
    fresh = [(False, np.unique(columns[0]))]
    for before, listed in pairwise(columns):
        goes_on = bool(np.isin(before, listed).all())
        fresh.append((goes_on, np.setdiff1d(listed, before) if goes_on else np.unique(listed)))
    return fresh
