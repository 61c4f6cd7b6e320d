"""Who decides: which modality CMCSL's labels come from, how often they are right, and what the distances depend on.

NEAREST compares distances as they are. They grow with the number of directions in which the features vary, so that a
modality may decide nearly everything by its geometry alone, whatever it knows.
"""

from collections.abc import Iterator

import numpy as np

from ..corpora.features import MODALITIES
from ..method.distances import clusterings
from ..method.labeling import nearest, propagate
from .base import Halves, ScoreRow, Study, accuracy, pseudo_label_accuracy, score_row
from .placement import effective_dimension

METHOD = "CMCSL"


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """What each modality decides on one fold, and what its nearest seeds say by themselves.

    A label comes from the modality that is nearer to its seed, also where the other one says the same; a tie counts for
    the first modality, as in Algorithm 1. No classifier is trained.

    Yields
    ------
    dict
        One row per budget and modality. All are measured on the training rows without a label: balanced_accuracy (of
        the labels that the modality's own nearest seeds give), pseudo_label_accuracy (of those labels of CMCSL that
        come from the modality, NaN if none does), decided (share of CMCSL's labels that do); and on all training rows
        after L2STD: dimension (effective dimension, NaN where there are too few rows to tell) and width (number of
        features).
    """
    seeds = {budget: halves.seeds(budget) for budget in budgets}
    X = [halves.matrices[modality][0] for modality in MODALITIES]
    with np.errstate(invalid="ignore", divide="ignore"):
        dimensions = [effective_dimension(matrix, halves.y) for matrix in X]
    of_modality = [clusterings(matrix, list(seeds.values())) for matrix in X]
    for (budget, rows), *clusters in zip(seeds.items(), *of_modality, strict=True):
        known = halves.known(rows)
        hidden = known < 0
        labels = [propagate(cluster, halves.y[rows]) for cluster in clusters]
        exchanged = nearest(labels, [cluster.distance for cluster in clusters])
        for place, modality in enumerate(MODALITIES):
            decides = exchanged.modality == place
            yield score_row(
                METHOD,
                modality,
                budget,
                accuracy(halves.y[hidden], labels[place][hidden]) if hidden.any() else np.nan,
                pseudo_label_accuracy(halves.y, np.where(decides, exchanged.label, -1), known),
                decided=float(decides[hidden].mean()) if hidden.any() else np.nan,
                dimension=float(dimensions[place]),
                width=X[place].shape[1],
            )


DECISIONS = Study(score, budgets=(1, 5, 20))
