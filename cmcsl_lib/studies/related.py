"""What Section II of the paper names, beside CMCSL: on the same features and folds, with as many labels, and its time.

A method that trains a classifier per modality is scored in each, and under ``both`` by their fused probabilities; one
that has a single classifier for all modalities under ``both`` alone. Classifiers are naive Bayes where a method leaves
the choice.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.semi_supervised import LabelSpreading

from ..corpora.features import Features
from ..estimators import (
    AbstainingSelfTrainingClassifier,
    ActiveSelfTrainingClassifier,
    AMMSSClassifier,
    APMAClassifier,
    AutoencoderClassifier,
    GatedMultimodalClassifier,
    MICClassifier,
    MultipleKernelClassifier,
    PrototypeClassifier,
)
from ..files.extras import require
from .base import Halves, ScoreRow, Study, classifier_scores, constant_scores, single_score
from .peers import fused_graph, multimodal

#: Takes a fold and a budget; returns a fitted classifier, and the class of each training row that it knew, else -1.
#: There is no classifier where all that it knew is of one class.
Method = Callable[[Halves, int], tuple[BaseEstimator | None, np.ndarray]]


def _on_seeds(make: Callable[..., BaseEstimator], **settings: Any) -> Method:
    """A method that learns from the seeds of Experiment 3, and takes what `Halves.parameters` gives."""

    def fit(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
        known = halves.known(halves.seeds(budget))
        return make(**halves.parameters(known) | settings).fit(halves.X, known), known

    return fit


def _network(make: Callable[..., BaseEstimator], all_labels: bool = False, **settings: Any) -> Method:
    """A method whose network starts from random weights, and learns from the seeds or from all labels."""

    def fit(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
        known = halves.y if all_labels else halves.known(halves.seeds(budget))
        parameters = {name: value for name, value in halves.parameters(known).items() if name != "fusion"}
        random = int(halves.random().integers(2**31))
        return make(**parameters, random_state=random, **settings).fit(halves.X, known), known

    return fit


def _peer(name: str) -> Method:
    """One of the methods of the study of peers that train a classifier per modality."""

    def fit(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
        known = halves.known(halves.seeds(budget))
        return multimodal(halves, known)[name].fit(halves.X, known), known

    return fit


def _mic(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
    return _on_seeds(MICClassifier, random_state=halves.repetition)(halves, budget)


def _label_spreading(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
    known = halves.known(halves.seeds(budget))
    return LabelSpreading(kernel=fused_graph(list(halves.columns.values())), max_iter=1000).fit(halves.X, known), known


def _asking_apma(halves: Halves, budget: int) -> tuple[BaseEstimator | None, np.ndarray]:
    """APMA that chooses its seeds: as many in all as the others get, whatever their classes."""
    count = len(halves.seeds(budget))
    rows = APMAClassifier(**halves.parameters(halves.known(halves.seeds(budget)))).queries(halves.X, count)
    known = halves.known(rows)
    if len(np.unique(halves.y[rows])) < 2:
        return None, known
    return APMAClassifier(**halves.parameters(known)).fit(halves.X, known), known


def _asking_selftraining(halves: Halves, budget: int) -> tuple[BaseEstimator, np.ndarray]:
    """Active self-training with half of the seeds, at least one per class, that asks for as many as are left."""
    seeds = halves.seeds(max(1, budget // 2))
    known = halves.known(seeds)
    active = ActiveSelfTrainingClassifier(
        **halves.parameters(known),
        oracle=lambda rows: halves.y[rows],
        budget=len(halves.seeds(budget)) - len(seeds),
    ).fit(halves.X, known)
    return active, halves.known(np.concatenate([seeds, active.queried_]))


#: By name, in the order of tables: references, then Section II by number in the paper's bibliography.
METHODS: dict[str, Method] = {
    "PRE": _peer("PRE"),
    "logistic regression": _peer("logistic regression"),
    "UNI": _peer("UNI"),
    "CMCSL": _peer("CMCSL"),
    "CMCSL calibrated": _peer("CMCSL, calibrated"),
    "label spreading": _label_spreading,
    "co-training": _peer("co-training"),
    "APMA": _on_seeds(APMAClassifier),
    "APMA asking": _asking_apma,
    "multiple kernels": _on_seeds(MultipleKernelClassifier),
    "AMMSS": _on_seeds(AMMSSClassifier),
    "abstaining self-training": _on_seeds(AbstainingSelfTrainingClassifier),
    "autoencoder": _network(AutoencoderClassifier),
    "autoencoder and nearest seeds": _network(AutoencoderClassifier, propagate=True),
    "prototypes": _network(PrototypeClassifier),
    "active self-training": _asking_selftraining,
    "MIC": _mic,
    "gated units": _network(GatedMultimodalClassifier),
    "gated units with all labels": _network(GatedMultimodalClassifier, all_labels=True),
    "CMCSL on decimal scaling": _peer("CMCSL"),
    "CMCSL on whitened components": _peer("CMCSL"),
}
#: Preprocessing of the features for those that do not take L2STD.
PREPROCESSED = {"CMCSL on decimal scaling": "DECIMAL", "CMCSL on whitened components": "PCAL2"}
#: Those that have a single classifier for all modalities.
JOINT = ("label spreading", "autoencoder", "autoencoder and nearest seeds")
#: Those that ask an oracle for labels, instead of taking the seeds.
ASKING = ("APMA asking", "active self-training")
#: Those that know the classes of all training rows, at every budget.
SUPERVISED = ("gated units with all labels",)


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of all methods on one fold, and the CPU seconds that fit and predictions took in a column of that name."""
    for method, fit in METHODS.items():
        own = replace(halves, preprocessing=PREPROCESSED[method]) if method in PREPROCESSED else halves
        # What takes no seeds is fitted once for all budgets.
        rows: list[ScoreRow] = []
        for budget in budgets:
            if method not in SUPERVISED or not rows:
                begin = time.process_time()
                classifier, known = fit(own, budget)
                if classifier is None:
                    rows = list(constant_scores(own, method, budget, known.max()))
                elif method in JOINT:
                    rows = [single_score(classifier, own.X_test, own, method, "both", budget, known)]
                else:
                    rows = list(classifier_scores(classifier, own, method, budget, known))
                seconds = time.process_time() - begin
            yield from (row | {"budget": budget, "seconds": seconds} for row in rows)


def check(features: Features) -> None:
    """Raise `CmcslError` unless PyTorch is installed, which trains the networks."""
    require("extract", f"The study of related methods on {features.corpus}/{features.dataset}", "torch")


RELATED = Study(score, budgets=(1, 5, 20), check=check)
