"""CMCSL beside other ways to learn from a few labels: on the same features, folds, seeds and naive Bayes.

A method that makes a classifier per modality is scored in each of them, and under the modality ``both`` by their fused
probabilities; one that takes a single matrix on each modality, and under ``both`` on their concatenation.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from ..corpora.features import MODALITIES, load_features
from ..estimators import CMCSLClassifier, CoTrainingClassifier, PrelabeledClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from ..estimators.propagation import opinion
from ..experiments.protocol import Protocol
from .grid import Halves, Scored, Study, accuracy, pseudo_label_accuracy, scored

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


def propagators(seeds: int) -> dict[str, BaseEstimator]:
    """Ways to label from so many seeds, that give confidences.

    LabelSpreading's default kernel underflows between standardised rows of hundreds of features; its graph of
    neighbours does not.
    """
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
        **{
            f"CMCSL, {exchange}": CMCSLClassifier(**common, exchange=exchange)
            for exchange in ("rank", "scale", "probability")
        },
        "CMCSL, abstaining": CMCSLClassifier(**common, min_margin=0.05),
        "one-way transfer": CMCSLClassifier(**common, transfer="crosswise"),
        "co-training": CoTrainingClassifier(**common, random_state=halves.repetition),
    }
    for name, propagator in propagators(np.count_nonzero(known >= 0)).items():
        methods[f"UNI on {name}"] = UnimodalClassifier(**common, propagator=propagator)
        methods[f"CMCSL on {name}"] = CMCSLClassifier(**common, propagator=propagator)
    return methods


def single(halves: Halves, known: np.ndarray, modality: str) -> dict[str, BaseEstimator]:
    """The methods that take a single matrix."""
    methods = {name: each for name, each in propagators(np.count_nonzero(known >= 0)).items() if name != "k-NN"}
    if modality == "both":
        common = halves.parameters(known) | {"modalities": None}
        methods["PRE, concatenated"] = PrelabeledClassifier(**common)
        methods["UNI, concatenated"] = UnimodalClassifier(**common)
    return methods


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[Scored]:
    """Scores of all methods on one fold."""
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        for method, estimator in multimodal(halves, known).items():
            yield from scored(estimator.fit(halves.X, known), halves, method, budget, known)
        for modality, (X, X_test) in halves.alone.items():
            for method, estimator in single(halves, known, modality).items():
                fitted = clone(estimator).fit(X, known)
                labels = getattr(fitted, "transduction_", known)
                # LabelSpreading divides 0 by 0 where no label has come to a row's neighbours: it then takes class 0.
                with np.errstate(invalid="ignore"):
                    predicted = fitted.predict(X_test)
                yield {
                    "method": method,
                    "modality": modality,
                    "budget": budget,
                    "balanced_accuracy": accuracy(halves.y_test, predicted),
                    "pseudo_label_accuracy": pseudo_label_accuracy(halves.y, labels, known),
                }


def ties(corpus: str, dataset: str, protocol: Protocol, budgets: tuple[int, ...]) -> dict[int, float]:
    """How often the exchange on self-training has nothing to go by.

    Returns
    -------
    dict of int to float
        By budget, for the first fold: of the rows that self-training labels differently in both modalities, the share
        for which it is equally confident in both.
    """
    features = load_features(corpus, dataset, protocol.features)
    halves, shares = Halves(features, protocol, *protocol.divide(features)[0]), {}
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        visual, text = (
            opinion(SelfTrainingClassifier(GaussianNB()), halves.alone[name][0], known, len(features.classes))
            for name in MODALITIES
        )
        differ = (visual.label != text.label) & (known < 0)
        equal = visual.distance.min(axis=1) == text.distance.min(axis=1)
        shares[budget] = float(equal[differ].mean()) if differ.any() else np.nan
    return shares


PEERS = Study(score, budgets=(1, 5, 20))
