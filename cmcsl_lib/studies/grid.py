"""What the studies on datasets have in common: the folds and seeds of Experiment 3, and scores that are kept.

A study is a function that scores methods on one fold. Its scores are kept, found again and computed in parallel as
those of the experiments are, by `runs`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES, Features
from ..estimators.base import ModalityClassifier
from ..experiments.protocol import RANDOM_STATE, Fold, Protocol, check_budgets
from ..experiments.runs import Job
from ..method.naive_bayes import balanced_accuracies

PREPROCESSING = "L2STD"
CLASSIFIER = "GNB"

Scored = dict[str, Any]


@dataclass(frozen=True)
class Halves:
    """One fold of a dataset, preprocessed once for all methods.

    Parameters
    ----------
    features : Features
    protocol : Protocol
    repetition, fold : int
    training, test : ndarray of int64
        Row numbers, as `protocol.splits` gives them.
    """

    features: Features
    protocol: Protocol
    repetition: int
    fold: int
    training: np.ndarray
    test: np.ndarray

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
        visual, text = (matrix.shape[1] for matrix in self.features.modalities)
        return dict(zip(MODALITIES, (slice(0, visual), slice(visual, visual + text)), strict=True))

    @cached_property
    def alone(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Training and test rows of each modality, and of their concatenation under ``both``, as EF sees it.

        Modalities are divided by what the protocol scales distances with, which nothing else depends on.
        """
        found = {}
        for name, matrix in {
            **dict(zip(MODALITIES, self.features.modalities, strict=True)),
            "both": np.hstack(self.features.modalities),
        }.items():
            pair = self.protocol.preprocess(matrix[self.training], matrix[self.test], PREPROCESSING)
            found[name] = tuple(X / self.protocol.distance_scale(X) for X in pair)
        return found

    @cached_property
    def X(self) -> np.ndarray:
        """Training rows of both modalities side by side, each preprocessed by itself."""
        return np.hstack([self.alone[name][0] for name in MODALITIES])

    @cached_property
    def X_test(self) -> np.ndarray:
        """The same of the test rows."""
        return np.hstack([self.alone[name][1] for name in MODALITIES])

    def seeds(self, budget: int) -> np.ndarray:
        """Training rows that Experiment 3 draws, each once."""
        drawn = self.protocol.draw_seeds(self.y, budget, self.repetition, self.fold)
        return drawn[np.sort(np.unique(drawn, return_index=True)[1])]

    def known(self, seeds: np.ndarray) -> np.ndarray:
        """Classes of the seeds in their rows, -1 in all others."""
        labels = np.full(len(self.y), -1)
        labels[seeds] = self.y[seeds]
        return labels

    def parameters(self, labels: np.ndarray) -> dict[str, Any]:
        """Parameters of an estimator for `X`, with the protocol's class weights.

        Parameters
        ----------
        labels : ndarray of int64
            Class of each row that has a label, -1 in the others.
        """
        weight = "share"
        if self.protocol.class_weights == "hidden":
            shares = self.protocol.weights(self.y, self.y)
            weight = {label: shares[label] for label in np.unique(labels[labels >= 0])}
        return {"modalities": self.columns, "preprocessing": "RAW", "class_weight": weight}

    def random(self, *purpose: int) -> np.random.Generator:
        """Source of randomness of this fold, another one for each purpose."""
        return np.random.default_rng([RANDOM_STATE, self.repetition, self.fold, *purpose])


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Balanced accuracy."""
    return float(balanced_accuracies(true, predicted[None])[0])


def pseudo_label_accuracy(true: np.ndarray, labels: np.ndarray, known: np.ndarray) -> float:
    """Share of right labels among those that a method gave to rows without one; NaN if it gave none."""
    given = (labels >= 0) & (known < 0)
    return float((labels == true)[given].mean()) if given.any() else np.nan


def by_modality(fitted: ModalityClassifier, X: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Balanced accuracy of each modality's classifier, and under ``both`` that of their fusion."""
    found = {name: accuracy(true, predicted) for name, predicted in fitted.predict_by_modality(X).items()}
    return found | {"both": accuracy(true, fitted.predict(X))}


class Study(NamedTuple):
    """A study of datasets.

    Attributes
    ----------
    score : callable
        Takes `Halves` and a tuple of budgets; yields dicts with modality, method, budget, balanced_accuracy,
        pseudo_label_accuracy and the study's further columns.
    budgets : tuple of int
        Seeds per class of the shipped scores.
    version : int
        Raised when the same features and protocol would give other scores than before.
    """

    score: Callable[[Halves, tuple[int, ...]], Iterable[Scored]]
    budgets: tuple[int, ...]
    version: int = 1


@dataclass(frozen=True)
class StudyJob(Job):
    """What one dataset's scores of a study are computed from; `number` is the study's name.

    Parameters
    ----------
    study : Study
    """

    study: Study = None

    @property
    def grid(self) -> dict:
        """What tells the study from others on the same features and protocol."""
        return {"study": self.number, "version": self.study.version}

    @property
    def command(self) -> str:
        """The command that computes the scores."""
        name, *changes = self.protocol.name.split(", ")
        words = ["cmcsl study", self.number, "--corpus", self.corpus, "--datasets", self.dataset, "--protocol", name]
        words += ["--change", *(f'"{change}"' for change in changes)] if changes else []
        return " ".join([*words, "--budgets", *map(str, self.budgets)])

    @property
    def title(self) -> str:
        """Name of the study and its protocol, for the report on its progress."""
        return f"Study {self.number}, {self.protocol.name}"

    @property
    def budgets_scored(self) -> set[int]:
        """Budgets in its scores."""
        return set(self.budgets)

    def check(self, features: Features) -> list[Fold]:
        """The folds, once it is clear that every budget can be drawn."""
        folds = self.protocol.divide(features)
        check_budgets(features, self.budgets, folds)
        return folds

    def run(self, features: Features, fold: Fold) -> pd.DataFrame:
        """Scores of one fold."""
        halves = Halves(features, self.protocol, *fold)
        named = {
            "corpus": self.corpus,
            "protocol": self.protocol.name,
            "dataset": self.dataset,
            "preprocessing": PREPROCESSING,
            "classifier": CLASSIFIER,
            "repetition": halves.repetition,
            "fold": halves.fold,
        }
        return pd.DataFrame([named | scored for scored in self.study.score(halves, self.budgets)])


def scored(
    fitted: ModalityClassifier, halves: Halves, method: str, budget: int, known: np.ndarray, **more: Any
) -> Iterator[Scored]:
    """Scores of a fitted classifier in each modality and of the fusion."""
    labels = getattr(fitted, "transduction_by_modality_", {})
    for modality, reached in by_modality(fitted, halves.X_test, halves.y_test).items():
        right = pseudo_label_accuracy(halves.y, labels[modality], known) if modality in labels else np.nan
        yield {
            "method": method,
            "modality": modality,
            "budget": budget,
            "balanced_accuracy": reached,
            "pseudo_label_accuracy": right,
            **more,
        }
