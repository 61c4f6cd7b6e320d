"""APMA, which CMCSL was inspired by (Section II-C): labels of clusters that belong together in several modalities."""

from collections.abc import Mapping
from itertools import permutations
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform
from sklearn.base import BaseEstimator, clone
from sklearn.metrics.pairwise import euclidean_distances

from ...files.errors import CmcslError, check_choice
from ..inputs import Features, Modalities, is_dict, metadata_of
from ..modality import Modality
from ..training import TrainingSet, trained
from .base import RelatedClassifier

TRANSFERS = ("multimodal", "none")


class APMAClassifier(RelatedClassifier):
    """APMA by Budnik et al. [1]_: labels spread within clusters that are joined across modalities.

    Rows are clustered in each modality. Clusters of different modalities are joined to multimodal ones where a
    classifier that sees one modality finds the cluster of the other probable. Each multimodal cluster takes the class
    of most seeds in it. Where the seeds may be chosen, `queries` says which rows to ask for.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`; the base estimator must have `predict_proba`, and also learns to tell the clusters of
        another modality.
    n_clusters : int, optional
        Clusters in each modality, and multimodal ones, at least 1; fewer if a modality has fewer rows. Default: as many
        as labelled rows, at most one for two rows.
    transfer : {"multimodal", "none"} or name of a modality, default="multimodal"
        ``multimodal``: clusters are joined across modalities. ``none``: each modality's clusters are labelled by
        themselves. A name: clusters are joined, and the labels of this modality teach all.

    Attributes
    ----------
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The labels that each modality's classifier was trained on: of the cluster that the row is in there; -1 (None if
        classes are no signed numbers) where it lacks the modality or no cluster there has a seed.
    transduction_ : ndarray of shape (n,)
        The same, if there is only one modality or one teaches all.
    clusters_ : dict of str to ndarray of shape (n,), dtype int64
        The multimodal cluster that each row is in by each modality, -1 where it lacks it.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ names the persons of television shows, who are heard and seen at different times, and a person labels one
    cluster after the other. Here a row has its modalities together, and one classifier for each ordered pair of them
    takes the place of the multilayer perceptron that says whether a voice and a face belong together. Clusters of a
    modality come from Ward's linkage of Euclidean distances, multimodal ones from average linkage: clusters of the same
    modality are 1 apart, those of different ones 1 - p, where p is the mean probability over their rows, from both
    sides. If seeds are drawn, some clusters have none: these take the class of the cluster in the same modality with
    the nearest centre. With the transfer ``none`` this is cluster labelling in each modality.

    References
    ----------
    .. [1] M. Budnik, J. Poignant, L. Besacier and G. Quénot, "Automatic propagation of manual annotations for
       multimodal person identification in TV shows", 12th International Workshop on Content-Based Multimedia Indexing,
       2014.

    Examples
    --------
    Each modality has two clusters, and row 2 is in different ones.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 2.], [2., 8.], [8., 7.], [9., 9.], [7., 8.]])
    >>> apma = APMAClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW")
    >>> apma.fit(X, [0, -1, -1, -1, 1, -1]).transduction_by_modality_
    {'visual': array([0, 0, 0, 1, 1, 1]), 'text': array([0, 0, 1, 1, 1, 1])}
    >>> apma.queries(X, 2)
    array([3, 1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        n_clusters: int | None = None,
        transfer: str = "multimodal",
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.n_clusters = n_clusters
        self.transfer = transfer

    def queries(self, X: Features, n: int) -> np.ndarray:
        """Rows to ask for their classes before `fit`: in each of n multimodal clusters the one that stands for it best.

        That is a row that all modalities see in the cluster, if there is one, next to the clusters' centres. `fit` with
        these rows as seeds finds the same clusters.

        Parameters
        ----------
        X : array-like or DataFrame of shape (m, d), or dict of str to array-like
            As for `fit`.
        n : int
            How many rows, in 1..m.

        Returns
        -------
        ndarray of shape (n,), dtype int64
            Row numbers, of larger clusters first.

        Raises
        ------
        ValueError
            If a parameter or the input is not as described; the message names it.
        """
        # What is learnt of X should not change a fitted classifier.
        return clone(self)._queries(X, n)  # noqa: SLF001

    def _queries(self, X: Features, n: int) -> np.ndarray:
        """As `queries`, of a classifier that may be changed."""
        rows = len(np.asarray(next(iter(X.values())) if is_dict(X) else X))
        features, _ = self._validate(X, np.zeros(rows, dtype=int))
        if not isinstance(n, Integral) or isinstance(n, bool) or not 1 <= n <= rows:
            raise CmcslError(f"n must be a whole number in 1..{rows}, the number of rows, got {n!r}.")
        modalities = self._preprocess(features, fit=True)
        return representatives(self._cluster(modalities, self._cluster_count(n, rows), rows, {}), n)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_probabilities()
        if self.n_clusters is not None:
            self._check_counts("n_clusters")

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        features, codes = super()._validate(X, y, classes, labeled)
        check_choice(self.transfer, (*TRANSFERS, *self.modalities_), "transfer")
        return features, codes

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        count = self._cluster_count(int(np.count_nonzero(codes >= 0)), len(codes))
        clusters = self._cluster(modalities, count, len(codes), metadata)
        self.clusters_ = {name: each.multimodal_of_row() for name, each in clusters.items()}
        labels = cluster_labels(clusters, codes)
        return labels if self.transfer in TRANSFERS else dict.fromkeys(modalities, labels[self.transfer])

    def _cluster_count(self, seeds: int, n: int) -> int:
        """Clusters of n rows, some of which are seeds."""
        return max(1, min(seeds, n // 2)) if self.n_clusters is None else self.n_clusters

    def _cluster(
        self, modalities: Mapping[str, Modality], count: int, n: int, metadata: Mapping[str, Any]
    ) -> dict[str, "Clusters"]:
        """Clusters of each modality, numbered so that those that belong together are one."""
        clusters = {name: ward_clusters(X, count, n) for name, X in modalities.items()}
        stops = np.cumsum([len(each.distances) for each in clusters.values()])
        parts = [slice(stop - len(each.distances), stop) for stop, each in zip(stops, clusters.values(), strict=True)]
        multimodal = np.arange(stops[-1])
        if self.transfer != "none" and len(clusters) > 1:
            closeness = np.zeros((stops[-1], stops[-1]))
            for (part, seen), (other_part, other) in permutations(zip(parts, clusters, strict=True), 2):
                closeness[part, other_part] = self._closeness(
                    modalities[seen], clusters[seen], clusters[other], metadata
                )
            multimodal = _cut(1 - (closeness + closeness.T) / 2, "average", count)
        return {
            name: each._replace(multimodal=multimodal[part])
            for part, (name, each) in zip(parts, clusters.items(), strict=True)
        }

    def _closeness(self, X: Modality, own: "Clusters", other: "Clusters", metadata: Mapping[str, Any]) -> np.ndarray:
        """Mean probability, over the rows of each cluster of a modality, of each cluster of another one."""
        closeness = np.zeros((len(own.distances), len(other.distances)))
        places = np.flatnonzero(other.of_row[X.rows] >= 0)
        if len(places):
            rows = X.rows[places]
            training_set = TrainingSet(places, other.of_row[rows], metadata_of(metadata, rows, len(own.of_row)))
            (classifier,) = trained(self._base(), X, training_set)
            for step in X.steps():
                members = np.eye(len(own.distances))[own.of_row[X.rows[step]]]
                # Naive Bayes has no probabilities for columns that are all constant.
                probability = np.nan_to_num(classifier.predict_proba(X[step]))
                closeness[:, classifier.classes_] += members.T @ probability
        return closeness / np.bincount(own.of_row[X.rows])[:, None]


class Clusters(NamedTuple):
    """Clusters of one modality.

    Attributes
    ----------
    of_row : ndarray of shape (n,), dtype int64
        Cluster of each row in 0..c-1, -1 where it lacks the modality.
    remoteness : ndarray of shape (n,), dtype float64
        Distance of each row from the centre of its cluster, 1 on average; NaN where it lacks the modality.
    distances : ndarray of shape (c, c), dtype float64
        Distances of the centres.
    multimodal : ndarray of shape (c,), dtype int64
        Number of the multimodal cluster that each cluster is a part of.
    """

    of_row: np.ndarray
    remoteness: np.ndarray
    distances: np.ndarray
    multimodal: np.ndarray

    def multimodal_of_row(self) -> np.ndarray:
        """Find the multimodal cluster of each row, -1 where it lacks the modality."""
        return np.where(self.of_row >= 0, self.multimodal[self.of_row], -1)


def ward_clusters(X: Modality, count: int, n: int) -> Clusters:
    """Cluster the rows of one modality by Ward's linkage.

    Parameters
    ----------
    X : Modality
        Its m rows.
    count : int
        Clusters; fewer if there are fewer rows.
    n : int
        How many rows there are with and without it.

    Returns
    -------
    Clusters
        Each a multimodal one by itself.
    """
    features, of_row, remoteness = X[:], np.full(n, -1), np.full(n, np.nan)
    cluster = _cut(euclidean_distances(features), "ward", count)
    members = np.eye(cluster.max() + 1)[cluster]
    centres = members.T @ features / members.sum(axis=0)[:, None]
    distance = np.linalg.norm(features - centres[cluster], axis=1)
    of_row[X.rows], remoteness[X.rows] = cluster, distance / (distance.mean() or 1)
    return Clusters(of_row, remoteness, euclidean_distances(centres), np.arange(len(centres)))


def _cut(distances: np.ndarray, method: str, count: int) -> np.ndarray:
    """Number of the cluster of each element, by agglomeration to so many clusters, if there are as many elements."""
    if len(distances) <= count:
        return np.arange(len(distances))
    return cut_tree(linkage(squareform(distances, checks=False), method), n_clusters=count)[:, 0]


def cluster_labels(clusters: Mapping[str, Clusters], codes: np.ndarray) -> dict[str, np.ndarray]:
    """Label rows by the seeds in their clusters.

    Parameters
    ----------
    clusters : dict of str to Clusters
        Of each modality.
    codes : ndarray of shape (n,), dtype int64
        Class numbers of the seeds, -1 elsewhere.

    Returns
    -------
    dict of str to ndarray of shape (n,), dtype int64
        By each modality, the class of most seeds in the multimodal cluster of the row, the first of several; without a
        seed there, that of the cluster with the nearest centre that has a label; -1 where the modality is missing or
        has none. Seeds keep their class.
    """
    votes = np.zeros((1 + max(each.multimodal.max() for each in clusters.values()), codes.max() + 1))
    for each in clusters.values():
        seeds = np.flatnonzero((codes >= 0) & (each.of_row >= 0))
        np.add.at(votes, (each.multimodal[each.of_row[seeds]], codes[seeds]), 1)
    elected = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    labels = {}
    for name, each in clusters.items():
        own = elected[each.multimodal]
        labeled = np.flatnonzero(own >= 0)
        if len(labeled):
            own = np.where(own >= 0, own, own[labeled[each.distances[:, labeled].argmin(axis=1)]])
        labels[name] = np.where(codes >= 0, codes, np.where(each.of_row >= 0, own[each.of_row], -1))
    return labels


def representatives(clusters: Mapping[str, Clusters], n: int) -> np.ndarray:
    """Rows that stand for multimodal clusters.

    Parameters
    ----------
    clusters : dict of str to Clusters
        Of each modality.
    n : int
        How many rows, at most as many as there are.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        One row of each cluster, the larger first, then another one of each, until there are n. In each cluster rows
        that more modalities see in it come first, among these those nearer to the centres.
    """
    of_row = np.stack([each.multimodal_of_row() for each in clusters.values()])
    remoteness = np.stack([each.remoteness for each in clusters.values()])
    sizes = np.bincount(of_row[of_row >= 0])
    waiting = []
    for cluster in np.argsort(-sizes, kind="stable"):
        inside = of_row == cluster
        rows = np.flatnonzero(inside.any(axis=0))
        seen_by = inside[:, rows].sum(axis=0)
        nearness = -np.where(inside[:, rows], remoteness[:, rows], 0).sum(axis=0) / seen_by
        waiting.append(rows[np.lexsort((rows, -nearness, -seen_by))].tolist())
    queries: dict[int, None] = {}
    while len(queries) < n:
        for rows in waiting:
            while rows and rows[0] in queries:
                rows.pop(0)
            if rows and len(queries) < n:
                queries[rows.pop(0)] = None
    return np.array(list(queries), dtype=np.int64)
