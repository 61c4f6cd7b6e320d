"""What the studies share: a fold of Experiment 3 prepared once for all methods, and rows of scores.

A study is a function that scores methods on one fold, a simulation one that simulates one setting. `results` computes,
keeps and loads what they give.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..corpora.features import MODALITIES, Features
from ..estimators.base import ModalityClassifier
from ..experiments.protocol import RANDOM_STATE, Protocol
from ..method.naive_bayes import balanced_accuracies

PREPROCESSING = "L2STD"

ScoreRow = dict[str, Any]


@dataclass(frozen=True)
class Halves:
    """One fold of a dataset, preprocessed once for all methods; `repetition` to `test` are those of a `Fold`."""

    features: Features
    protocol: Protocol
    repetition: int
    fold: int
    training: np.ndarray
    test: np.ndarray
    preprocessing: str = PREPROCESSING

    @property
    def y(self) -> np.ndarray:
        """True classes of the training rows."""
        return self.features.y[self.training]

    @property
    def y_test(self) -> np.ndarray:
        """True classes of the test rows."""
        return self.features.y[self.test]

    @property
    def columns(self) -> dict[str, slice]:
        """Columns of each modality in `X`, where both stand side by side."""
        visual, text = (self.matrices[name][0].shape[1] for name in MODALITIES)
        return dict(zip(MODALITIES, (slice(0, visual), slice(visual, visual + text)), strict=True))

    @cached_property
    def matrices(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Training and test rows of each modality, and of their concatenation under ``both``, as EF sees it.

        Modalities are divided by what the protocol scales distances with, which nothing else depends on.
        """
        whole = (*self.features.modalities, np.hstack(self.features.modalities))
        pairs = {}
        for name, matrix in zip((*MODALITIES, "both"), whole, strict=True):
            X, X_test = self.protocol.preprocess(matrix[self.training], matrix[self.test], self.preprocessing)
            scale = self.protocol.distance_scale(X)
            pairs[name] = X / scale, X_test / scale
        return pairs

    @cached_property
    def X(self) -> np.ndarray:
        """Training rows of both modalities side by side, each preprocessed by itself."""
        return np.hstack([self.matrices[name][0] for name in MODALITIES])

    @cached_property
    def X_test(self) -> np.ndarray:
        """Test rows of both modalities side by side."""
        return np.hstack([self.matrices[name][1] for name in MODALITIES])

    def seeds(self, budget: int) -> np.ndarray:
        """Training rows that Experiment 3 draws, each once."""
        drawn = self.protocol.draw_seeds(self.y, budget, self.repetition, self.fold)
        return drawn[np.sort(np.unique(drawn, return_index=True)[1])]

    def known(self, seeds: np.ndarray) -> np.ndarray:
        """Class of each training row that is a seed, -1 in all others."""
        labels = np.full(len(self.y), -1)
        labels[seeds] = self.y[seeds]
        return labels

    def parameters(self, labels: np.ndarray) -> dict[str, Any]:
        """Parameters of an estimator for `X`, with the protocol's class weights; `labels` as from `known`.

        Modalities are fused as the paper's LF does it.
        """
        weight: str | dict[int, float] = "share"
        if self.protocol.class_weights == "hidden":
            shares = self.protocol.weights(self.y, self.y)
            weight = {label: shares[label] for label in np.unique(labels[labels >= 0])}
        return {"modalities": self.columns, "preprocessing": "RAW", "class_weight": weight, "fusion": "mean"}

    def random(self, *purpose: int) -> np.random.Generator:
        """Source of randomness of this fold, another one for each purpose."""
        return np.random.default_rng([RANDOM_STATE, self.repetition, self.fold, *purpose])


class Study(NamedTuple):
    """A study of datasets.

    Attributes
    ----------
    score : callable
        Takes `Halves` and a tuple of budgets; yields rows as `score_row` makes them.
    budgets : tuple of int
        Seeds per class of the shipped scores.
    version : int
        Raised when the same features and protocol would give other scores than before.
    check : callable, optional
        Takes `Features`; raises `CmcslError` if they lack what the study needs.
    """

    score: Callable[[Halves, tuple[int, ...]], Iterable[ScoreRow]]
    budgets: tuple[int, ...]
    version: int = 1
    check: Callable[[Features], object] | None = None


class Simulation(NamedTuple):
    """A simulation, which needs no dataset.

    Attributes
    ----------
    name : str
        Name of its file without suffix, such as ``simulation/map``.
    simulate : callable
        Takes one of the settings; returns a DataFrame.
    settings : tuple
        The costlier stand later.
    key : mapping of str to JSON values
        All that its numbers depend on, with a version that is raised when the same settings would give other numbers.
    """

    name: str
    simulate: Callable[[Any], pd.DataFrame]
    settings: tuple[Any, ...]
    key: Mapping[str, object]


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Balanced accuracy."""
    return float(balanced_accuracies(true, predicted[None])[0])


def pseudo_label_accuracy(true: np.ndarray, labels: np.ndarray, known: np.ndarray) -> float:
    """Share of right labels among those that a method gave to rows without one; NaN if it gave none."""
    pseudo = (labels >= 0) & (known < 0)
    return float((labels == true)[pseudo].mean()) if pseudo.any() else np.nan


def score_row(
    method: str, modality: str, budget: int, balanced_accuracy: float, pseudo_labels: float = np.nan, **columns: Any
) -> ScoreRow:
    """One row of the scores, but for what is the same in all rows of a fold; `columns` are those of one study."""
    return {
        "method": method,
        "modality": modality,
        "budget": budget,
        "balanced_accuracy": balanced_accuracy,
        "pseudo_label_accuracy": pseudo_labels,
        **columns,
    }


def classifier_scores(
    classifier: ModalityClassifier, halves: Halves, method: str, budget: int, known: np.ndarray, **columns: Any
) -> Iterator[ScoreRow]:
    """Scores of a fitted classifier in each modality, and of the fusion under ``both``."""
    labels = getattr(classifier, "transduction_by_modality_", {})
    predictions = classifier.predict_by_modality(halves.X_test) | {"both": classifier.predict(halves.X_test)}
    for modality, predicted in predictions.items():
        right = pseudo_label_accuracy(halves.y, labels[modality], known) if modality in labels else np.nan
        yield score_row(method, modality, budget, accuracy(halves.y_test, predicted), right, **columns)


def single_score(
    classifier: BaseEstimator,
    X_test: np.ndarray,
    halves: Halves,
    method: str,
    modality: str,
    budget: int,
    known: np.ndarray,
) -> ScoreRow:
    """Score of a fitted classifier of one matrix, and of the labels that it gave, if it gave any."""
    # LabelSpreading divides 0 by 0 where no label has come to a row's neighbours: it then takes class 0.
    with np.errstate(invalid="ignore"):
        reached = accuracy(halves.y_test, classifier.predict(X_test))
    right = pseudo_label_accuracy(halves.y, getattr(classifier, "transduction_", known), known)
    return score_row(method, modality, budget, reached, right)


def constant_scores(halves: Halves, method: str, budget: int, label: int, **columns: Any) -> Iterator[ScoreRow]:
    """Scores where all that is known is of one class: there is nothing to learn, and it is predicted for all rows."""
    reached = accuracy(halves.y_test, np.full(len(halves.test), label))
    for modality in (*MODALITIES, "both"):
        yield score_row(method, modality, budget, reached, **columns)
