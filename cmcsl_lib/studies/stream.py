"""CMCSL on a stream of real items, in the order of their times: the paper's first direction of future work.

The items of a dataset come in chunks, once in the order in which they were made, such as films by their years, and once
in random order. Every chunk is scored before it is learnt; what the classifiers lose on later chunks of the one order
and not of the other is drift. The first chunk lasts until every class has its seeds, each later one brings `LATER` more
of each of its classes. Folds only number the repetitions, which draw other seeds and another random order: nothing is
held out, since every item is a test item when it comes.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..corpora import times
from ..corpora.features import Features
from ..estimators import CMCSLClassifier
from ..files.errors import CmcslError
from .base import Halves, ScoreRow, Study, accuracy, pseudo_label_accuracy, score_row

METHODS = ("PRE", "UNI", "CMCSL")
ORDERS = ("time", "random")
CHUNKS = 10
#: Seeds of each class in a chunk that is not the first.
LATER = 1


def by_time(features: Features) -> np.ndarray:
    """Rows that have a time, in its order; items of the same time by their identifiers.

    Parameters
    ----------
    features : Features

    Returns
    -------
    ndarray of int64

    Raises
    ------
    CmcslError
        If the corpus does not tell when its items were made, or is not on this machine.
    """
    time = times(features.corpus, features.ids)
    rows = np.flatnonzero(~np.isnan(time))
    if not len(rows):
        raise CmcslError(f"No item of {features.corpus}/{features.dataset} has a time, so that they make no stream.")
    return rows[np.lexsort((features.ids[rows], time[rows]))]


def chunks(y: np.ndarray, classes: int, budget: int) -> list[np.ndarray]:
    """Divide a stream into chunks.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
        Class of each row, in the order of the stream.
    classes : int
        Number of classes.
    budget : int
        Seeds of each class in the first chunk.

    Returns
    -------
    list of ndarray of int64
        At most `CHUNKS`: the first has a share of the rows, or more until each class has stood `budget` times; the
        others have equally many of what remains, or one more.

    Raises
    ------
    CmcslError
        If nothing remains.
    """
    counted = [np.flatnonzero(y == label) for label in range(classes)]
    if min(map(len, counted)) < budget:
        raise CmcslError(f"of one class only {min(map(len, counted))} items have a time")
    first = max(-(-len(y) // CHUNKS), *(rows[budget - 1] + 1 for rows in counted))
    if first == len(y):
        raise CmcslError("no item comes after them")
    later = np.array_split(np.arange(first, len(y)), CHUNKS - 1)
    return [np.arange(first), *(rows for rows in later if len(rows))]


def draw_seeds(y: np.ndarray, parts: list[np.ndarray], budget: int, random: np.random.Generator) -> np.ndarray:
    """Class of each row of a stream that is a seed, -1 in all others.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
    parts : list of ndarray of int64
        Rows of each chunk.
    budget : int
        Seeds of each class in the first chunk; in later ones `LATER`, of the classes that are there.
    random : Generator
    """
    known = np.full(len(y), -1)
    for number, rows in enumerate(parts):
        for label in np.unique(y[rows]):
            members = rows[y[rows] == label]
            known[random.choice(members, min(LATER if number else budget, len(members)), replace=False)] = label
    return known


def prequential(
    method: str,
    X: np.ndarray,
    y: np.ndarray,
    known: np.ndarray,
    parts: list[np.ndarray],
    parameters: dict[str, Any],
) -> Iterator[tuple[int, str, float, float]]:
    """Score one method on each chunk but the first, before it learns from it.

    Parameters
    ----------
    method : {"PRE", "UNI", "CMCSL"}
        PRE learns from the seeds alone, UNI in each modality by itself.
    X : ndarray of shape (n, d)
        Features of both modalities, preprocessed, in the order of the stream.
    y, known : ndarray of shape (n,), dtype int64
        True classes, and those of the seeds, -1 in all other rows.
    parts : list of ndarray of int64
        Rows of each chunk.
    parameters : dict
        Of `CMCSLClassifier`, the columns of each modality among them.

    Yields
    ------
    chunk : int
        From 1.
    modality : str
    balanced_accuracy : float
        Over the classes that stand in the chunk.
    pseudo_label_accuracy : float
        Of the chunk once it is learnt; NaN if it has no pseudo-labels.
    """
    columns = parameters["modalities"]
    groups = [columns] if method == "CMCSL" else [{name: part} for name, part in columns.items()]
    for group in groups:
        model = CMCSLClassifier(**parameters | {"modalities": group})
        for number, rows in enumerate(parts):
            predictions = model.predict_by_modality(X[rows]) if number else {}
            learnt = rows[known[rows] >= 0] if method == "PRE" else rows
            model.partial_fit(X[learnt], known[learnt])
            for name, predicted in predictions.items():
                labels = model.transduction_by_modality_[name]
                right = pseudo_label_accuracy(y[learnt], labels, known[learnt])
                yield number, name, accuracy(y[rows], predicted), right


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of one repetition, with columns order, chunk, its items, and their mean time."""
    features, dated = halves.features, by_time(halves.features)
    time = times(features.corpus, features.ids)
    for place, order in enumerate(ORDERS):
        rows = halves.random(0).permutation(dated) if order == "random" else dated
        y = features.y[rows]
        for budget in budgets:
            try:
                parts = chunks(y, len(features.classes), budget)
            except CmcslError as reason:
                raise CmcslError(
                    f"The stream of {features.corpus}/{features.dataset} can't begin with {budget} seeds per class, "
                    f"since {reason}: take fewer."
                ) from None
            first = len(parts[0])
            stream = replace(halves, training=rows[:first], test=rows[first:])
            X = np.vstack([stream.X, stream.X_test])
            known = draw_seeds(y, parts, budget, halves.random(1, place, budget))
            parameters = stream.parameters(known[:first])
            for method in METHODS:
                for number, modality, reached, right in prequential(method, X, y, known, parts, parameters):
                    chunk = rows[parts[number]]
                    about = {"chunk": number, "items": len(chunk), "time": time[chunk].mean()}
                    yield score_row(method, modality, budget, reached, right, order=order, **about)


STREAM = Study(score, budgets=(5,), check=by_time)


def ordered(corpus: str) -> bool:
    """Whether a corpus tells when its items were made.

    Parameters
    ----------
    corpus : str

    Returns
    -------
    bool
        False also where its items are not on this machine.
    """
    try:
        times(corpus, np.array([], dtype=str))
    except CmcslError:
        return False
    return True


def dated_items(features: Features) -> dict[str, int | float]:
    """How many items of a dataset a stream has, and leaves out.

    Parameters
    ----------
    features : Features

    Returns
    -------
    dict
        items, without_time, first and last, the times of the stream's ends.

    Raises
    ------
    CmcslError
        As `by_time`.
    """
    rows = by_time(features)
    time = times(features.corpus, features.ids)[rows]
    return {"items": len(rows), "without_time": len(features.y) - len(rows), "first": time.min(), "last": time.max()}


def drift_by_chunk(scores: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy in the order of time minus that in random order.

    Parameters
    ----------
    scores : DataFrame
        Of the study.

    Returns
    -------
    DataFrame
        One row per dataset, budget, method, modality and chunk, averaged over repetitions: these, time, random,
        difference.
    """
    names = ["dataset", "budget", "method", "modality", "chunk"]
    table = scores.pivot_table(index=names, columns="order", values="balanced_accuracy", sort=False)
    return table[list(ORDERS)].eval("difference = time - random").rename_axis(columns=None).reset_index()
