"""Algorithm 1 of the paper, one function per method of its pseudocode.

PREPROCESS, the one that is missing here, is `preprocessing.preprocessor`. A function that takes
"modalities" takes any number of them; the paper has two, visual and text, in this order.
"""

from typing import NamedTuple

import numpy as np

from ..files.errors import CmcslError


class Clusters(NamedTuple):
    """One modality divided among the seeds.

    Parameters
    ----------
    seed : ndarray of shape (n,), dtype int64
        For each row the position, in the list of seeds, of the seed whose cluster it is in.
    distance : ndarray of shape (n,), dtype float64
        Euclidean distance to that seed, in the unit of the preprocessed features.
    """

    seed: np.ndarray
    distance: np.ndarray


class CrossModalLabels(NamedTuple):
    """What the modalities agreed on.

    Parameters
    ----------
    label : ndarray of shape (n,), dtype int64
        Cross-modal pseudo-label of each row.
    modality : ndarray of shape (n,), dtype int64
        Index of the modality that is closest to its seed; where labels differ it decided.
    """

    label: np.ndarray
    modality: np.ndarray


def labeling(
    y: np.ndarray, budget: int, random: np.random.Generator | np.random.RandomState, *, replacement: bool = False
) -> np.ndarray:
    """LABELING: draw `budget` rows of each class, uniformly; they are the seeds.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
        Class of each row, in 0..k-1; only the drawn rows' classes are used by the method.
    budget : int
        Seeds per class, b_class of the paper, at least 1.
    random : Generator or RandomState
        Source of randomness; classes are drawn from in ascending order.
    replacement : bool
        True lets one row be drawn several times, as the published code does. False draws nested sets:
        from equal generators, the seeds of a budget are among those of every larger one.

    Returns
    -------
    ndarray of shape (k * budget,), dtype int64
        Row numbers, class by class.

    Raises
    ------
    CmcslError
        If a class has fewer rows than `budget`, or `budget` is below 1.
    """
    counts = np.bincount(y)
    if not 1 <= budget <= counts.min():
        raise CmcslError(
            f"The budget must lie in 1..{counts.min()}, the size of the smallest class here, got {budget}."
        )
    members = [np.flatnonzero(y == label) for label in range(len(counts))]
    if replacement:
        return np.concatenate([random.choice(rows, budget) for rows in members])
    return np.concatenate([random.permutation(rows)[:budget] for rows in members])


def clustering(X: np.ndarray, seeds: np.ndarray) -> Clusters:
    """CLUSTERING: one step of k-means with the seeds as centres; each row joins its nearest seed.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
        One preprocessed modality.
    seeds : ndarray of shape (c,), dtype int64
        Row numbers of the seeds.

    Returns
    -------
    Clusters
        One per seed.

    Notes
    -----
    A tie goes to the seed that stands first. A seed is in its own cluster, at distance 0, also where another seed has
    the same features: else its known label could be lost.
    """
    from scipy.spatial.distance import cdist

    distances = cdist(X, X[seeds])
    seed = distances.argmin(axis=1)
    distance = distances[np.arange(len(seed)), seed]
    # Backwards, so that a row drawn twice belongs to its first place among the seeds.
    seed[seeds[::-1]] = np.arange(len(seeds))[::-1]
    distance[seeds] = 0.0
    return Clusters(seed, distance)


def propagate(clusters: Clusters, seed_labels: np.ndarray) -> np.ndarray:
    """PROPAGATE: each row takes the class of its cluster's seed.

    Parameters
    ----------
    clusters : Clusters
        From `clustering`.
    seed_labels : ndarray of shape (c,), dtype int64
        Class of each seed.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        Pseudo-labels of one modality; alone they are those of the method UNI.
    """
    return seed_labels[clusters.seed]


def nearest(labels: list[np.ndarray], distances: list[np.ndarray]) -> CrossModalLabels:
    """NEAREST: of the labels that a row got in each modality, keep the one with the smaller distance.

    Parameters
    ----------
    labels, distances : list of ndarray of shape (n,)
        Pseudo-labels, and distances to the seeds that gave them, one array per modality.

    Returns
    -------
    CrossModalLabels
        Where all labels agree, nothing changes. A tie goes to the modality that stands first.
    """
    modality = np.argmin(distances, axis=0)
    return CrossModalLabels(np.asarray(labels)[modality, np.arange(len(modality))], modality)
