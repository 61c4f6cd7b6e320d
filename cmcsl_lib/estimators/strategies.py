"""NEAREST of Algorithm 1, generalised: how the modalities' distances are made comparable, and who decides.

A strategy turns the distances of one modality into numbers that are compared with those of the others, the smaller
the surer. It does not change what a modality says itself, only how much it is trusted. Beside these stands the
exchange ``calibrated``, which adds up what all say.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ..method.calibrated import CalibratedLabels
from ..method.labeling import nearest
from .propagation import Opinion


def _as_they_are(opinion: Opinion, labeled: np.ndarray) -> np.ndarray:
    """``distance``, the paper's: distances as they are, comparable only as far as preprocessing made them so."""
    return opinion.distance


def _by_rank(opinion: Opinion, labeled: np.ndarray) -> np.ndarray:
    """``rank``: share of the modality's unlabelled rows that lie at most so far from their seeds."""
    own = np.sort(opinion.distance[_pseudo_labels(opinion, labeled)])
    shares = np.searchsorted(own, opinion.distance, side="right") / max(len(own), 1)
    return np.where(np.isinf(opinion.distance), np.inf, shares)


def _by_scale(opinion: Opinion, labeled: np.ndarray) -> np.ndarray:
    """``scale``: distance divided by the mean distance of the unlabelled rows of the same cluster.

    A cluster without such rows, or whose rows all lie on the seed, takes the mean of the whole modality.
    """
    pseudo_labels = _pseudo_labels(opinion, labeled)
    own, clusters = opinion.distance[pseudo_labels], opinion.cluster[pseudo_labels]
    counts = np.bincount(clusters, minlength=len(opinion.seeds))
    means = np.bincount(clusters, own, len(opinion.seeds)) / np.maximum(counts, 1)
    return opinion.distance / np.where(means > 0, means, _mean(own))[opinion.cluster]


def _by_probability(opinion: Opinion, labeled: np.ndarray) -> np.ndarray:
    """``probability``: 1 - probability of the class, from distances d_c to each class as softmax(-d_c / t).

    The temperature t is the one at which the seeds, each judged by the others alone, are most likely to be what they
    are. Seeds without another one of their class can't be judged so; if there are no others, t is the mean distance
    of the unlabelled rows to their seeds. Probabilities of a propagator are taken as they are.
    """
    if opinion.seed_distance is None:
        return opinion.distance
    spoken = opinion.label >= 0
    logs = _log_probabilities(opinion.distance[spoken], _temperature(opinion, opinion.seed_distance, labeled))
    table = np.full_like(opinion.distance, np.inf)
    # The sum over the other classes: 1 - p would round to 0 where p is close to 1.
    others = [np.delete(logs, label, axis=1) for label in range(logs.shape[1])]
    table[spoken] = np.column_stack([np.exp(other).sum(axis=1) for other in others])
    return table


def _temperature(opinion: Opinion, seed_distance: np.ndarray, labeled: np.ndarray) -> float:
    """Temperature of `_by_probability`, in the unit of the distances.

    Few seeds are often separated without an error, and would be most likely at temperature 0. As in Platt's
    calibration, each of N is therefore taken for a member of its class with weight (N + 1) / (N + 2) only.
    """
    own_class = seed_distance[np.arange(len(opinion.seeds)), opinion.seed_label]
    judged = np.isfinite(own_class)
    distances = seed_distance[judged][:, np.unique(opinion.seed_label)]
    if not judged.any() or distances.shape[1] < 2:
        return _mean(opinion.distance[_pseudo_labels(opinion, labeled)])
    unit = _mean(distances)
    right = np.unique(opinion.seed_label) == opinion.seed_label[judged][:, None]
    weight = (judged.sum() + 1) / (judged.sum() + 2)
    targets = np.where(right, weight, (1 - weight) / (distances.shape[1] - 1))

    def loss(log_temperature: float) -> float:
        return -(targets * _log_probabilities(distances, unit * np.exp(log_temperature))).sum()

    return unit * np.exp(minimize_scalar(loss, bounds=(-10, 10), method="bounded").x)


#: By the name of each strategy, the function that turns an opinion's distances, shape (n, k), into comparable ones; it
#: takes the opinion and a mask of the labelled rows.
EXCHANGES = {"distance": _as_they_are, "rank": _by_rank, "scale": _by_scale, "probability": _by_probability}
#: The exchange in which no modality decides alone: their evidence is added, by `method.calibrated`.
CALIBRATED = "calibrated"


class Decision(NamedTuple):
    """Pseudo-labels on which modalities agreed, and where each comes from.

    Parameters
    ----------
    label : ndarray of shape (n,), dtype int64
        Known or pseudo-label, -1 where no modality says anything or the margin is too small.
    modality : ndarray of shape (n,), dtype object
        Name of the one that decided, the first for labelled rows, None where none did.
    distance : ndarray of shape (n,), dtype float64
        In the deciding modality, from its seed, or 1 - probability by a propagator; NaN where none decided.
    margin : ndarray of shape (n,), dtype float64
        1 - d / d', where d is what decided, and d' the smallest that speaks for another class in any modality, both
        made comparable; in [0, 1], 1 for labelled rows, 0 where none decided.
    seed : ndarray of shape (n,), dtype int64
        Row number of the seed that the label comes from, -1 where there is none.
    posterior : ndarray of shape (n, k), dtype float64, or None
        Probabilities of the classes, if modalities decided together.
    by_modality : dict of str to ndarray of shape (n, k)
        The same by each modality alone, NaN where it says nothing; empty if one modality decided.
    """

    label: np.ndarray
    modality: np.ndarray
    distance: np.ndarray
    margin: np.ndarray
    seed: np.ndarray
    posterior: np.ndarray | None = None
    by_modality: Mapping[str, np.ndarray] = MappingProxyType({})


def decide(
    opinions: Mapping[str, Opinion], comparable: Mapping[str, np.ndarray], codes: np.ndarray, min_margin: float
) -> Decision:
    """NEAREST: each row takes the label of the modality that is surest of it.

    Parameters
    ----------
    opinions : dict of str to Opinion
        Of the modalities that decide; a tie goes to the one that stands first.
    comparable : dict of str to ndarray of shape (n, k)
        Their distances, made comparable by one of `EXCHANGES`.
    codes : ndarray of shape (n,), dtype int64
        Class of each labelled row, -1 for the others. A labelled row keeps its label.
    min_margin : float in [0, 1]
        Pseudo-labels with a smaller margin are taken back.

    Returns
    -------
    Decision
        Of all rows.
    """
    rows, labeled = np.arange(len(codes)), codes >= 0
    sure = [
        np.where(opinion.label < 0, np.inf, np.where(labeled, 0, comparable[name][rows, opinion.label]))
        for name, opinion in opinions.items()
    ]
    label, modality = nearest([opinion.label for opinion in opinions.values()], sure)
    best = np.min(sure, axis=0)
    decided = np.isfinite(best)
    label, modality = np.where(decided, label, -1), np.where(decided, modality, -1)
    distance = np.stack([opinion.distance for opinion in opinions.values()])[modality, rows, label]
    seed = np.stack([opinion.seeds[opinion.cluster[rows, label]] for opinion in opinions.values()])[modality, rows]
    margin = _margin(best, np.stack([comparable[name] for name in opinions]), label)
    margin = np.where(labeled, 1.0, margin) * decided
    return Decision(
        # A labelled row keeps its label also where it has none of these modalities.
        np.where(labeled, codes, np.where(margin < min_margin, -1, label)),
        np.array([*opinions, None], dtype=object)[modality],
        np.where(decided, distance, np.nan),
        margin,
        np.where(decided, seed, -1),
    )


def decide_together(
    opinions: Mapping[str, Opinion], labels: CalibratedLabels, codes: np.ndarray, min_margin: float
) -> Decision:
    """Each row takes its most probable class by the evidence of all modalities.

    Parameters
    ----------
    opinions : dict of str to Opinion
        By clustering around the seeds; they tell distances and seeds.
    labels : CalibratedLabels
        Of the same modalities, in their order.
    codes, min_margin : ndarray of shape (n,), float
        As for `decide`.

    Returns
    -------
    Decision
        The margin is the difference of the two highest probabilities. The modality that decided is the one that by
        itself gives the label the highest probability; distance and seed are those of the nearest seed of the label's
        class there.
    """
    rows, labeled = np.arange(len(codes)), codes >= 0
    present = np.stack([opinion.label >= 0 for opinion in opinions.values()])
    said = np.exp(labels.evidence)
    said[:, labeled] = np.where(present[:, labeled, None], np.eye(said.shape[2])[codes[labeled]], np.nan)
    label = labels.posterior.argmax(axis=1)
    support = np.nan_to_num(said[:, rows, label], nan=-1.0)
    modality, decided = support.argmax(axis=0), support.max(axis=0) >= 0
    distance = np.stack([opinion.distance for opinion in opinions.values()])[modality, rows, label]
    seed = np.stack([opinion.seeds[opinion.cluster[rows, label]] for opinion in opinions.values()])[modality, rows]
    seen = decided & np.isfinite(distance)
    # A class that nothing speaks for, should there be one class only.
    two = np.partition(np.pad(labels.posterior, ((0, 0), (0, 1))), -2, axis=1)[:, -2:]
    margin = (two[:, 1] - two[:, 0]) * decided
    return Decision(
        np.where(labeled, codes, np.where(decided & (margin >= min_margin), label, -1)),
        np.array([*opinions, None], dtype=object)[np.where(decided, modality, -1)],
        np.where(seen, distance, np.nan),
        margin,
        np.where(seen, seed, -1),
        labels.posterior,
        dict(zip(opinions, said, strict=True)),
    )


def _margin(best: np.ndarray, tables: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Margins of shape (n,) from comparable distances of shape (modalities, n, k)."""
    rivals = tables.min(axis=0)
    rivals[np.arange(len(label)), label] = np.inf
    rival = rivals.min(axis=1)
    ratio = np.ones(len(label))
    np.divide(best, rival, out=ratio, where=np.isfinite(best) & (rival > 0))
    return 1 - np.minimum(ratio, 1)


def _pseudo_labels(opinion: Opinion, labeled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unlabelled rows of which the modality says something, and their labels: an index into arrays of shape (n, k)."""
    rows = np.flatnonzero((opinion.label >= 0) & ~labeled)
    return rows, opinion.label[rows]


def _mean(distances: np.ndarray) -> float:
    """Mean distance as a unit: 1 where all are 0, or there are none."""
    return float(distances.mean()) if distances.any() else 1.0


def _log_probabilities(distances: np.ndarray, unit: float) -> np.ndarray:
    """Logarithms of softmax(-distance / unit) over the columns."""
    scaled = -distances / unit
    return scaled - logsumexp(scaled, axis=1, keepdims=True)
