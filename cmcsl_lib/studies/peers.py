"""CMCSL beside other ways to learn from a few labels: on the same features, folds, seeds and naive Bayes.

A method that makes a classifier per modality is scored in each of them, and under the modality ``both`` by their fused
probabilities; one that takes a single matrix on each modality, and under ``both`` on their concatenation.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from ..corpora.features import MODALITIES, load_features
from ..estimators import CMCSLClassifier, CoTrainingClassifier, PrelabeledClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from ..estimators.propagation import opinion
from ..experiments.protocol import Protocol
from .base import Halves, ScoreRow, Study, accuracy, classifier_scores, pseudo_label_accuracy, score_row

#: In the order of tables; the page on peers says what each one is.
METHODS = (
    "PRE",
    "UNI",
    "CMCSL",
    "CMCSL, rank",
    "CMCSL, scale",
    "CMCSL, probability",
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
    "PRE, concatenated",
    "UNI, concatenated",
)


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


def multimodal(halves: Halves, known: np.ndarray) -> dict[str, ModalityClassifier]:
    """The methods that make a classifier per modality."""
    common = halves.parameters(known)
    methods = {
        "PRE": PrelabeledClassifier(**common),
        "UNI": UnimodalClassifier(**common),
        "CMCSL": CMCSLClassifier(**common),
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


def single(halves: Halves, known: np.ndarray, modality: str) -> dict[str, BaseEstimator]:
    """The methods that take a single matrix: that of a modality, or under ``both`` the concatenation."""
    methods = {name: estimator for name, estimator in propagators(known).items() if name != "k-NN"}
    if modality == "both":
        common = halves.parameters(known) | {"modalities": None}
        methods["PRE, concatenated"] = PrelabeledClassifier(**common)
        methods["UNI, concatenated"] = UnimodalClassifier(**common)
    return methods


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of all methods on one fold."""
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        for method, estimator in multimodal(halves, known).items():
            yield from classifier_scores(estimator.fit(halves.X, known), halves, method, budget, known)
        for modality, (X, X_test) in halves.matrices.items():
            for method, estimator in single(halves, known, modality).items():
                fitted = estimator.fit(X, known)
                labels = getattr(fitted, "transduction_", known)
                # LabelSpreading divides 0 by 0 where no label has come to a row's neighbours: it then takes class 0.
                with np.errstate(invalid="ignore"):
                    reached = accuracy(halves.y_test, fitted.predict(X_test))
                yield score_row(method, modality, budget, reached, pseudo_label_accuracy(halves.y, labels, known))


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


PEERS = Study(score, budgets=(1, 5, 20))
