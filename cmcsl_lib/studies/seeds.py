"""Which rows are worth a label: active choices of the seeds against random ones, at an equal number of labels.

The paper draws the same number of seeds from every class, which takes someone who knows the classes beforehand. Who
chooses rows to be labelled does not: all other choices here look at features alone, or at what earlier labels say, and
may miss a class.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from ..estimators import CMCSLClassifier, PrelabeledClassifier, UnimodalClassifier
from .base import Halves, ScoreRow, Study, classifier_scores, constant_scores

PER_CLASS = "random per class"
RANDOM = "random"

#: Takes a fold, budgets and k, the number of classes; returns the rows to label for each budget.
Choice = Callable[[Halves, tuple[int, ...], int], list[np.ndarray]]


def farthest_first(X: np.ndarray, count: int) -> np.ndarray:
    """So many rows, each farthest from those before it, the first one nearest to the mean."""
    rows = [int(cdist(X, X.mean(axis=0, keepdims=True)).argmin())]
    distance = cdist(X, X[rows])[:, 0]
    while len(rows) < count:
        rows.append(int(distance.argmax()))
        distance = np.minimum(distance, cdist(X, X[rows[-1:]])[:, 0])
    return np.array(rows)


def cluster_centres(X: np.ndarray, count: int, random_state: int) -> np.ndarray:
    """The row nearest to the mean of each of so many k-means clusters.

    Clusters that k-means leaves empty, as where rows are equal, are made up for by the farthest rows.
    """
    clusters = KMeans(count, n_init=1, random_state=random_state).fit(X)
    to_mean = np.linalg.norm(X - clusters.cluster_centers_[clusters.labels_], axis=1)
    rows = pd.Series(to_mean).groupby(clusters.labels_).idxmin().to_numpy()
    while len(rows) < count:
        distance = cdist(X, X[rows]).min(axis=1)
        distance[rows] = -1
        rows = np.append(rows, distance.argmax())
    return rows


def least_sure(halves: Halves, count: int, step: int) -> np.ndarray:
    """So many rows: cluster centres first; then, again and again, `step` whose CMCSL label has the smallest margin."""
    X = halves.matrices["both"][0]
    rows = cluster_centres(X, step, halves.repetition)
    while len(rows) < count:
        known = halves.known(rows)
        if len(np.unique(halves.y[rows])) > 1:
            unsure = -CMCSLClassifier(**halves.parameters(known)).fit(halves.X, known).margin_
        else:
            # Labels of one class say nothing of where another one lies.
            unsure = cdist(X, X[rows]).min(axis=1)
        unsure[rows] = -np.inf
        rows = np.append(rows, np.argsort(-unsure, kind="stable")[: min(step, count - len(rows))])
    return rows


def _in_order(order: Callable[[Halves, int, int], np.ndarray]) -> Choice:
    """The first rows of one order for every budget; `order` takes a fold, how many rows are wanted, and k."""

    def choose(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
        rows = order(halves, max(budgets) * classes, classes)
        return [rows[: budget * classes] for budget in budgets]

    return choose


def _centres(modality: str) -> Choice:
    def choose(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
        return [
            cluster_centres(halves.matrices[modality][0], budget * classes, halves.repetition) for budget in budgets
        ]

    return choose


#: Each choice gives, for every budget, as many rows as there are classes times the budget; the page on the choice of
#: seeds says what each one is.
CHOICES: dict[str, Choice] = {
    PER_CLASS: lambda halves, budgets, classes: [halves.seeds(budget) for budget in budgets],
    RANDOM: _in_order(lambda halves, count, classes: halves.random(3).permutation(len(halves.y))),
    "farthest first": _in_order(lambda halves, count, classes: farthest_first(halves.matrices["both"][0], count)),
    "cluster centres": _centres("both"),
    "cluster centres, visual": _centres("visual"),
    "cluster centres, text": _centres("text"),
    "least sure": _in_order(least_sure),
}
ESTIMATORS = {"PRE": PrelabeledClassifier, "UNI": UnimodalClassifier, "CMCSL": CMCSLClassifier}


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of PRE, UNI and CMCSL with each choice of seeds on one fold."""
    classes = len(halves.features.classes)
    for choice, choose in CHOICES.items():
        for budget, rows in zip(budgets, choose(halves, budgets, classes), strict=True):
            known, count = halves.known(rows), len(np.unique(halves.y[rows]))
            for method, estimator in ESTIMATORS.items():
                columns = {"choice": choice, "classes_found": count}
                if count > 1:
                    fitted = estimator(**halves.parameters(known)).fit(halves.X, known)
                    yield from classifier_scores(fitted, halves, method, budget, known, **columns)
                else:
                    yield from constant_scores(halves, method, budget, halves.y[rows[0]], **columns)


SEEDS = Study(score, budgets=(1, 5, 20))
