"""What missing modalities and wrong seed labels do to CMCSL, UNI and a classifier on the concatenation."""

from collections.abc import Iterator
from itertools import compress

import numpy as np
from sklearn.impute import SimpleImputer

from ..corpora.features import MODALITIES
from ..estimators import CMCSLClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from .base import PREPROCESSING, Halves, ScoreRow, Study, accuracy, classifier_scores, score_row

#: Shares of rows that lack one modality, and of seeds with a wrong label.
MISSING_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
WRONG_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
WRONG = "wrong seed labels"
MISSING = ("missing in training", "missing in test", "missing in both")
CONCATENATION = "concatenation"
DISTURBANCES = (*MISSING, WRONG)
COMPARED = ("CMCSL", "UNI", CONCATENATION)


def lacking(complete: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Index of the modality that each row lacks, either equally likely, or -1; a share of rows lack one.

    Rows that are to stay complete are spared, and the share is one of the others. From equal generators, a larger
    share takes the same rows and more.
    """
    order = random.permutation(np.flatnonzero(~complete))
    which = random.integers(len(MODALITIES), size=len(complete))
    lacks = np.full(len(complete), -1)
    rows = order[: round(share * len(order))]
    lacks[rows] = which[rows]
    return lacks


def wrong_labels(known: np.ndarray, classes: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Class of each seed, -1 in other rows, where at most this share (up to 0.5) is wrong in every class.

    A wrong label is one of the other classes, all equally likely; no class loses its only seed. From equal generators,
    a larger share has the same wrong labels and more.
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
    for index, (name, matrix) in enumerate(zip(MODALITIES, halves.features.modalities, strict=True)):
        present, present_test, columns = lacks != index, lacks_test != index, halves.columns[name]
        training, test = halves.protocol.preprocess(
            matrix[halves.training[present]], matrix[halves.test[present_test]], PREPROCESSING
        )
        scale = halves.protocol.distance_scale(training)
        X[present, columns], X_test[present_test, columns] = training / scale, test / scale
    return X, X_test


def filled(halves: Halves, lacks: np.ndarray, lacks_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows of the concatenation, gaps filled by the mean of the training rows that are there."""
    raw = np.hstack(halves.features.modalities)
    training, test = raw[halves.training], raw[halves.test]
    for index, name in enumerate(MODALITIES):
        training[lacks == index, halves.columns[name]] = np.nan
        test[lacks_test == index, halves.columns[name]] = np.nan
    imputer = SimpleImputer().fit(training)
    return halves.protocol.preprocess(imputer.transform(training), imputer.transform(test), PREPROCESSING)


def methods(halves: Halves, known: np.ndarray) -> dict[str, ModalityClassifier]:
    """The methods that are compared: two that fuse what modalities say, and UNI on their concatenation."""
    common = halves.parameters(known)
    return {
        "CMCSL": CMCSLClassifier(**common),
        "UNI": UnimodalClassifier(**common),
        CONCATENATION: UnimodalClassifier(**common | {"modalities": None}),
    }


def missing_modalities(halves: Halves, budget: int) -> Iterator[ScoreRow]:
    """Scores of the fusion where rows lack a modality: in training, in test or in both.

    Seeds are complete: who labels a seed looks at all of it, and what happens to a class that has lost its seeds in
    one modality would be another question.
    """
    known = halves.known(halves.seeds(budget))
    gaps, gaps_test = (
        {share: lacking(complete, share, halves.random(purpose)) for share in MISSING_SHARES}
        for purpose, complete in enumerate((known >= 0, np.zeros(len(halves.test), dtype=bool)))
    )
    for share_training in MISSING_SHARES:
        # What is missing in test alone is tried on the classifiers that were trained on complete rows.
        shares_test = MISSING_SHARES if share_training == 0 else (0.0, share_training)
        for method, estimator in methods(halves, known).items():
            prepare = filled if method == CONCATENATION else with_gaps
            matrices = [prepare(halves, gaps[share_training], gaps_test[share]) for share in shares_test]
            fitted = estimator.fit(matrices[0][0], known)
            for share, (_, X_test) in zip(shares_test, matrices, strict=True):
                reached = accuracy(halves.y_test, fitted.predict(X_test))
                # Without gaps all three disturbances are the same.
                belongs = (share == 0, share_training == 0, share_training == share)
                larger = max(share_training, share)
                for disturbance in compress(MISSING, belongs):
                    yield score_row(method, "both", budget, reached, disturbance=disturbance, share=larger)


def wrong_seed_labels(halves: Halves, budget: int) -> Iterator[ScoreRow]:
    """Scores in each modality and of the fusion where seeds have wrong labels.

    Shares are those of `WRONG_SHARES` that so many seeds per class can have.
    """
    known = halves.known(halves.seeds(budget))
    for share in sorted({_whole(share * budget) / budget for share in WRONG_SHARES}):
        labels = wrong_labels(known, len(halves.features.classes), share, halves.random(2))
        for method, estimator in methods(halves, labels).items():
            if method == CONCATENATION:
                X, X_test = halves.matrices["both"]
                reached = accuracy(halves.y_test, estimator.fit(X, labels).predict(X_test))
                yield score_row(method, "both", budget, reached, disturbance=WRONG, share=share)
            else:
                fitted = estimator.fit(halves.X, labels)
                yield from classifier_scores(fitted, halves, method, budget, labels, disturbance=WRONG, share=share)


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of all methods under all disturbances on one fold."""
    for budget in budgets:
        yield from missing_modalities(halves, budget)
        yield from wrong_seed_labels(halves, budget)


ROBUSTNESS = Study(score, budgets=(5, 20))
