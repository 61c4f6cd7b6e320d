"""The grid: every method, modality and budget on every fold of a dataset, as one tidy table.

The order of work is that of Algorithm 1. Per fold: preprocess each modality once; per budget: draw the seeds,
cluster, propagate, take the nearest; each list of labels becomes one `Fit`. Naive Bayes trains and scores all fits
at once, every other classifier one after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES, Features
from ..files.errors import CmcslError, check_choice
from ..method import naive_bayes
from ..method.distances import clusterings
from ..method.labeling import nearest, propagate
from ..method.preprocessing import PREPROCESSINGS
from .protocol import RANDOM_STATE, Fold, Protocol, check_budgets
from .scores import BUDGETS, COLUMNS

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

SELF_LABELED = ("PRE", "UNI", "CMCSL")
METHODS = ("FULL", "EF", "LF", *SELF_LABELED)
#: Modules of scikit-learn, which are imported where they are needed, names in them, and parameters.
CLASSIFIERS: dict[str, tuple[str, str, dict[str, int]]] = {
    "GNB": ("sklearn.naive_bayes", "GaussianNB", {}),
    "LR": ("sklearn.linear_model", "LogisticRegression", {"random_state": RANDOM_STATE, "max_iter": 5000}),
    "CART": ("sklearn.tree", "DecisionTreeClassifier", {"random_state": RANDOM_STATE}),
}
#: Raised when the same features and protocol would give other scores than before.
GRID_VERSION = 1


@dataclass(frozen=True)
class Experiment:
    """What one experiment of the paper varies (Section IV-B).

    Parameters
    ----------
    number : {1, 2, 3}
        As in the paper.
    methods : tuple of str
        Some of `METHODS`.
    preprocessings : tuple of str
        Some of RAW, L2, STD, MM, L2STD.
    classifiers : tuple of str
        Those that it compares, or the one that its tables show unless they say otherwise.
    """

    number: int
    methods: tuple[str, ...]
    preprocessings: tuple[str, ...]
    classifiers: tuple[str, ...]

    @property
    def takes_budgets(self) -> bool:
        """Whether any of its methods knows only some of the labels."""
        return bool(set(self.methods) & set(SELF_LABELED))


EXPERIMENTS = {
    1: Experiment(1, ("FULL",), ("RAW",), tuple(CLASSIFIERS)),
    2: Experiment(2, ("FULL", *SELF_LABELED), PREPROCESSINGS, ("GNB",)),
    3: Experiment(3, METHODS, ("L2STD",), ("GNB",)),
}


def experiment(number: int | str) -> Experiment:
    """The experiment of that number.

    Parameters
    ----------
    number : int or str
        1 to 3.

    Returns
    -------
    Experiment
        What it varies.

    Raises
    ------
    CmcslError
        If there is none.
    """
    check_choice(str(number), map(str, EXPERIMENTS), "experiment")
    return EXPERIMENTS[int(number)]


class Fit(NamedTuple):
    """Labels that one classifier is trained on.

    Parameters
    ----------
    method, modality : str
        Names as in the scores table.
    budget : int
        0 where all labels are given.
    rows, labels : ndarray of shape (m,), dtype int64
        Training rows, a seed drawn twice standing twice, and the class that each is given.
    weights : ndarray of shape (m,), dtype float64
        Sample weights.
    accuracy : float
        Share of right pseudo-labels, NaN where there are none.
    """

    method: str
    modality: str
    budget: int
    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    accuracy: float


def run_fold(
    features: Features,
    protocol: Protocol,
    number: int,
    classifiers: tuple[str, ...],
    budgets: tuple[int, ...],
    fold: Fold,
) -> pd.DataFrame:
    """Scores of one experiment on one fold.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Decides how it is done.
    number : {1, 2, 3}
        The experiment.
    classifiers : tuple of {"GNB", "LR", "CART"}
        Those to train.
    budgets : tuple of int
        Seeds per class.
    fold : Fold
        One of `Protocol.divide`.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`.
    """
    repetition, half, training, test = fold
    y, y_test = features.y[training], features.y[test]
    varied = experiment(number)
    matrices = dict(zip(MODALITIES, features.modalities, strict=True))
    if "EF" in varied.methods:
        matrices["both"] = np.hstack(features.modalities)
    rows: list[tuple] = []
    for preprocessing in varied.preprocessings:
        X = {name: protocol.preprocess(each[training], each[test], preprocessing) for name, each in matrices.items()}
        fits = list(full_fits(y, protocol, varied.methods))
        if varied.takes_budgets:
            fits += self_labeled_fits(X, y, protocol, budgets, repetition, half)
        for classifier in classifiers:
            fitted, predicted = predictions(X, fits, classifier, protocol, "LF" in varied.methods)
            scores = naive_bayes.balanced_accuracies(y_test, predicted)
            named = (features.corpus, protocol.name, features.dataset)
            rows += [
                (
                    *named,
                    fit.modality,
                    fit.method,
                    preprocessing,
                    classifier,
                    fit.budget,
                    repetition,
                    half,
                    score,
                    fit.accuracy,
                )
                for fit, score in zip(fitted, scores, strict=True)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def full_fits(y: np.ndarray, protocol: Protocol, methods: tuple[str, ...]) -> Iterator[Fit]:
    """FULL in each modality and EF, the methods that are trained on all true labels.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
        True class of each training row.
    protocol : Protocol
        Decides on the weights.
    methods : tuple of str
        Those that are wanted.
    """
    weights = protocol.weights(y, y)[y]
    for method, modality in (("FULL", "visual"), ("FULL", "text"), ("EF", "both")):
        if method in methods:
            yield Fit(method, modality, 0, np.arange(len(y)), y, weights, np.nan)


def self_labeled_fits(
    X: dict[str, tuple[np.ndarray, np.ndarray]],
    y: np.ndarray,
    protocol: Protocol,
    budgets: tuple[int, ...],
    repetition: int,
    fold: int,
) -> Iterator[Fit]:
    """PRE, UNI and CMCSL in each modality, for every budget.

    Parameters
    ----------
    X : dict of str to tuple of ndarray
        Preprocessed training and test rows by modality.
    y : ndarray of shape (n,), dtype int64
        True class of each training row.
    protocol : Protocol
        Decides on seeds, distances and weights.
    budgets : tuple of int
        Seeds per class.
    repetition, fold : int
        Of the `Fold`.
    """
    seeds = {budget: protocol.draw_seeds(y, budget, repetition, fold) for budget in budgets}
    of_modality = [clusterings(X[name][0], list(seeds.values())) for name in MODALITIES]
    scales = [protocol.distance_scale(X[name][0]) for name in MODALITIES]
    for (budget, rows), *clusters in zip(seeds.items(), *of_modality, strict=True):
        weights = protocol.weights(y, y[rows])
        unimodal = [propagate(cluster, y[rows]) for cluster in clusters]
        distances = [cluster.distance / unit for cluster, unit in zip(clusters, scales, strict=True)]
        exchanged = nearest(unimodal, distances).label
        hidden = len(y) - len(np.unique(rows))
        for modality, own in zip(MODALITIES, unimodal, strict=True):
            yield Fit("PRE", modality, budget, rows, y[rows], weights[y[rows]], np.nan)
            for method, labels in (("UNI", own), ("CMCSL", exchanged)):
                # Seeds keep their labels: what is wrong is hidden.
                accuracy = (hidden - np.count_nonzero(labels != y)) / hidden if hidden else np.nan
                yield Fit(method, modality, budget, np.arange(len(y)), labels, weights[labels], accuracy)


def predictions(
    X: dict[str, tuple[np.ndarray, np.ndarray]], fits: list[Fit], classifier: str, protocol: Protocol, late_fusion: bool
) -> tuple[list[Fit], np.ndarray]:
    """Train every fit, and predict the classes of the test rows; LF, made of FULL's probabilities, comes last.

    Parameters
    ----------
    X : dict of str to tuple of ndarray
        Preprocessed training and test rows by modality.
    fits : list of Fit
        What to train.
    classifier : {"GNB", "LR", "CART"}
        What each is trained with.
    protocol : Protocol
        Decides on the fusion.
    late_fusion : bool
        Whether LF is wanted.

    Returns
    -------
    fits : list of Fit, of length f
    predicted : ndarray of shape (f, m), dtype int64
    """
    train = _naive_bayes_predictions if classifier == "GNB" else partial(_single_predictions, classifier)
    predicted, support = np.empty((len(fits) + late_fusion, len(X["visual"][1])), dtype=np.int64), []
    for modality, (training, test) in X.items():
        own = [number for number, fit in enumerate(fits) if fit.modality == modality]
        predicted[own], probabilities = train([fits[number] for number in own], training, test, late_fusion)
        support += probabilities
    if late_fusion:
        predicted[-1] = protocol.fuse(support)
        fits = [*fits, fits[0]._replace(method="LF", modality="both")]
    return fits, predicted


def _new_classifier(name: str) -> "ClassifierMixin":
    """An unfitted classifier of scikit-learn, one of `CLASSIFIERS`."""
    module, classifier, parameters = CLASSIFIERS[name]
    return getattr(import_module(module), classifier)(**parameters)


def _single_predictions(
    classifier: str, fits: list[Fit], training: np.ndarray, test: np.ndarray, late_fusion: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Classes predicted by the fits of one modality, and for late fusion the probabilities that FULL gives."""
    models: dict[tuple[bytes, ...], ClassifierMixin] = {}
    labels, probabilities = [], []
    for fit in fits:
        # Where the exchange changes no label, UNI and CMCSL are one fit.
        key = (fit.rows.tobytes(), fit.labels.tobytes(), fit.weights.tobytes())
        if key not in models:
            models[key] = _new_classifier(classifier).fit(training[fit.rows], fit.labels, sample_weight=fit.weights)
        model = models[key]
        labels.append(model.predict(test))
        if late_fusion and fit.method == "FULL":
            probabilities.append(model.predict_proba(test))
    return labels, probabilities


def _naive_bayes_predictions(
    fits: list[Fit], training: np.ndarray, test: np.ndarray, late_fusion: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """What `_single_predictions` gives for naive Bayes, all fits at once."""
    classes = 1 + max(fit.labels.max() for fit in fits)
    # PRE is trained on the seeds alone, the others on all rows.
    few = [number for number, fit in enumerate(fits) if fit.method == "PRE"]
    whole = [number for number, fit in enumerate(fits) if fit.method != "PRE"]
    models = [
        naive_bayes.fit(
            training,
            np.array([fits[number].labels for number in whole]),
            np.array([fits[number].weights for number in whole]),
            classes,
        )
    ]
    for number in few:
        _, _, _, rows, labels, weights, _ = fits[number]
        models.append(naive_bayes.fit_one(training[rows], labels, weights, classes))
    full = [place for place, number in enumerate(whole) if late_fusion and fits[number].method == "FULL"]
    labels, probabilities = naive_bayes.classify(naive_bayes.join(models), test, full)
    return labels[np.argsort(whole + few)], list(probabilities)


def check_run(features: Features, protocol: Protocol, number: int, budgets: tuple[int, ...]) -> list[Fold]:
    """The folds of a run, once it is clear that it can be done.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Decides how it is done.
    number : {1, 2, 3}
        The experiment.
    budgets : tuple of int
        Seeds per class.

    Returns
    -------
    list of Fold
        All ten.

    Raises
    ------
    CmcslError
        If the experiment is unknown, a row has no class, or a budget can't be drawn.
    """
    if (features.y < 0).any():
        raise CmcslError(
            f"Experiments take labelled rows only, but {features.corpus}/{features.dataset} has others: "
            "leave them out by Features.labeled()."
        )
    folds = protocol.divide(features)
    if experiment(number).takes_budgets:
        check_budgets(features, budgets, folds)
    return folds


def run_dataset(
    features: Features,
    protocol: Protocol,
    number: int = 3,
    *,
    classifiers: tuple[str, ...] | None = None,
    budgets: tuple[int, ...] = BUDGETS,
) -> pd.DataFrame:
    """Scores of one experiment on one dataset, all ten folds, one after the other; `runs` does many at once.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Decides how it is done.
    number : {1, 2, 3}
        The experiment.
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Default: the experiment's own.
    budgets : tuple of int
        Seeds per class.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`.

    Raises
    ------
    CmcslError
        If the experiment or a classifier is unknown, or a budget can't be drawn.
    """
    classifiers = experiment(number).classifiers if classifiers is None else classifiers
    for classifier in classifiers:
        check_choice(classifier, CLASSIFIERS, "classifier")
    folds = check_run(features, protocol, number, budgets)
    return pd.concat(
        [run_fold(features, protocol, number, classifiers, budgets, fold) for fold in folds], ignore_index=True
    )
