"""AMMSS, which Section II-A names: labels spread along the graphs of all modalities, whose weights are learnt."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from ..inputs import Modalities
from ..modality import Modality
from .base import RelatedClassifier


class AMMSSClassifier(RelatedClassifier):
    """AMMSS by Cai et al. [1]_: label propagation on the graphs of all modalities, with a learnt weight of each.

    Rows are the nodes of one graph per modality. The labels F of all rows and the weights α of the modalities v
    together minimise Σ_v α_v^r tr(F' L_v F), where seeds keep their class, weights sum to 1, and L_v is the Laplacian
    of a graph. Given the weights, the labels are the harmonic function of the weighted graph, a linear system; given
    the labels, α_v is proportional to tr(F' L_v F)^(1 / (1 - r)). Both take turns.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.
    n_neighbors : int, default=7
        Neighbours of each row in each graph, at least 1; fewer if a modality has fewer rows.
    exponent : float, default=2.0
        The exponent r of the weights, above 1: the larger, the more alike they are.
    max_iter : int, default=20
        Turns, at least 1.
    tol : float, default=1e-4
        The turns end when no weight changes more than this; above 0.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row; -1 (None if classes are no signed numbers) where no path in any graph leads to a
        seed.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The same for each modality's classifier.
    label_distributions_ : ndarray of shape (n, k), dtype float64
        How much each row belongs to each class, 0 for all where it has no label.
    graph_weights_ : dict of str to float
        Weight of each modality's graph; they sum to 1.
    n_iter_ : int
        Turns that were taken.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ labels the unlabelled rows themselves; here a classifier of each modality is trained on their labels, as by
    CMCSL, so that other rows can be predicted, by one modality too. Graphs join each row and its nearest neighbours, by
    1 where both are neighbours of each other and 1/2 where one is, and are scaled to the same total weight, so that a
    modality that rows lack is not taken for a smooth one. A row that lacks a modality has no neighbours in its graph.
    With one modality this is label propagation by harmonic functions. These are nearly constant away from the seeds, so
    that with one seed per class, one of the classes may take nearly all rows.

    References
    ----------
    .. [1] X. Cai, F. Nie, W. Cai and H. Huang, "Heterogeneous image features integration via multi-modal
       semi-supervised learning model", Proceedings of the IEEE International Conference on Computer Vision, 2013.

    Examples
    --------
    Text tells the classes apart, and its graph gets the larger weight.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [4., 1.], [1., 2.], [5., 7.], [2., 8.], [3., 9.]])
    >>> ammss = AMMSSClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW", n_neighbors=1)
    >>> ammss.fit(X, [0, -1, -1, -1, -1, 1]).transduction_
    array([0, 0, 0, 1, 1, 1])
    >>> ammss.graph_weights_["text"] > ammss.graph_weights_["visual"]
    True
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        n_neighbors: int = 7,
        exponent: float = 2.0,
        max_iter: int = 20,
        tol: float = 1e-4,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.n_neighbors = n_neighbors
        self.exponent = exponent
        self.max_iter = max_iter
        self.tol = tol

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_counts("n_neighbors", "max_iter")
        self._check_finite("exponent", above=1)
        self._check_finite("tol", above=0)

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        graphs = [neighbor_graph(X, len(codes), self.n_neighbors) for X in modalities.values()]
        _, component = connected_components(csr_array(sum(graphs)), directed=False)
        reached = np.isin(component, component[codes >= 0])
        F = np.zeros((len(codes), len(self.classes_)))
        F[codes >= 0, codes[codes >= 0]] = 1
        weights = np.full(len(graphs), 1 / len(graphs))
        for turn in range(self.max_iter):
            self.n_iter_ = turn + 1
            affinity = csr_array(sum(w**self.exponent * graph for w, graph in zip(weights, graphs, strict=True)))
            F = harmonic(affinity, F, np.flatnonzero(reached & (codes < 0)), codes >= 0)
            before, weights = weights, self._weights(graphs, F)
            if np.abs(weights - before).max() <= self.tol:
                break
        self.label_distributions_ = F
        self.graph_weights_ = dict(zip(modalities, weights.tolist(), strict=True))
        labels = np.where(codes >= 0, codes, np.where(reached, F.argmax(axis=1), -1))
        return dict.fromkeys(modalities, labels)

    def _weights(self, graphs: list[csr_array], F: np.ndarray) -> np.ndarray:
        """Weight of each graph given the labels: the smoother they are on it, the larger."""
        roughness = np.array([(F * (laplacian(graph) @ F)).sum() for graph in graphs])
        # One on which labels do not change at all would take the whole weight, or the two of them divide by 0.
        roughness = np.maximum(roughness, np.finfo(float).eps * max(roughness.max(), 1))
        # The smallest counts as 1, so that a power does not leave the range of numbers.
        weights = (roughness / roughness.min()) ** (1 / (1 - self.exponent))
        return weights / weights.sum()


def neighbor_graph(X: Modality, n: int, n_neighbors: int) -> csr_array:
    """Graph of the nearest neighbours in one modality.

    Parameters
    ----------
    X : Modality
        Its m rows.
    n : int
        How many rows there are with and without it.
    n_neighbors : int
        Neighbours of each row.

    Returns
    -------
    csr_array of shape (n, n)
        Symmetric; the sum is n, or 0 if there are no two rows.
    """
    neighbors = min(n_neighbors, len(X) - 1)
    if not neighbors:
        return csr_array((n, n))
    graph = coo_array(NearestNeighbors(n_neighbors=neighbors).fit(X[:]).kneighbors_graph())
    whole = csr_array((graph.data, tuple(X.rows[place] for place in graph.coords)), shape=(n, n))
    return (whole + whole.T) * (n / (2 * whole.sum()))


def laplacian(graph: csr_array) -> csr_array:
    """Degrees minus weights.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        Symmetric weights.

    Returns
    -------
    csr_array of shape (n, n)
        Its Laplacian.
    """
    return csr_array(diags_array(graph.sum(axis=1)) - graph)


def harmonic(graph: csr_array, F: np.ndarray, free: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Labels that are the weighted mean of the neighbours' at each free row.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        Symmetric weights; a path leads from each free row to a fixed one.
    F : ndarray of shape (n, k), dtype float64
        Labels of the fixed rows, and for the free ones those to start from.
    free : ndarray of int64
        Rows that get labels.
    fixed : ndarray of shape (n,), dtype bool
        Rows that keep theirs.

    Returns
    -------
    ndarray of shape (n, k), dtype float64
        All labels.
    """
    F = F.copy()
    if len(free):
        L = laplacian(graph)[free]
        A, B = csr_array(L[:, free]), -(L[:, np.flatnonzero(fixed)] @ F[fixed])
        preconditioner = diags_array(1 / A.diagonal())
        for label in range(F.shape[1]):
            F[free, label], _ = cg(A, B[:, label], x0=F[free, label], rtol=1e-8, M=preconditioner)
    return F
