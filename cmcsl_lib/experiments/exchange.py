"""Algorithm 1 on one training half, row by row: the label of each modality, and which one decides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES, Features
from ..files.errors import CmcslError
from ..method.distances import clusterings
from ..method.labeling import Clusters, CrossModalLabels, clustering, nearest, propagate
from .protocol import Fold, Protocol, check_budgets


class Exchange(NamedTuple):
    """Algorithm 1 on the rows of one training half with one budget.

    Parameters
    ----------
    seeds : ndarray of shape (c,), dtype int64
        Their rows in the half.
    clusters : list of Clusters
        One per modality; distances are those that NEAREST compares.
    labels : list of ndarray of shape (n,), dtype int64
        Pseudo-labels of each modality.
    both : CrossModalLabels
        After the exchange.
    """

    seeds: np.ndarray
    clusters: list[Clusters]
    labels: list[np.ndarray]
    both: CrossModalLabels


def exchanges(
    features: Features, protocol: Protocol, budgets: Sequence[int], fold: Fold, preprocessing: str = "L2STD"
) -> list[Exchange]:
    """Pseudo-labels of one training half of a dataset, for several budgets.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Decides on halves, seeds, preprocessing and distances.
    budgets : sequence of int
        Seeds per class.
    fold : Fold
        One of `Protocol.divide`; its training half is labelled.
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD"}
        Of both modalities.

    Returns
    -------
    list of Exchange
        One per budget.

    Raises
    ------
    CmcslError
        If a budget can't be drawn.
    """
    check_budgets(features, budgets, [fold])
    repetition, half, training, test = fold
    y = features.y[training]
    seeds = [protocol.draw_seeds(y, budget, repetition, half) for budget in budgets]
    of_modality = []
    for matrix in features.modalities:
        X, _ = protocol.preprocess(matrix[training], matrix[test], preprocessing)
        scale = protocol.distance_scale(X)
        # Of one budget, distances are those of the estimators to the last digit; of many, they are found faster.
        joined = clusterings(X, seeds) if len(seeds) > 1 else [clustering(X, rows) for rows in seeds]
        of_modality.append([Clusters(seed, distance / scale) for seed, distance in joined])
    results = []
    for rows, *clusters in zip(seeds, *of_modality, strict=True):
        labels = [propagate(each, y[rows]) for each in clusters]
        results.append(Exchange(rows, clusters, labels, nearest(labels, [each.distance for each in clusters])))
    return results


def exchange_table(
    features: Features, protocol: Protocol, budget: int, preprocessing: str = "L2STD", fold: int = 0
) -> pd.DataFrame:
    """Pseudo-labels of one training half of a dataset.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Decides on halves, seeds, preprocessing and distances.
    budget : int
        Seeds per class.
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD"}
        Of both modalities.
    fold : int
        Number of the fold, 0 to 9.

    Returns
    -------
    DataFrame
        One row per training row: id, true, seed (bool), for each modality M the columns M_label, M_distance and
        M_seed (id of the nearest seed), then label (cross-modal), decided_by, agree, right. Labels are class names.

    Raises
    ------
    CmcslError
        If there is no such fold, or the budget can't be drawn.
    """
    folds = protocol.divide(features)
    if not 0 <= fold < len(folds):
        raise CmcslError(f"Folds are numbered from 0 to {len(folds) - 1}, got {fold}.")
    [(seeds, clusters, labels, both)] = exchanges(features, protocol, [budget], folds[fold], preprocessing)
    training = folds[fold].training
    y, ids = features.y[training], features.ids[training]
    names = pd.Index(features.classes)
    table = pd.DataFrame({"id": ids, "true": names[y], "seed": False})
    table.loc[seeds, "seed"] = True
    for modality, cluster, label in zip(MODALITIES, clusters, labels, strict=True):
        table[f"{modality}_label"] = names[label]
        table[f"{modality}_distance"] = cluster.distance
        table[f"{modality}_seed"] = ids[seeds[cluster.seed]]
    table["label"] = names[both.label]
    table["decided_by"] = pd.Index(MODALITIES)[both.modality]
    table["agree"] = labels[0] == labels[1]
    table["right"] = both.label == y
    return table
