"""The scores of naive Bayes written plainly, one method and budget after the other, with scikit-learn and SciPy.

Nothing is shared: each result preprocesses, measures distances, trains and predicts anew, as the published code does.
Tests take it as the oracle, the benchmark as the measure of speed. From the library it takes what defines a protocol.
"""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB

from cmcsl_lib.corpora.features import MODALITIES, Features
from cmcsl_lib.experiments.grid import SELF_LABELED, experiment
from cmcsl_lib.experiments.protocol import Protocol
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.method.preprocessing import preprocessor

Fold = tuple[int, int, np.ndarray, np.ndarray]
Results = list[tuple[str, np.ndarray, float]]


def fold_scores(
    features: Features, protocol: Protocol, number: int, budgets: tuple[int, ...], fold: Fold, again: bool = False
) -> pd.DataFrame:
    """The rows that `experiments.run_fold` gives for naive Bayes, in another order.

    `again` trains FULL and LF anew for every budget, though nothing in them depends on it: so did the published code,
    as the axes of its arrays of scores tell.
    """
    repetition, half, _, test = fold
    rows = []
    for preprocessing in experiment(number).preprocessings:
        for method in experiment(number).methods:
            for budget in budgets if method in SELF_LABELED or (again and method != "EF") else (0,):
                for modality, predicted, accuracy in results(features, protocol, preprocessing, method, budget, fold):
                    score = balanced_accuracy_score(features.y[test], predicted)
                    seeds_per_class = budget if method in SELF_LABELED else 0
                    rows.append(
                        (
                            features.corpus,
                            protocol.name,
                            features.dataset,
                            modality,
                            method,
                            preprocessing,
                            "GNB",
                            seeds_per_class,
                            repetition,
                            half,
                            score,
                            accuracy,
                        )
                    )
    return pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates(ignore_index=True)


def results(
    features: Features, protocol: Protocol, preprocessing: str, method: str, budget: int, fold: Fold
) -> Results:
    """Modality, predicted classes of the test half, and share of right pseudo-labels, of one method."""
    repetition, half, training, test = fold
    y = features.y[training]
    matrices = [np.hstack(features.modalities)] if method == "EF" else features.modalities
    X, X_test = zip(
        *(scaled(matrix[training], matrix[test], preprocessing, protocol) for matrix in matrices), strict=True
    )
    if method in SELF_LABELED:
        return self_labeled(X, X_test, y, protocol.draw_seeds(y, budget, repetition, half), method, protocol)
    models = [trained(each, y, protocol.weights(y, y)) for each in X]
    if method == "LF":
        support = [model.predict_proba(each) for model, each in zip(models, X_test, strict=True)]
        combined = np.max(support, axis=0) if protocol.late_fusion == "maximum" else np.mean(support, axis=0)
        return [("both", combined.argmax(axis=1), np.nan)]
    names = MODALITIES if method == "FULL" else ("both",)
    return [(name, model.predict(each), np.nan) for name, model, each in zip(names, models, X_test, strict=True)]


def self_labeled(
    X: tuple[np.ndarray, ...],
    X_test: tuple[np.ndarray, ...],
    y: np.ndarray,
    seeds: np.ndarray,
    method: str,
    protocol: Protocol,
) -> Results:
    """`results` of PRE, UNI and CMCSL."""
    weights = protocol.weights(y, y[seeds])
    if method == "PRE":
        return [
            (name, trained(own[seeds], y[seeds], weights).predict(test), np.nan)
            for name, own, test in zip(MODALITIES, X, X_test, strict=True)
        ]
    labels, nearest = [], []
    for own in X:
        distances = cdist(own, own[seeds]) / protocol.distance_scale(own)
        label, distance = y[seeds[distances.argmin(axis=1)]], distances.min(axis=1)
        # A seed keeps its label, also beside a twin of another class.
        label[seeds], distance[seeds] = y[seeds], 0
        labels.append(label)
        nearest.append(distance)
    if method == "CMCSL":
        labels = [np.where(nearest[0] <= nearest[1], *labels)] * 2
    hidden = np.delete(np.arange(len(y)), seeds)
    return [
        (name, trained(own, label, weights).predict(test), (label[hidden] == y[hidden]).mean())
        for name, own, test, label in zip(MODALITIES, X, X_test, labels, strict=True)
    ]


def scaled(training: np.ndarray, test: np.ndarray, name: str, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Preprocessed rows of both halves."""
    transformer = preprocessor(name).fit(training)
    other = preprocessor(name).fit(test) if protocol.scaling == "each half" else transformer
    return transformer.transform(training), other.transform(test)


def trained(X: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> GaussianNB:
    """A classifier whose samples weigh what their class does."""
    return GaussianNB().fit(X, labels, sample_weight=weights[labels])
