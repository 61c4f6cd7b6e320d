"""What missing modalities and wrong seed labels do to CMCSL, UNI and a classifier on the concatenation."""

from collections.abc import Iterator

import numpy as np
from sklearn.impute import SimpleImputer

from ..corpora.features import MODALITIES
from ..estimators import CMCSLClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from .grid import PREPROCESSING, Halves, Scored, Study, accuracy, scored

#: Shares of rows that lack one modality, and of seeds with a wrong label.
MISSING_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
WRONG_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
WRONG = "wrong seed labels"
MISSING = ("missing in training", "missing in test", "missing in both")
CONCATENATION = "concatenation"
DISTURBANCES = (*MISSING, WRONG)
COMPARED = ("CMCSL", "UNI", CONCATENATION)


def lacking(complete: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Which modality each row lacks: a given share of the rows lack one, either equally likely.

    Parameters
    ----------
    complete : ndarray of shape (n,), dtype bool
        Rows that are spared; the share is one of the others.
    share : float
        In [0, 1]. From equal generators, a larger share takes the same rows and more.
    random : Generator

    Returns
    -------
    ndarray of shape (n,), dtype int64
        Index of the modality that the row lacks, -1 if it has both.
    """
    order = random.permutation(np.flatnonzero(~complete))
    which = random.integers(len(MODALITIES), size=len(complete))
    lacks = np.full(len(complete), -1)
    rows = order[: round(share * len(order))]
    lacks[rows] = which[rows]
    return lacks


def wrong_labels(known: np.ndarray, classes: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Labels of the seeds, of which a given share is wrong in every class.

    Parameters
    ----------
    known : ndarray of shape (n,), dtype int64
        Class of each seed, -1 in all other rows.
    classes : int
        k, at least 2. A wrong label is one of the other classes, all equally likely.
    share : float
        In [0, 0.5]; of a class so many seeds that they are at most this share, so that no class loses its only one.
        From equal generators, a larger share has the same wrong labels and more.
    random : Generator

    Returns
    -------
    ndarray of shape (n,), dtype int64
    """
    labels, order = known.copy(), random.permutation(len(known))
    shift = random.integers(1, classes, size=len(known))
    for label in range(classes):
        seeds = order[known[order] == label]
        wrong = seeds[: _whole(share * len(seeds))]
        labels[wrong] = (label + shift[wrong]) % classes
    return labels


def _whole(count: float) -> int:
    """A count rounded down, but for what a product like 0.3 * 20 lacks of a whole number."""
    return int(count + 1e-9)


def with_gaps(halves: Halves, lacks: np.ndarray, lacks_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows of both modalities side by side, NaN where a row lacks one.

    Preprocessing is fitted to the rows that are there.
    """
    width = sum(matrix.shape[1] for matrix in halves.features.modalities)
    X, X_test = (np.full((len(rows), width), np.nan) for rows in (lacks, lacks_test))
    for place, (name, matrix) in enumerate(zip(MODALITIES, halves.features.modalities, strict=True)):
        present, present_test = lacks != place, lacks_test != place
        pair = halves.protocol.preprocess(
            matrix[halves.training[present]], matrix[halves.test[present_test]], PREPROCESSING
        )
        X[present, halves.columns[name]], X_test[present_test, halves.columns[name]] = (
            part / halves.protocol.distance_scale(part) for part in pair
        )
    return X, X_test


def filled(halves: Halves, lacks: np.ndarray, lacks_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows of the concatenation, gaps filled by the mean of the training rows that are there."""
    raw = np.hstack(halves.features.modalities)
    parts = []
    for rows, missing in ((halves.training, lacks), (halves.test, lacks_test)):
        part = raw[rows]
        for place, name in enumerate(MODALITIES):
            part[missing == place, halves.columns[name]] = np.nan
        parts.append(part)
    imputer = SimpleImputer().fit(parts[0])
    return halves.protocol.preprocess(*map(imputer.transform, parts), PREPROCESSING)


def methods(halves: Halves, known: np.ndarray) -> dict[str, ModalityClassifier]:
    """The methods that are compared: two that fuse what modalities say, and UNI on their concatenation."""
    common = halves.parameters(known)
    return {
        "CMCSL": CMCSLClassifier(**common),
        "UNI": UnimodalClassifier(**common),
        CONCATENATION: UnimodalClassifier(**common | {"modalities": None}),
    }


def missing_modalities(halves: Halves, budget: int) -> Iterator[Scored]:
    """Scores of the fusion where rows lack a modality: in training, in test or in both. Seeds are complete.

    Who labels a seed looks at all of it; and a class that has lost its seeds in one modality would be another question
    than what missing modalities do.
    """
    known = halves.known(halves.seeds(budget))
    gaps, gaps_test = (
        {share: lacking(complete, share, halves.random(purpose)) for share in MISSING_SHARES}
        for purpose, complete in enumerate((known >= 0, np.zeros(len(halves.test), dtype=bool)))
    )
    for share_training in MISSING_SHARES:
        # What is missing in test alone is tried on the classifiers that were trained on complete rows.
        shares_test = MISSING_SHARES if share_training == 0 else (0.0, share_training)
        pairs = {
            make: [make(halves, gaps[share_training], gaps_test[share]) for share in shares_test]
            for make in (with_gaps, filled)
        }
        for method, estimator in methods(halves, known).items():
            matrices = pairs[filled if method == CONCATENATION else with_gaps]
            fitted = estimator.fit(matrices[0][0], known)
            for share, (_, X_test) in zip(shares_test, matrices, strict=True):
                reached = accuracy(halves.y_test, fitted.predict(X_test))
                for where in _conditions(share_training, share):
                    yield {
                        "method": method,
                        "modality": "both",
                        "budget": budget,
                        "disturbance": where,
                        "share": max(share_training, share),
                        "balanced_accuracy": reached,
                        "pseudo_label_accuracy": np.nan,
                    }


def _conditions(training: float, test: float) -> list[str]:
    """Which of `MISSING` these shares of gaps belong to; all of them where there are none."""
    conditions = dict(zip(MISSING, (test == 0, training == 0, training == test), strict=True))
    return [where for where, belongs in conditions.items() if belongs]


def wrong_seed_labels(halves: Halves, budget: int) -> Iterator[Scored]:
    """Scores in each modality and of the fusion where seeds have wrong labels.

    Shares are those of `WRONG_SHARES` that so many seeds per class can have.
    """
    known = halves.known(halves.seeds(budget))
    for share in sorted({_whole(share * budget) / budget for share in WRONG_SHARES}):
        labels = wrong_labels(known, len(halves.features.classes), share, halves.random(2))
        more = {"disturbance": WRONG, "share": share}
        for method, estimator in methods(halves, labels).items():
            if method == CONCATENATION:
                X, X_test = halves.alone["both"]
                yield {
                    "method": method,
                    "modality": "both",
                    "budget": budget,
                    "pseudo_label_accuracy": np.nan,
                    "balanced_accuracy": accuracy(halves.y_test, estimator.fit(X, labels).predict(X_test)),
                    **more,
                }
            else:
                yield from scored(estimator.fit(halves.X, labels), halves, method, budget, labels, **more)


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[Scored]:
    """Scores of all methods under all disturbances on one fold."""
    for budget in budgets:
        yield from missing_modalities(halves, budget)
        yield from wrong_seed_labels(halves, budget)


ROBUSTNESS = Study(score, budgets=(5, 20))
