"""CMCSL beside other ways to learn from a few labels: on the same features, folds and seeds.

All of them train naive Bayes, but for graphs and what is named after its classifier. A method that makes a classifier
per modality is scored in each of them, and under the modality ``both`` by their fused probabilities; one that takes a
single matrix on each modality, and under ``both`` on their concatenation or the graph of both.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from ..corpora.features import MODALITIES, load_features
from ..estimators import CMCSLClassifier, CoTrainingClassifier, PrelabeledClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from ..estimators.propagation import opinion
from ..experiments.protocol import Protocol
from .base import Halves, ScoreRow, Study, classifier_scores, single_score

#: In the order of tables; the page on peers says what each one is.
METHODS = (
    "PRE",
    "logistic regression",
    "UNI",
    "CMCSL",
    "CMCSL, rank",
    "CMCSL, scale",
    "CMCSL, probability",
    "CMCSL, calibrated",
    "CMCSL, abstaining",
    "one-way transfer",
    "UNI on k-NN",
    "CMCSL on k-NN",
    "UNI on label spreading",
    "CMCSL on label spreading",
    "UNI on self-training",
    "CMCSL on self-training",
    "co-training",
    "self-training",
    "label spreading",
    "label spreading, fused graph",
    "PRE, concatenated",
    "logistic regression, concatenated",
    "UNI, concatenated",
)
#: Those that take both modalities at once, and are scored under ``both`` alone.
JOINT = tuple(method for method in METHODS if method.endswith((", concatenated", ", fused graph")))
#: Neighbours in a graph, as LabelSpreading has them by default.
NEIGHBORS = 7


def propagators(known: np.ndarray) -> dict[str, BaseEstimator]:
    """Ways to label from the known classes, that give confidences.

    LabelSpreading's default kernel underflows between standardised rows of hundreds of features; its graph of
    neighbours does not.
    """
    seeds = int(np.count_nonzero(known >= 0))
    return {
        "k-NN": KNeighborsClassifier(min(5, seeds), weights="distance"),
        "label spreading": LabelSpreading(kernel="knn", max_iter=1000),
        "self-training": SelfTrainingClassifier(GaussianNB()),
    }


def logistic_regression() -> LogisticRegression:
    """The classifier of the methods named after it, with scikit-learn's penalty."""
    return LogisticRegression(max_iter=5000)


def fused_graph(columns: Sequence[slice]) -> Callable[[np.ndarray, np.ndarray], csr_array]:
    """Kernel for LabelSpreading: the mean of the modalities' graphs of nearest neighbours.

    Each row has as many neighbours in every modality, and only the order of distances decides which, so that modalities
    need no common scale. For graphs without directions and of the same total weight, as these are, the walk on the mean
    is the mixture of random walks of Zhou and Burges [1]_ in which modalities count alike.

    Parameters
    ----------
    columns : sequence of slice
        Those of each modality.

    Returns
    -------
    callable
        Takes two arrays of shape (n, d) and (m, d); returns a sparse array of shape (n, m) with the share of modalities
        in which a row of the first is among the `NEIGHBORS` nearest of a row of the second. For an array with itself it
        is made symmetric, by the mean of both directions, as the spreading of labels needs it.

    References
    ----------
    .. [1] D. Zhou and C. J. C. Burges, "Spectral clustering and transductive learning with multiple views", Proceedings
       of the 24th International Conference on Machine Learning, 2007.
    """

    def kernel(X: np.ndarray, Y: np.ndarray) -> csr_array:
        graphs = [
            NearestNeighbors(n_neighbors=min(NEIGHBORS, len(X))).fit(X[:, own]).kneighbors_graph(Y[:, own])
            for own in columns
        ]
        affinity = csr_array(sum(graphs).T / len(graphs))
        return (affinity + affinity.T) / 2 if X is Y else affinity

    return kernel


def multimodal(halves: Halves, known: np.ndarray) -> dict[str, ModalityClassifier]:
    """The methods that make a classifier per modality."""
    common = halves.parameters(known)
    methods = {
        "PRE": PrelabeledClassifier(**common),
        "logistic regression": PrelabeledClassifier(logistic_regression(), **common),
        "UNI": UnimodalClassifier(**common),
        "CMCSL": CMCSLClassifier(**common),
        "CMCSL, calibrated": CMCSLClassifier(**common | {"fusion": "calibrated"}, exchange="calibrated"),
        "CMCSL, abstaining": CMCSLClassifier(**common, min_margin=0.05),
        "one-way transfer": CMCSLClassifier(**common, transfer="crosswise"),
        "co-training": CoTrainingClassifier(**common, random_state=halves.repetition),
    }
    for exchange in ("rank", "scale", "probability"):
        methods[f"CMCSL, {exchange}"] = CMCSLClassifier(**common, exchange=exchange)
    for name, propagator in propagators(known).items():
        methods[f"UNI on {name}"] = UnimodalClassifier(**common, propagator=propagator)
        methods[f"CMCSL on {name}"] = CMCSLClassifier(**common, propagator=propagator)
    return methods


def single(
    halves: Halves, known: np.ndarray
) -> Iterator[tuple[str, str, BaseEstimator, tuple[np.ndarray, np.ndarray]]]:
    """The methods that take a single matrix, each with its modality, estimator, and rows for training and test."""
    for modality, matrices in halves.matrices.items():
        for name, estimator in propagators(known).items():
            if name != "k-NN":
                yield name, modality, estimator, matrices
    graph = LabelSpreading(kernel=fused_graph(list(halves.columns.values())), max_iter=1000)
    yield "label spreading, fused graph", "both", graph, (halves.X, halves.X_test)
    common = halves.parameters(known) | {"modalities": None}
    for name, estimator in {
        "PRE": PrelabeledClassifier(**common),
        "logistic regression": PrelabeledClassifier(logistic_regression(), **common),
        "UNI": UnimodalClassifier(**common),
    }.items():
        yield f"{name}, concatenated", "both", estimator, halves.matrices["both"]


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of all methods on one fold."""
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        for method, estimator in multimodal(halves, known).items():
            yield from classifier_scores(estimator.fit(halves.X, known), halves, method, budget, known)
        for method, modality, estimator, (X, X_test) in single(halves, known):
            yield single_score(estimator.fit(X, known), X_test, halves, method, modality, budget, known)


def ties(corpus: str, dataset: str, protocol: Protocol, budgets: tuple[int, ...]) -> dict[int, float]:
    """How often the modalities are equally confident where the exchange on self-training has to decide.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    dataset : str
        One of its datasets.
    protocol : Protocol
        Decides folds, seeds and preprocessing.
    budgets : tuple of int
        Seeds per class.

    Returns
    -------
    dict of int to float
        By budget, for the first fold: of the rows that self-training labels differently in both modalities, the share
        for which it is equally confident in both; NaN if there is no such row.
    """
    features = load_features(corpus, dataset, protocol.features)
    halves, shares = Halves(features, protocol, *protocol.divide(features)[0]), {}
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        propagator = propagators(known)["self-training"]
        visual, text = (
            opinion(propagator, halves.matrices[name][0], known, len(features.classes)) for name in MODALITIES
        )
        differ = (visual.label != text.label) & (known < 0)
        equal = visual.distance.min(axis=1) == text.distance.min(axis=1)
        shares[budget] = float(equal[differ].mean()) if differ.any() else np.nan
    return shares


PEERS = Study(score, budgets=(1, 2, 5, 10, 20), version=2)
