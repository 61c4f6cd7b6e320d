"""Which rows are worth a label: active choices of the seeds against random ones, at an equal number of labels.

The paper draws the same number of seeds from every class, which takes someone who knows the classes beforehand. Who
chooses rows to be labelled does not: all other choices here look at features alone, or at what earlier labels say, and
may miss a class.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from ..corpora.features import MODALITIES
from ..estimators import CMCSLClassifier, PrelabeledClassifier, UnimodalClassifier
from .grid import Halves, Scored, Study, accuracy, scored

PER_CLASS = "random per class"
RANDOM = "random"


def farthest_first(X: np.ndarray, count: int) -> np.ndarray:
    """Rows so that each one is farthest from those before it, the first one nearest to the mean.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
    count : int
        In 1..n.

    Returns
    -------
    ndarray of shape (count,), dtype int64
    """
    rows = [int(cdist(X, X.mean(axis=0, keepdims=True)).argmin())]
    distance = cdist(X, X[rows])[:, 0]
    while len(rows) < count:
        rows.append(int(distance.argmax()))
        distance = np.minimum(distance, cdist(X, X[rows[-1:]])[:, 0])
    return np.array(rows)


def cluster_centres(X: np.ndarray, count: int, random_state: int) -> np.ndarray:
    """The row nearest to the mean of each of so many k-means clusters.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
    count : int
        In 1..n.
    random_state : int

    Returns
    -------
    ndarray of shape (count,), dtype int64
        Clusters that k-means leaves empty, as where rows are equal, are made up for by the farthest rows.
    """
    fitted = KMeans(count, n_init=1, random_state=random_state).fit(X)
    own = np.linalg.norm(X - fitted.cluster_centers_[fitted.labels_], axis=1)
    rows = np.array(
        [
            members[own[members].argmin()]
            for members in (np.flatnonzero(fitted.labels_ == label) for label in np.unique(fitted.labels_))
        ]
    )
    while len(rows) < count:
        distance = cdist(X, X[rows]).min(axis=1)
        distance[rows] = -1
        rows = np.append(rows, distance.argmax())
    return rows


def least_sure(halves: Halves, count: int, step: int) -> np.ndarray:
    """Cluster centres first; then, again and again, the rows whose CMCSL label has the smallest margin.

    Parameters
    ----------
    count : int
        Rows in all.
    step : int
        Rows of a round, the first one included.

    Returns
    -------
    ndarray of shape (count,), dtype int64
        In the order in which they are chosen.
    """
    X = halves.alone["both"][0]
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


def _random(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
    order = halves.random(3).permutation(len(halves.y))
    return [order[: budget * classes] for budget in budgets]


def _farthest(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
    order = farthest_first(halves.alone["both"][0], max(budgets) * classes)
    return [order[: budget * classes] for budget in budgets]


def _centres(modality: str) -> Callable[[Halves, tuple[int, ...], int], list[np.ndarray]]:
    def choose(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
        return [cluster_centres(halves.alone[modality][0], budget * classes, halves.repetition) for budget in budgets]

    return choose


def _least_sure(halves: Halves, budgets: tuple[int, ...], classes: int) -> list[np.ndarray]:
    order = least_sure(halves, max(budgets) * classes, classes)
    return [order[: budget * classes] for budget in budgets]


#: Each choice gives, for every budget, as many rows as there are classes times the budget; the page on the choice of
#: seeds says what each one is.
CHOICES = {
    PER_CLASS: lambda halves, budgets, classes: [halves.seeds(budget) for budget in budgets],
    RANDOM: _random,
    "farthest first": _farthest,
    "cluster centres": _centres("both"),
    "cluster centres, visual": _centres("visual"),
    "cluster centres, text": _centres("text"),
    "least sure": _least_sure,
}
ESTIMATORS = {"PRE": PrelabeledClassifier, "UNI": UnimodalClassifier, "CMCSL": CMCSLClassifier}


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[Scored]:
    """Scores of PRE, UNI and CMCSL with each choice of seeds on one fold.

    Where all seeds are of one class, there is nothing to learn: this class is predicted for all rows.
    """
    classes = len(halves.features.classes)
    for choice, choose in CHOICES.items():
        for budget, rows in zip(budgets, choose(halves, budgets, classes), strict=True):
            known, count = halves.known(rows), len(np.unique(halves.y[rows]))
            for method, make in ESTIMATORS.items():
                more = {"choice": choice, "classes_found": count}
                if count > 1:
                    fitted = make(**halves.parameters(known)).fit(halves.X, known)
                    yield from scored(fitted, halves, method, budget, known, **more)
                    continue
                constant = accuracy(halves.y_test, np.full(len(halves.test), halves.y[rows[0]]))
                for modality in (*MODALITIES, "both"):
                    yield {
                        "method": method,
                        "modality": modality,
                        "budget": budget,
                        "balanced_accuracy": constant,
                        "pseudo_label_accuracy": np.nan,
                        **more,
                    }


SEEDS = Study(score, budgets=(1, 5, 20))
