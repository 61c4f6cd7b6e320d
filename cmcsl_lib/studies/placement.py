"""Where real datasets lie on the map of the simulation.

A dataset's place is its number of classes, the strength of each modality (FULL, adjusted for chance) and the dependence
of the modalities' errors.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from ..analysis.effects import gains
from ..corpora.dataset_classes import datasets as catalogue
from ..corpora.dataset_classes import kind
from ..corpora.features import MODALITIES, Features, load_features
from ..experiments.grid import full_fits, predictions
from ..experiments.protocol import Protocol, protocol
from ..experiments.published import load_published
from .strengths import adjusted


def positions(scores: pd.DataFrame) -> pd.DataFrame:
    """Strength of both modalities of datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3 of one corpus and protocol, of which the rows of FULL are used.

    Returns
    -------
    DataFrame
        One row per dataset: dataset, kind, classes (k), visual, text (strengths).
    """
    full = scores[(scores.method == "FULL") & scores.modality.isin(MODALITIES)]
    means = full.pivot_table(index="dataset", columns="modality", values="balanced_accuracy", sort=False)
    classes = catalogue(full.corpus.iloc[0], list(means.index))
    k = np.array([len(classes[dataset]) for dataset in means.index])
    strengths = {modality: adjusted(means[modality].to_numpy(), k) for modality in MODALITIES}
    kinds = [kind(classes[dataset]) for dataset in means.index]
    return pd.DataFrame({"dataset": means.index, "kind": kinds, "classes": k, **strengths})


def with_features(place: pd.DataFrame, corpus: str, rules: Protocol | str) -> pd.DataFrame:
    """Positions of a corpus's datasets, with what is measured on their features.

    Parameters
    ----------
    place : DataFrame
        From `positions`.
    corpus : str
        Name of the corpus.
    rules : Protocol or {"strict", "paper"}
        The protocol, or its name.

    Returns
    -------
    DataFrame
        Further columns dependence (of errors, `error_dependence`), dimension_visual, dimension_text (effective
        dimensions of the first training half after L2STD).

    Raises
    ------
    CmcslError
        If features are missing.
    """
    rows = [_measured(load_features(corpus, name), protocol(rules)) for name in place.dataset]
    columns = ["dependence", *(f"dimension_{modality}" for modality in MODALITIES)]
    return pd.concat([place, pd.DataFrame(rows, columns=columns, index=place.index)], axis=1)


def _measured(features: Features, rules: Protocol) -> list[float]:
    """Dependence and effective dimensions of one dataset."""
    truth, missed = [], []
    dimensions: list[float] = []
    for fold in rules.divide(features):
        y, y_test = features.y[fold.training], features.y[fold.test]
        X = {
            modality: rules.preprocess(matrix[fold.training], matrix[fold.test], "L2STD")
            for modality, matrix in zip(MODALITIES, features.modalities, strict=True)
        }
        _, predicted = predictions(X, list(full_fits(y, rules, ("FULL",))), "GNB", rules, late_fusion=False)
        truth.append(y_test)
        missed.append(predicted != y_test)
        dimensions = dimensions or [effective_dimension(X[modality][0], y) for modality in MODALITIES]
    return [error_dependence(np.concatenate(truth), *np.hstack(missed)), *dimensions]


def effective_dimension(X: np.ndarray, y: np.ndarray) -> float:
    """Number of directions in which the rows of a class vary, (tr S)**2 / tr S**2 of their covariance S.

    It is D for noise of equal variance in D directions. With m = n - k degrees of freedom tr S**2 is estimated without
    bias under normality, as m**2 / ((m - 1) (m + 2)) (tr s**2 - (tr s)**2 / m) from the sample covariance s [1]_.

    References
    ----------
    .. [1] M. S. Srivastava, "Some tests concerning the covariance matrix in high dimensional data", Journal of the
       Japan Statistical Society 35 (2), 2005.
    """
    means = np.array([X[y == label].mean(axis=0) for label in range(y.max() + 1)])
    m = len(y) - len(means)
    variances = np.linalg.svd(X - means[y], compute_uv=False) ** 2 / m
    trace = variances.sum()
    return trace**2 * (m - 1) * (m + 2) / m**2 / ((variances**2).sum() - trace**2 / m)


def error_dependence(y: np.ndarray, visual: np.ndarray, text: np.ndarray) -> float:
    """Tetrachoric correlation of two classifiers' errors given the class, averaged over items.

    Half an item is added to each of the four cells (missed by both, one, the other, none) of a class, without which an
    empty cell makes the correlation 1 or -1. `visual` and `text` are masks of the rows whose class is missed.
    """
    labels, counts = np.unique(y, return_counts=True)
    correlations = []
    for label, count in zip(labels, counts, strict=True):
        one, other, n = visual[y == label], text[y == label], count + 2
        correlations.append(tetrachoric(((one & other).sum() + 0.5) / n, (one.sum() + 1) / n, (other.sum() + 1) / n))
    return float(np.average(correlations, weights=counts))


def tetrachoric(both: float, first: float, second: float) -> float:
    """Correlation of two standard normal variables that exceed their thresholds with these probabilities.

    `both` of them exceed theirs, and the `first` and the `second` does; the latter two lie in (0, 1). The result is in
    [-0.999, 0.999]: the nearer end where no correlation in between will do.
    """
    thresholds = -ndtri([first, second])

    def excess(rho: float) -> float:
        return multivariate_normal.cdf(-thresholds, cov=[[1, rho], [rho, 1]]) - both

    lowest, highest = -0.999, 0.999
    if excess(lowest) >= 0:
        return lowest
    return highest if excess(highest) <= 0 else brentq(excess, lowest, highest, xtol=1e-6)


def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Positions and gains of the paper's datasets, from the published scores.

    Dependence is unknown, since there are no features.

    Returns
    -------
    positions : DataFrame
        As `positions` gives them.
    gains : DataFrame
        As `analysis.effects.gains` gives them by budget.
    """
    scores = load_published(3)
    scores = scores[scores.classifier == "GNB"]
    return positions(scores), gains(scores, ["budget"])
