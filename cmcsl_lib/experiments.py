"""The grid: every method, modality and budget on every fold of a dataset, as one tidy table.

The order of work is that of Algorithm 1. Per fold: preprocess each modality once; per budget: draw the seeds,
cluster, propagate, take the nearest; each list of labels becomes one `Fit`; all fits are then trained and
scored by the same few lines, whatever the classifier.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.spatial.distance import cdist
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from tqdm.auto import tqdm

from .corpora.catalogue import datasets as catalogue
from .errors import CmcslError, check_choice
from .features import MODALITIES, Features, load_features
from .labeling import assign, nearest, propagate
from .protocol import BUDGETS, RANDOM_STATE, Protocol, check_budgets, class_weights, preprocess, seed_rows, splits
from .scores import COLUMNS, read_scores, scores_paths, write_scores

METHODS = ("FULL", "EF", "LF", "PRE", "UNI", "CMCSL")
CLASSIFIERS = {
    "GNB": GaussianNB,
    "LR": lambda: LogisticRegression(random_state=RANDOM_STATE, max_iter=5000),
    "CART": lambda: DecisionTreeClassifier(random_state=RANDOM_STATE),
}
#: Raised when the same features and protocol would give other scores than before.
GRID_VERSION = 1


@dataclass(frozen=True)
class Experiment:
    """What one experiment of the paper varies (Section IV-B)."""

    number: int
    methods: tuple[str, ...]
    preprocessings: tuple[str, ...]


EXPERIMENTS = {3: Experiment(3, METHODS, ("L2STD",))}


def experiment(number: int | str) -> Experiment:
    """The experiment of that number.

    Raises
    ------
    CmcslError
        If there is none.
    """
    check_choice(str(number), map(str, EXPERIMENTS), "experiment")
    return EXPERIMENTS[int(number)]


class Fit(NamedTuple):
    """Labels that one classifier is trained on.

    Attributes
    ----------
    method, modality : str
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


def run_fold(features: Features, protocol: Protocol, number: int, classifier: str, budgets: tuple[int, ...],
             fold: tuple[int, int, np.ndarray, np.ndarray]) -> pd.DataFrame:
    """Scores of one experiment on one fold.

    Parameters
    ----------
    number : int
        The experiment.
    classifier : {"GNB", "LR", "CART"}
    fold : tuple
        One item of `protocol.splits`: repetition, fold, training rows, test rows.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`.
    """
    repetition, half, training, test = fold
    y, y_test = features.y[training], features.y[test]
    both = np.hstack(features.modalities)
    rows = []
    for preprocessing in experiment(number).preprocessings:
        X = {
            name: preprocess(matrix[training], matrix[test], preprocessing, protocol)
            for name, matrix in zip(MODALITIES, features.modalities, strict=True)
        }
        X["both"] = preprocess(both[training], both[test], preprocessing, protocol)
        fits = [*full_fits(y, protocol), *self_labeled_fits(X, y, protocol, budgets, repetition, half)]
        for fit, predicted in predictions(X, fits, classifier, protocol):
            score = balanced_accuracy_score(y_test, predicted)
            rows.append((features.corpus, protocol.name, features.dataset, fit.modality, fit.method, preprocessing,
                         classifier, fit.budget, repetition, half, score, fit.accuracy))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def full_fits(y: np.ndarray, protocol: Protocol) -> Iterator[Fit]:
    """FULL in each modality and EF, the methods that are trained on all true labels."""
    weights = class_weights(y, y, protocol)[y]
    for method, modality in (("FULL", "visual"), ("FULL", "text"), ("EF", "both")):
        yield Fit(method, modality, 0, np.arange(len(y)), y, weights, np.nan)


def self_labeled_fits(X: dict[str, tuple[np.ndarray, np.ndarray]], y: np.ndarray, protocol: Protocol,
                      budgets: tuple[int, ...], repetition: int, fold: int) -> Iterator[Fit]:
    """PRE, UNI and CMCSL in each modality, for every budget."""
    seeds = {budget: seed_rows(y, budget, protocol, repetition, fold) for budget in budgets}
    drawn = np.unique(np.concatenate(list(seeds.values())))
    # One distance matrix per modality serves every budget: each takes its own seeds' columns.
    distances = [cdist(X[modality][0], X[modality][0][drawn]) for modality in MODALITIES]
    for budget, rows in seeds.items():
        weights = class_weights(y, y[rows], protocol)
        clusters = [assign(matrix[:, np.searchsorted(drawn, rows)], rows) for matrix in distances]
        unimodal = [propagate(cluster, y[rows]) for cluster in clusters]
        exchanged = nearest(unimodal, [cluster.distance for cluster in clusters]).label
        hidden = np.setdiff1d(np.arange(len(y)), rows)
        for modality, own in zip(MODALITIES, unimodal, strict=True):
            yield Fit("PRE", modality, budget, rows, y[rows], weights[y[rows]], np.nan)
            for method, labels in (("UNI", own), ("CMCSL", exchanged)):
                accuracy = float((labels[hidden] == y[hidden]).mean())
                yield Fit(method, modality, budget, np.arange(len(y)), labels, weights[labels], accuracy)


def predictions(X: dict[str, tuple[np.ndarray, np.ndarray]], fits: list[Fit], classifier: str,
                protocol: Protocol) -> Iterator[tuple[Fit, np.ndarray]]:
    """Train every fit, and give its predicted classes of the test rows; then LF's, from those of FULL."""
    support = []
    for fit in fits:
        training, test = X[fit.modality]
        model: ClassifierMixin = CLASSIFIERS[classifier]()
        model.fit(training[fit.rows], fit.labels, sample_weight=fit.weights)
        if fit.method == "FULL":
            support.append(model.predict_proba(test))
        yield fit, model.predict(test)
    combined = np.max(support, axis=0) if protocol.late_fusion == "maximum" else np.mean(support, axis=0)
    yield fits[0]._replace(method="LF", modality="both"), combined.argmax(axis=1)


def run_dataset(features: Features, protocol: Protocol, number: int = 3, *, classifiers: tuple[str, ...] = ("GNB",),
                budgets: tuple[int, ...] = BUDGETS, workers: int = 1) -> pd.DataFrame:
    """Scores of one experiment on one dataset, all ten folds.

    Parameters
    ----------
    features : Features
    protocol : Protocol
    number : int
        The experiment.
    classifiers : tuple of {"GNB", "LR", "CART"}
    budgets : tuple of int
        Seeds per class.
    workers : int
        Processes; the table does not depend on it.

    Raises
    ------
    CmcslError
        If the experiment or a classifier is unknown, or a budget can't be drawn.
    """
    experiment(number)
    for classifier in classifiers:
        check_choice(classifier, CLASSIFIERS, "classifier")
    check_budgets(features.y, budgets, f"{features.corpus}/{features.dataset}")
    folds = list(splits(features.y))
    tables = Parallel(n_jobs=workers)(
        delayed(run_fold)(features, protocol, number, classifier, budgets, fold)
        for classifier in classifiers for fold in folds
    )
    return pd.concat(tables, ignore_index=True)


def scores_key(features: Features, protocol: Protocol, number: int) -> dict:
    """What scores are computed from; equal keys mean equal scores."""
    return {"features": features.sha256, "protocol": protocol.described(), "experiment": number,
            "grid_version": GRID_VERSION}


def find_scores(features: Features, protocol: Protocol, number: int, classifiers: tuple[str, ...],
                budgets: tuple[int, ...]) -> pd.DataFrame | None:
    """Kept or shipped scores of these features that hold all classifiers and budgets, else None."""
    key = scores_key(features, protocol, number)
    for path in scores_paths(features.corpus, protocol.name, number, features.dataset):
        scores = read_scores(path, key)
        if scores is not None and set(classifiers) <= set(scores.classifier) and set(budgets) <= set(scores.budget):
            wanted = scores.classifier.isin(classifiers) & scores.budget.isin([0, *budgets])
            return scores[wanted].reset_index(drop=True)
    return None


def keep_scores(scores: pd.DataFrame, features: Features, protocol: Protocol, number: int) -> None:
    """Write scores to CMCSL_HOME, beside what the file of the same features and protocol holds already."""
    path, _ = scores_paths(features.corpus, protocol.name, number, features.dataset)
    key = scores_key(features, protocol, number)
    kept = read_scores(path, key)
    if kept is not None:
        named = [column for column in COLUMNS if not column.endswith("accuracy")]
        scores = pd.concat([kept, scores]).drop_duplicates(named, keep="last")
    write_scores(scores, path, key)


def load_scores(corpus: str, protocol: Protocol, number: int = 3, *, datasets: list[str] | str | None = None,
                classifiers: tuple[str, ...] = ("GNB",), budgets: tuple[int, ...] = BUDGETS,
                compute: bool = True, workers: int = 1) -> pd.DataFrame:
    """Scores of an experiment for many datasets; what is not kept is computed, then kept in CMCSL_HOME.

    Parameters
    ----------
    corpus : str
    protocol : Protocol
    number : int
        The experiment.
    datasets : list of str or str, optional
        None means all of the corpus.
    compute : bool
        False raises where scores are missing.
    workers : int
        Processes.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, datasets in the catalogue's order.
    """
    number = experiment(number).number
    tables = []
    for dataset in tqdm(catalogue(corpus, datasets), desc=f"Experiment {number}, {protocol.name}", disable=None):
        features = load_features(corpus, dataset)
        scores = find_scores(features, protocol, number, classifiers, budgets)
        if scores is None:
            if not compute:
                raise CmcslError(
                    f"There are no scores of {corpus}/{dataset} for the {protocol.name} protocol: run "
                    f"`cmcsl run {number} --corpus {corpus} --datasets {dataset} --protocol {protocol.name}` first."
                )
            scores = run_dataset(features, protocol, number, classifiers=classifiers, budgets=budgets,
                                 workers=workers)
            keep_scores(scores, features, protocol, number)
        tables.append(scores)
    return pd.concat(tables, ignore_index=True)
