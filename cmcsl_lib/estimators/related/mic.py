"""MIC, which Section II-B names: clusters of rows that may lack modalities, by weighted non-negative factors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF
from sklearn.utils import check_random_state

from ..inputs import Modalities
from ..modality import Modality
from .base import RelatedClassifier

#: What is smaller counts as this much in a division, and as 0 elsewhere.
SMALL = np.float32(1e-9)


class MICClassifier(RelatedClassifier):
    """MIC by Shao et al. [1]_: factors that modalities share give clusters, and the seeds in them give labels.

    The features X_v of each modality v are written as products of non-negative factors V_v U_v', so that

        Σ_v ‖W_v (X_v - V_v U_v')‖² + α ‖W_v (V_v - V)‖² + β ‖V_v‖_{2,1}

    is small: a row has similar factors V in all modalities, and rows that do not fit have small ones. The weights W_v
    are 1 where a row has the modality. Else it is filled in with the mean, with the share of the rows that have the
    modality as its weight. k-means of V gives the clusters.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.
    n_components : int, optional
        Factors, and clusters, at least 1; fewer if there are fewer rows or columns. Default: three per class.
    consistency : float, default=0.1
        The α above, at least 0.
    sparsity : float, default=0.01
        The β above, at least 0.
    max_iter : int, default=50
        Updates of all factors, at least 1.
    random_state : int, RandomState or None, default=None
        Of the first factors and of k-means.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The same for each modality's classifier.
    factors_ : ndarray of shape (n, n_components), dtype float32
        The factors V, at least 0.
    clusters_ : ndarray of shape (n,), dtype int64
        Cluster of each row.
    n_iter_ : int
        Updates.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ clusters without labels, and features that are not negative. Here a feature with negative values is divided
    into its positive part and the size of its negative part, each modality is scaled to rows of length 1 on average,
    and the seeds label the clusters by majority; a cluster without a seed takes the label of the one with the nearest
    centre. The first factors come from one factorisation of all modalities side by side, so that they stand for the
    same in all of them, in [1]_ from one modality after the other. Updates are multiplicative, as in [1]_; those of
    U_v keep its columns at length 1 as in [2]_, so that no penalty is escaped by larger columns.

    References
    ----------
    .. [1] W. Shao, L. He and P. S. Yu, "Multiple incomplete views clustering via weighted nonnegative matrix
       factorization with L2,1 regularization", Machine Learning and Knowledge Discovery in Databases (ECML PKDD), 2015.
    .. [2] J. Eggert and E. Körner, "Sparse coding and NMF", IEEE International Joint Conference on Neural Networks,
       2004.

    Examples
    --------
    Row 2 lacks the text.

    >>> import numpy as np
    >>> X = np.array([[9., 0., 8.], [8., 1., 7.], [7., 0., np.nan], [0., 9., 1.], [1., 8., 0.], [0., 8., 1.]])
    >>> mic = MICClassifier(modalities={"visual": [0, 1], "text": [2]}, preprocessing="RAW", n_components=2)
    >>> mic.set_params(random_state=0).fit(X, [0, -1, -1, 1, -1, -1]).transduction_
    array([0, 0, 0, 1, 1, 1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        n_components: int | None = None,
        consistency: float = 0.1,
        sparsity: float = 0.01,
        max_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.n_components = n_components
        self.consistency = consistency
        self.sparsity = sparsity
        self.max_iter = max_iter
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_counts("max_iter", *(() if self.n_components is None else ("n_components",)))
        self._check_finite("consistency", least=0)
        self._check_finite("sparsity", least=0)

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        random = check_random_state(self.random_state)
        views, weights = zip(*(filled(X, len(codes)) for X in modalities.values()), strict=True)
        together = np.hstack(views)
        wanted = 3 * len(self.classes_) if self.n_components is None else self.n_components
        # Without a tolerance, it does not warn that a few steps are no convergence.
        first = NMF(min(wanted, *together.shape), init="nndsvda", max_iter=20, tol=0, random_state=random)
        V = first.fit_transform(together)
        stops = np.cumsum([view.shape[1] for view in views])[:-1]
        U = [np.ascontiguousarray(part.T) for part in np.split(first.components_, stops, axis=1)]
        self.factors_ = consensus(views, weights, V, U, self.consistency, self.sparsity, self.max_iter)
        self.n_iter_ = self.max_iter
        different = len(np.unique(self.factors_, axis=0))
        means = KMeans(min(V.shape[1], different), n_init=5, random_state=random).fit(self.factors_)
        self.clusters_ = means.labels_.astype(np.int64)
        votes = np.zeros((len(means.cluster_centers_), len(self.classes_)))
        np.add.at(votes, (self.clusters_[codes >= 0], codes[codes >= 0]), 1)
        # A centre is nearest to itself, if there is a seed.
        distances = np.where(votes.any(axis=1), means.transform(means.cluster_centers_), np.inf)
        elected = votes.argmax(axis=1)[distances.argmin(axis=1)]
        return dict.fromkeys(modalities, np.where(codes >= 0, codes, elected[self.clusters_]))


def filled(X: Modality, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative features of all rows, and their weights.

    Parameters
    ----------
    X : Modality
        Its m rows.
    n : int
        How many rows there are with and without it.

    Returns
    -------
    view : ndarray of shape (n, d), dtype float32
        Positive parts, and sizes of the negative ones where a column has any; the mean where the row lacks the
        modality. The mean squared length of the others is 1, if not all are 0.
    weights : ndarray of shape (n,), dtype float32
        1, and m / n where the row lacks the modality.
    """
    features = X[:].astype(np.float32)
    parts = np.hstack([np.maximum(features, 0), np.maximum(-features, 0)])
    parts = parts[:, parts.any(axis=0)] if parts.any() else parts[:, :1]
    parts /= np.sqrt((parts**2).sum() / len(parts)) or 1
    view, weights = np.tile(parts.mean(axis=0), (n, 1)), np.full(n, len(X) / n, dtype=np.float32)
    view[X.rows], weights[X.rows] = parts, 1
    return view, weights


def consensus(
    views: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    V: np.ndarray,
    U: Sequence[np.ndarray],
    consistency: float,
    sparsity: float,
    max_iter: int,
) -> np.ndarray:
    """Factors that several views of the same rows share.

    Parameters
    ----------
    views : sequence of ndarray of shape (n, d of the view), dtype float32
        At least 0.
    weights : sequence of ndarray of shape (n,), dtype float32
        Of each view's rows, above 0.
    V : ndarray of shape (n, c), dtype float32
        Factors to start from, at least 0.
    U : sequence of ndarray of shape (d of the view, c), dtype float32
        The features of these factors in each view, at least 0.
    consistency, sparsity : float
        As for `MICClassifier`.
    max_iter : int
        How often factors are updated.

    Returns
    -------
    ndarray of shape (n, c), dtype float32
        At least 0.
    """
    squares = [weight[:, None] ** 2 for weight in weights]
    lengths = [np.maximum(np.linalg.norm(basis, axis=0), SMALL) for basis in U]
    factors = [V * length for length in lengths]
    bases = [basis / length for basis, length in zip(U, lengths, strict=True)]
    for number in range(max_iter + 1):
        shared = sum(W * own for W, own in zip(squares, factors, strict=True)) / sum(squares)
        if number == max_iter:
            break
        for v, (X, W) in enumerate(zip(views, squares, strict=True)):
            factors[v] = _factors(X, W, factors[v], bases[v], shared, consistency, sparsity)
            bases[v] = _basis(X, W, factors[v], bases[v])
    return shared


def _factors(
    X: np.ndarray, W: np.ndarray, V: np.ndarray, U: np.ndarray, shared: np.ndarray, consistency: float, sparsity: float
) -> np.ndarray:
    """Factors after one update: none of them makes the sum larger."""
    lengths = np.maximum(np.linalg.norm(V, axis=1, keepdims=True), SMALL)
    # Products with Python's numbers stay in single precision.
    pull = W * (X @ U + float(consistency) * shared)
    push = W * (V @ (U.T @ U) + float(consistency) * V) + float(sparsity) / 2 * V / lengths
    return V * pull / np.maximum(push, SMALL)


def _basis(X: np.ndarray, W: np.ndarray, V: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Columns of length 1 after one update, that along the columns themselves left out on both sides."""
    pull, push = X.T @ (W * V), U @ (V.T @ (W * V))
    U = U * (pull + U * (U * push).sum(axis=0)) / np.maximum(push + U * (U * pull).sum(axis=0), SMALL)
    return U / np.maximum(np.linalg.norm(U, axis=0), SMALL)
