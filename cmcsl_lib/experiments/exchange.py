"""Algorithm 1 on one training half, row by row: the label of each modality, and which one decides."""

import pandas as pd

from ..corpora.features import MODALITIES, Features
from ..method.labeling import clustering, nearest, propagate
from .protocol import Protocol, check_budgets


def exchange_table(features: Features, protocol: Protocol, budget: int, preprocessing: str = "L2STD") -> pd.DataFrame:
    """Pseudo-labels of the first training half of a dataset.

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

    Returns
    -------
    DataFrame
        One row per training row: id, true, seed (bool), for each modality M the columns M_label, M_distance and
        M_seed (id of the nearest seed), then label (cross-modal), decided_by, agree, right. Labels are class names.
    """
    first = protocol.divide(features)[0]
    check_budgets(features, [budget], [first])
    repetition, fold, training, test = first
    y, ids = features.y[training], features.ids[training]
    names = pd.Index(features.classes)
    seeds = protocol.draw_seeds(y, budget, repetition, fold)
    table = pd.DataFrame({"id": ids, "true": names[y], "seed": False})
    table.loc[seeds, "seed"] = True
    labels, distances = [], []
    for modality, matrix in zip(MODALITIES, features.modalities, strict=True):
        X, _ = protocol.preprocess(matrix[training], matrix[test], preprocessing)
        clusters = clustering(X, seeds)
        labels.append(propagate(clusters, y[seeds]))
        distances.append(clusters.distance / protocol.distance_scale(X))
        table[f"{modality}_label"] = names[labels[-1]]
        table[f"{modality}_distance"] = distances[-1]
        table[f"{modality}_seed"] = ids[seeds[clusters.seed]]
    exchanged = nearest(labels, distances)
    table["label"] = names[exchanged.label]
    table["decided_by"] = pd.Index(MODALITIES)[exchanged.modality]
    table["agree"] = labels[0] == labels[1]
    table["right"] = exchanged.label == y
    return table
