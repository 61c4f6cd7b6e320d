"""How an experiment is run: two protocols as data, and what their choices decide.

``paper`` repeats what the published code does, ``strict`` is what a careful reader would ask for. Every
difference is one field of `Protocol`, so that one choice at a time can be changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from ..corpora import RANDOM_STATE, creators
from ..corpora.features import Features, extracted_datasets, load_features
from ..files.errors import Absent, CmcslError, check_choice
from ..method.labeling import labeling
from ..method.preprocessing import preprocessor
from .scores import BUDGETS

REPETITIONS, FOLDS = 5, 2


class Fold(NamedTuple):
    """One fold of the 5x2 cross-validation: a classifier is trained on one half of a dataset and tested on the other.

    Parameters
    ----------
    repetition : int
        0 to 4.
    fold : int
        0 or 1: the two folds of one repetition are the two halves of one division.
    training, test : ndarray of int64
        Row numbers.
    """

    repetition: int
    fold: int
    training: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Protocol:
    """Choices of one way to run the experiments.

    Parameters
    ----------
    name : str
        Its name in the scores table.
    seeds : {"nested", "replacement"}
        ``nested``: each class's training rows are put in random order once per fold, and a budget takes
        the first ones. ``replacement``: as published, a generator made afresh for every budget draws with
        replacement, so that a budget of b can hold fewer than b distinct seeds.
    scaling : {"training", "each half"}
        Which rows preprocessing is fitted on: the training half alone, or, as published, the training half
        and again the test half (each standardised by its own mean and deviation).
    class_weights : {"given", "hidden"}
        Sample weights are 1 - (share of the class), looked up by the (pseudo-)label. The shares are those
        among the labels that a method was given (all of them for FULL, EF, LF; the seeds for the others),
        or, as published, those among all true training labels, which a self-labelling method can't know.
    late_fusion : {"mean", "maximum"}
        Rule that combines the class probabilities of both modalities: their mean, which is the support
        accumulation that the paper names, or their maximum, as published.
    folds : {"stratified", "creators apart"}
        ``stratified``: as the paper. ``creators apart``: all items of one creator lie in the same half, so that
        nobody's style or habit of wording tells the class of a test item.
    distances : {"euclidean", "scaled by width"}
        What NEAREST compares. ``scaled by width``: Euclidean distances divided by the square root of the number
        of features, without which standardised text, the narrower modality, is closer to its seeds.
    features : str
        ``default``, or the name that another extraction was given (`cmcsl extract --name`).
    """

    name: str
    seeds: str = "nested"
    scaling: str = "training"
    class_weights: str = "given"
    late_fusion: str = "mean"
    folds: str = "stratified"
    distances: str = "euclidean"
    features: str = "default"

    def __post_init__(self) -> None:
        for field, choices in CHOICES.items():
            check_choice(getattr(self, field), choices, field.replace("_", " "))

    def described(self) -> dict[str, str]:
        """The choices as a dictionary."""
        return asdict(self)

    def changed(self, **choices: str) -> "Protocol":
        """The protocol with other choices, which its name lists: ``strict, seeds=replacement``.

        Raises
        ------
        CmcslError
            If there is no such choice, or not this value.
        """
        known = [field.name for field in fields(self) if field.name != "name"]
        for name in choices:
            check_choice(name, known, "choice of a protocol")
        listed = [f"{name}={value}" for name, value in choices.items()]
        return replace(self, name=", ".join([self.name, *listed]), **choices)

    def divide(self, features: Features) -> list[Fold]:
        """All ten folds of a dataset, by the choice of folds."""
        apart = self.folds == "creators apart"
        return list(splits(features.y, creators(features.corpus, features.ids) if apart else None))

    def draw_seeds(self, y: np.ndarray, budget: int, repetition: int, fold: int) -> np.ndarray:
        """Seeds of one training half, LABELING of Algorithm 1.

        Parameters
        ----------
        y : ndarray of shape (n,), dtype int64
            Class of each training row.
        budget : int
            Seeds per class.
        repetition, fold : int
            Of the `Fold`.

        Returns
        -------
        ndarray of int64
            Row numbers of the half, class by class.
        """
        if self.seeds == "replacement":
            return labeling(y, budget, np.random.RandomState(RANDOM_STATE), replacement=True)
        return labeling(y, budget, np.random.default_rng([RANDOM_STATE, repetition, fold]))

    def preprocess(self, training: np.ndarray, test: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Preprocess the training and test rows of one modality.

        Parameters
        ----------
        training, test : ndarray of shape (n, d) and (m, d)
        name : {"RAW", "L2", "STD", "MM", "L2STD"}
        """
        transformer = preprocessor(name)
        transformed = transformer.fit_transform(training)
        if self.scaling == "each half":
            return transformed, preprocessor(name).fit_transform(test)
        return transformed, transformer.transform(test)

    def distance_scale(self, X: np.ndarray) -> float:
        """What the distances of one modality are divided by before NEAREST compares them."""
        return np.sqrt(X.shape[1]) if self.distances == "scaled by width" else 1.0

    def weights(self, true: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Weight of each class, 1 - (its share).

        Parameters
        ----------
        true : ndarray of int64
            All true training labels.
        known : ndarray of int64
            The labels that the method was given; every class is among them.

        Returns
        -------
        ndarray of shape (k,), dtype float64
        """
        counts = np.bincount(true if self.class_weights == "hidden" else known)
        return 1 - counts / counts.sum()

    def fuse(self, probabilities: Sequence[np.ndarray]) -> np.ndarray:
        """Late fusion: classes by the combined probabilities of both modalities, each of shape (m, k)."""
        combine = np.max if self.late_fusion == "maximum" else np.mean
        return combine(probabilities, axis=0).argmax(axis=1)


CHOICES = {
    "seeds": ("nested", "replacement"),
    "scaling": ("training", "each half"),
    "class_weights": ("given", "hidden"),
    "late_fusion": ("mean", "maximum"),
    "folds": ("stratified", "creators apart"),
    "distances": ("euclidean", "scaled by width"),
}

PROTOCOLS = {
    "strict": Protocol("strict"),
    "paper": Protocol("paper", seeds="replacement", scaling="each half", class_weights="hidden", late_fusion="maximum"),
}


def protocol(name: Protocol | str) -> Protocol:
    """The protocol of that name, ``strict`` or ``paper``; a `Protocol` is returned as it is.

    Parameters
    ----------
    name : Protocol or {"strict", "paper"}
        A protocol or its name.

    Returns
    -------
    Protocol
        The protocol itself.

    Raises
    ------
    CmcslError
        If the name is unknown.
    """
    return name if isinstance(name, Protocol) else PROTOCOLS[check_choice(name, PROTOCOLS, "protocol")]


def splits(y: np.ndarray, creators: np.ndarray | None = None) -> Iterator[Fold]:
    """The 5x2 stratified cross-validation of Section IV-A.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
        Class of each row.
    creators : ndarray of shape (n,), dtype str, optional
        Who created each row's item; if given, no creator is in both halves, and classes are shared out as evenly
        as that allows.

    Yields
    ------
    Fold
    """
    from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold

    rows = np.zeros((len(y), 1))
    if creators is None:
        halves = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPETITIONS, random_state=RANDOM_STATE)
        divisions = list(halves.split(rows, y))
    else:
        divisions = [
            division
            for repetition in range(REPETITIONS)
            for division in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=RANDOM_STATE + repetition).split(
                rows, y, creators
            )
        ]
    for number, (training, test) in enumerate(divisions):
        yield Fold(number // FOLDS, number % FOLDS, training, test)


def check_budgets(features: Features, budgets: Sequence[int], folds: Sequence[Fold]) -> None:
    """Raise unless every budget can be drawn from every class in every training half.

    Parameters
    ----------
    features : Features
        Of one dataset.
    budgets : sequence of int
        Seeds per class.
    folds : sequence of Fold
        Those that the budgets are drawn in.

    Raises
    ------
    CmcslError
        If there is no budget, or one is below 1 or above the size of the smallest class of a training half.
    """
    y = features.y
    largest = min(np.bincount(y[fold.training], minlength=y.max() + 1).min() for fold in folds)
    wrong = [budget for budget in budgets if not 1 <= budget <= largest]
    if wrong or not budgets:
        raise CmcslError(
            f"Budgets of {features.corpus}/{features.dataset} must lie in 1..{largest}, as many as its smallest class "
            f"has rows in a training half, got {', '.join(map(str, wrong)) or 'none'}."
        )


def drawable_budgets(
    corpus: str, names: Sequence[str] | str | None = None, budgets: Sequence[int] = BUDGETS
) -> tuple[int, ...]:
    """Those budgets that every class of some datasets can give in a training half; if none can, the largest that can.

    Where features are not on this machine, all of them.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    names : sequence of str or str, optional
        Datasets; default: those that have features.
    budgets : sequence of int
        Seeds per class that are wanted.

    Returns
    -------
    tuple of int
        At least one.
    """
    try:
        sizes = [np.bincount(load_features(corpus, name).y).min() for name in extracted_datasets(corpus, names)]
    except Absent:
        return tuple(budgets)
    # Halves are stratified: a class is divided evenly.
    largest = int(min(sizes)) // FOLDS
    return tuple(budget for budget in budgets if budget <= largest) or (max(largest, 1),)
