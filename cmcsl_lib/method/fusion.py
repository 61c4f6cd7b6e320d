"""Fusion of classifiers whose probabilities are not what they say: one temperature and one weight per modality.

Naive Bayes on hundreds of features gives probabilities close to 0 or 1, also where it is wrong. What a classifier says
of rows that it has not learnt shows by how much: the logarithms of its probabilities are divided by the temperature at
which the labels of such rows are most likely. Then the mean means something; it is weighted by how often modalities are
right on seeds that they have not learnt.
"""

from collections.abc import Sequence

import numpy as np

from .calibrated import normalised

#: Temperatures that are compared.
TEMPERATURES = 2.0 ** np.arange(-3, 10.5, 0.5)
#: In so many parts rows are held out, one after the other.
PARTS = 3


def held_out_parts(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Divide rows into parts with equal shares of every class, and of its seeds.

    Parameters
    ----------
    labels : ndarray of shape (n,), dtype int64
        Class of each row.
    seeds : ndarray of shape (n,), dtype bool
        Which ones are known.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        Number of each row's part, in 0..PARTS-1. Of a class with two rows or more no part holds all.
    """
    parts = np.empty(len(labels), dtype=np.int64)
    parts[np.lexsort((~seeds, labels))] = np.arange(len(labels)) % PARTS
    return parts


def temperature_and_weight(logs: np.ndarray, targets: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """How sure a classifier should be, and how much it should count.

    Parameters
    ----------
    logs : ndarray of shape (n, k), dtype float64
        Logarithms of the probabilities that it gives to rows that it has not learnt.
    targets : ndarray of shape (n, k), dtype float64
        How much each row belongs to each class.
    codes : ndarray of shape (n,), dtype int64
        Classes of the seeds, else -1.

    Returns
    -------
    temperature : float
        At which the seeds are most likely, with a prior as if one more seed spoke for the temperature of all rows.
    weight : float
        Accuracy on the seeds above chance, and one seed more: that few seeds are all wrong does not silence it.
    """
    seeds = np.flatnonzero(codes >= 0)
    known, k = codes[seeds], logs.shape[1]
    scaled = [normalised(logs / t) for t in TEMPERATURES]
    of_all = TEMPERATURES[np.argmax([(targets * each).sum() for each in scaled])]
    of_seeds = np.array([each[seeds, known].sum() for each in scaled]) - np.log(TEMPERATURES / of_all) ** 2 / 2
    right = (logs[seeds].argmax(axis=1) == known).mean() if len(seeds) else 0.0
    return float(TEMPERATURES[of_seeds.argmax()]), float(max(right - 1 / k, 0) + 1 / max(len(seeds), 1))


def fused(logs: Sequence[np.ndarray], temperatures: Sequence[float], weights: Sequence[float]) -> np.ndarray:
    """Weighted mean of the probabilities at their temperatures.

    Parameters
    ----------
    logs : sequence of ndarray of shape (n, k)
        Logarithms of the probabilities by modality; NaN in rows that lack it. No row lacks all.
    temperatures, weights : sequence of float
        From `temperature_and_weight`.

    Returns
    -------
    ndarray of shape (n, k), dtype float64
        Rows sum to 1.
    """
    total = np.zeros_like(logs[0])
    for each, t, weight in zip(logs, temperatures, weights, strict=True):
        total += np.nan_to_num(weight * np.exp(normalised(each / t)))
    return total / total.sum(axis=1, keepdims=True)
