"""Labels truly used: what the items teach whose labels the visual network was fine-tuned with.

Before a single seed is drawn, fine-tuning has seen the labels of a fifth of all items. A classifier of texts can learn
from the same items, and needs no propagation. Only texts will do: the network knows those items' pictures.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.naive_bayes import GaussianNB

from ..analysis.labels import ITEMS, WITH_SEEDS
from ..corpora.features import Features, FinetuningItems
from ..files.errors import Absent
from .base import PREPROCESSING, Halves, ScoreRow, Study, accuracy, score_row

MODALITY = "text"


def finetuning_items(features: Features) -> FinetuningItems:
    """Items that the visual network was fine-tuned on.

    Parameters
    ----------
    features : Features
        Of one dataset.

    Returns
    -------
    FinetuningItems
        At least one.

    Raises
    ------
    Absent
        If there are none, or the features do not say which.
    """
    items = features.finetuning
    if items is None or not len(items.y):
        raise Absent(
            f"The features of {features.corpus}/{features.dataset} name no items that their visual network was "
            "fine-tuned on: the study takes features that `cmcsl extract` made with fine-tuning."
        )
    return items


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of naive Bayes trained on the fine-tuning items' texts, and on these and the seeds.

    Preprocessing is fitted to the training half, as for all methods, and classes are weighted by the protocol. Items
    and seeds count alike.

    Yields
    ------
    dict
        One row per budget and method, all in the text modality; n_labels is the number of labels that the classifier
        was trained on. The items alone have the same score at every budget.
    """
    items = finetuning_items(halves.features)
    matrix = halves.features.text
    X, X_test = halves.protocol.preprocess(matrix[halves.training], matrix[halves.test], PREPROCESSING)
    _, X_items = halves.protocol.preprocess(matrix[halves.training], items.text, PREPROCESSING)

    def accuracy_with(seeds: np.ndarray) -> float:
        y = np.concatenate([items.y, halves.y[seeds]])
        weights = halves.protocol.weights(halves.y, y)[y]
        classifier = GaussianNB().fit(np.vstack([X_items, X[seeds]]), y, sample_weight=weights)
        return accuracy(halves.y_test, classifier.predict(X_test))

    alone = accuracy_with(np.array([], dtype=np.int64))
    for budget in budgets:
        seeds = halves.seeds(budget)
        yield score_row(ITEMS, MODALITY, budget, alone, n_labels=len(items.y))
        yield score_row(WITH_SEEDS, MODALITY, budget, accuracy_with(seeds), n_labels=len(items.y) + len(seeds))


FINETUNING = Study(score, budgets=(1, 2, 5, 10, 20), check=finetuning_items)
