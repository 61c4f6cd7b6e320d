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
from .errors import Absent, CmcslError, check_choice
from .features import MODALITIES, Features, load_features
from .labeling import assign, nearest, propagate
from .preprocessing import PREPROCESSINGS
from .protocol import (
    BUDGETS,
    RANDOM_STATE,
    Protocol,
    check_budgets,
    class_weights,
    folds,
    preprocess,
    scale,
    seed_rows,
)
from .scores import COLUMNS, read_scores, scores_paths, write_scores

SELF_LABELED = ("PRE", "UNI", "CMCSL")
METHODS = ("FULL", "EF", "LF", *SELF_LABELED)
CLASSIFIERS = {
    "GNB": GaussianNB,
    "LR": lambda: LogisticRegression(random_state=RANDOM_STATE, max_iter=5000),
    "CART": lambda: DecisionTreeClassifier(random_state=RANDOM_STATE),
}
#: Raised when the same features and protocol would give other scores than before.
GRID_VERSION = 1


@dataclass(frozen=True)
class Experiment:
    """What one experiment of the paper varies (Section IV-B).

    Parameters
    ----------
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


def run_fold(features: Features, protocol: Protocol, number: int, classifiers: tuple[str, ...],
             budgets: tuple[int, ...], fold: tuple[int, int, np.ndarray, np.ndarray]) -> pd.DataFrame:
    """Scores of one experiment on one fold.

    Parameters
    ----------
    number : int
        The experiment.
    classifiers : tuple of {"GNB", "LR", "CART"}
    fold : tuple
        One item of `protocol.splits`: repetition, fold, training rows, test rows.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`.
    """
    repetition, half, training, test = fold
    y, y_test = features.y[training], features.y[test]
    chosen = experiment(number)
    matrices = dict(zip(MODALITIES, features.modalities, strict=True))
    if "EF" in chosen.methods:
        matrices["both"] = np.hstack(features.modalities)
    rows = []
    for preprocessing in chosen.preprocessings:
        X = {name: preprocess(matrix[training], matrix[test], preprocessing, protocol)
             for name, matrix in matrices.items()}
        fits = list(full_fits(y, protocol, chosen.methods))
        if chosen.takes_budgets:
            fits += self_labeled_fits(X, y, protocol, budgets, repetition, half)
        for classifier in classifiers:
            for fit, predicted in predictions(X, fits, classifier, protocol, "LF" in chosen.methods):
                score = balanced_accuracy_score(y_test, predicted)
                rows.append((features.corpus, protocol.name, features.dataset, fit.modality, fit.method, preprocessing,
                             classifier, fit.budget, repetition, half, score, fit.accuracy))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def full_fits(y: np.ndarray, protocol: Protocol, methods: tuple[str, ...]) -> Iterator[Fit]:
    """FULL in each modality and EF, the methods that are trained on all true labels."""
    weights = class_weights(y, y, protocol)[y]
    for method, modality in (("FULL", "visual"), ("FULL", "text"), ("EF", "both")):
        if method in methods:
            yield Fit(method, modality, 0, np.arange(len(y)), y, weights, np.nan)


def self_labeled_fits(X: dict[str, tuple[np.ndarray, np.ndarray]], y: np.ndarray, protocol: Protocol,
                      budgets: tuple[int, ...], repetition: int, fold: int) -> Iterator[Fit]:
    """PRE, UNI and CMCSL in each modality, for every budget."""
    seeds = {budget: seed_rows(y, budget, protocol, repetition, fold) for budget in budgets}
    drawn = np.unique(np.concatenate(list(seeds.values())))
    # One distance matrix per modality serves every budget: each takes its own seeds' columns.
    distances = [cdist(X[name][0], X[name][0][drawn]) / scale(X[name][0], protocol) for name in MODALITIES]
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


def predictions(X: dict[str, tuple[np.ndarray, np.ndarray]], fits: list[Fit], classifier: str, protocol: Protocol,
                late_fusion: bool) -> Iterator[tuple[Fit, np.ndarray]]:
    """Train every fit, and give its predicted classes of the test rows; then LF's, from those of FULL."""
    support = []
    for fit in fits:
        training, test = X[fit.modality]
        model: ClassifierMixin = CLASSIFIERS[classifier]()
        model.fit(training[fit.rows], fit.labels, sample_weight=fit.weights)
        if late_fusion and fit.method == "FULL":
            support.append(model.predict_proba(test))
        yield fit, model.predict(test)
    if late_fusion:
        combined = np.max(support, axis=0) if protocol.late_fusion == "maximum" else np.mean(support, axis=0)
        yield fits[0]._replace(method="LF", modality="both"), combined.argmax(axis=1)


def run_dataset(features: Features, protocol: Protocol, number: int = 3, *,
                classifiers: tuple[str, ...] | None = None, budgets: tuple[int, ...] = BUDGETS,
                workers: int = 1) -> pd.DataFrame:
    """Scores of one experiment on one dataset, all ten folds.

    Parameters
    ----------
    features : Features
    protocol : Protocol
    number : int
        The experiment.
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Default: the experiment's own.
    budgets : tuple of int
        Seeds per class.
    workers : int
        Processes; the table does not depend on it.

    Raises
    ------
    CmcslError
        If the experiment or a classifier is unknown, or a budget can't be drawn.
    """
    chosen = experiment(number)
    classifiers = chosen.classifiers if classifiers is None else classifiers
    for classifier in classifiers:
        check_choice(classifier, CLASSIFIERS, "classifier")
    tasks = folds(features, protocol)
    if chosen.takes_budgets:
        check_budgets(features.y, budgets, f"{features.corpus}/{features.dataset}", [fold[2] for fold in tasks])
    tables = Parallel(n_jobs=workers)(
        delayed(run_fold)(features, protocol, number, classifiers, budgets, fold) for fold in tasks
    )
    return pd.concat(tables, ignore_index=True)


def scores_key(features: Features | None, protocol: Protocol, number: int) -> dict:
    """What scores are computed from; equal keys mean equal scores. None leaves the features open."""
    its = {} if features is None else {"features": features.sha256}
    return its | {"protocol": protocol.described(), "experiment": number, "grid_version": GRID_VERSION}


def find_scores(corpus: str, dataset: str, key: dict, protocol: Protocol, number: int, classifier: str,
                budgets: tuple[int, ...]) -> pd.DataFrame | None:
    """Kept or shipped scores of one classifier that agree with the key and hold all budgets, else None."""
    wanted = {0, *budgets} if experiment(number).takes_budgets else {0}
    for path in scores_paths(corpus, protocol.name, number, dataset):
        scores = read_scores(path, key)
        if scores is not None:
            chosen = scores[(scores.classifier == classifier) & scores.budget.isin(wanted)]
            if wanted == set(chosen.budget):
                return chosen
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


def dataset_scores(corpus: str, dataset: str, protocol: Protocol, number: int, classifiers: tuple[str, ...],
                   budgets: tuple[int, ...], compute: bool, workers: int) -> pd.DataFrame:
    """`load_scores` of one dataset."""
    try:
        features = load_features(corpus, dataset, protocol.features)
    except Absent:
        # Scores of an extraction may be shipped where its features are not.
        features = None
    key = scores_key(features, protocol, number)
    found = {each: find_scores(corpus, dataset, key, protocol, number, each, budgets) for each in classifiers}
    missing = tuple(each for each, scores in found.items() if scores is None)
    if missing and features is None:
        load_features(corpus, dataset, protocol.features)
    if missing and not compute:
        raise CmcslError(
            f"There are no scores of {corpus}/{dataset} with {', '.join(missing)} for the {protocol.name} protocol: "
            f"run `{run_command(corpus, dataset, protocol, number, missing)}` first."
        )
    if missing:
        computed = run_dataset(features, protocol, number, classifiers=missing, budgets=budgets, workers=workers)
        keep_scores(computed, features, protocol, number)
        found |= dict(iter(computed.groupby("classifier")))
    return pd.concat([found[each] for each in classifiers])


def run_command(corpus: str, dataset: str, protocol: Protocol, number: int, classifiers: tuple[str, ...]) -> str:
    """The command that computes scores."""
    name, *changes = protocol.name.split(", ")
    words = ["cmcsl run", number, "--corpus", corpus, "--datasets", dataset, "--protocol", name]
    words += ["--change", *(f'"{change}"' for change in changes)] if changes else []
    words += ["--classifier", *classifiers] if classifiers != experiment(number).classifiers else []
    return " ".join(map(str, words))


def load_scores(corpus: str, protocol: Protocol, number: int = 3, *, datasets: list[str] | str | None = None,
                classifiers: tuple[str, ...] | None = None, budgets: tuple[int, ...] = BUDGETS,
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
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Default: the experiment's own.
    compute : bool
        False raises where scores are missing.
    workers : int
        Processes.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, datasets in the catalogue's order.
    """
    chosen = experiment(number)
    classifiers = chosen.classifiers if classifiers is None else tuple(classifiers)
    for classifier in classifiers:
        check_choice(classifier, CLASSIFIERS, "classifier")
    told = f"Experiment {chosen.number}, {protocol.name}"
    return pd.concat([
        dataset_scores(corpus, dataset, protocol, chosen.number, classifiers, tuple(budgets), compute, workers)
        for dataset in tqdm(catalogue(corpus, datasets), desc=told, disable=None)
    ], ignore_index=True)
