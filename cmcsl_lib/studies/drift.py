"""CMCSL on a stream whose classes drift, with known truth: the paper's first direction of future work.

Items are those of `synthetic`, but the centre of class y turns away from where it was: at angle a it is

    (cos(a) c_y + sin(a) c_{k+y}) delta_m / sqrt(2),

so that classes stay as far apart as they were. After a quarter turn what was learnt at the start says nothing of the
classes, after half a turn it says the opposite. The angle grows evenly from batch to batch. Every batch brings a few
labelled rows; classifiers are scored on each batch before they learn from it.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..estimators import CMCSLClassifier
from ..experiments.protocol import RANDOM_STATE
from .base import Simulation, accuracy
from .synthetic import GEOMETRIES, Setting, directions, features, noises

#: Features of a batch, both modalities side by side; its classes; and these with -1 for no label.
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Stream:
    """A stream of batches.

    Parameters
    ----------
    turn : float
        Angle between the centres of the first and of the last batch, in degrees.
    classes : int
        k.
    batches, rows : int
        Number of batches; rows of each class in a batch.
    first, later : int
        Labelled rows of each class in the first batch, and in each later one.
    separations : tuple of float
        delta of the visual and of the text modality.
    repetitions : int
        How many are averaged.
    """

    turn: float
    classes: int = 2
    batches: int = 20
    rows: int = 50
    first: int = 5
    later: int = 1
    separations: tuple[float, float] = (1.8, 2.6)
    repetitions: int = 20


#: The paper's encoders.
GEOMETRY = "ResNet-18"
STREAMS = tuple(Stream(turn) for turn in (0.0, 90.0, 180.0))
#: Seeds per class that the methods with a memory keep: as many as the first batch brings.
NEWEST = 5
#: How the learners learn, by their names. With `partial_fit` a classifier goes on from batch to batch and forgets
#: nothing; the last two fit to one batch, to which "memory" adds the newest seeds of earlier ones.
LEARNERS = {
    "first batch only": "never again",
    "stream, all seeds": "partial_fit",
    f"stream, newest {NEWEST} seeds": "partial_fit, newest",
    f"last batch, newest {NEWEST} seeds": "fit, memory",
    "last batch, its own seeds": "fit",
}


def batches(stream: Stream, repetition: int) -> list[Batch]:
    """A stream, batch by batch."""
    random = np.random.default_rng([RANDOM_STATE, stream.classes, repetition])
    setting = Setting(stream.classes, GEOMETRY, rows=stream.rows)
    bases = [directions(space.dimension, space.width, random) for space in setting.spaces]
    y = np.repeat(np.arange(stream.classes), stream.rows)
    drawn: list[Batch] = []
    for angle in np.radians(np.linspace(0, stream.turn, stream.batches)):
        parts = zip(noises(setting, random, halves=1), stream.separations, bases, strict=True)
        X = np.hstack([features(noise, y, separation, basis, angle) for noise, separation, basis in parts])
        count = stream.later if drawn else stream.first
        labels = np.full(len(y), -1)
        for label in range(stream.classes):
            labels[random.choice(np.flatnonzero(y == label), count, replace=False)] = label
        drawn.append((X, y, labels))
    return drawn


def learn(learner: str, stream: list[Batch]) -> pd.DataFrame:
    """Scores of one of `LEARNERS` on each batch of a stream, the first left out.

    Columns are batch (from 1), modality, balanced_accuracy (on the batch, before it is learnt), pseudo_label_accuracy
    (share of right labels among its unlabelled rows once it is learnt; NaN if it is not).
    """
    kind = LEARNERS[learner]
    visual, text = (space.width for space in GEOMETRIES[GEOMETRY])
    columns = {"visual": slice(0, visual), "text": slice(visual, visual + text)}
    newest_only = NEWEST if kind == "partial_fit, newest" else None
    model = CMCSLClassifier(modalities=columns, max_seeds=newest_only, fusion="mean")
    memory, rows = (stream[0][0][:0], stream[0][2][:0]), []
    for number, (X, y, labels) in enumerate(stream):
        predictions = model.predict_by_modality(X) if number else {}
        right = np.nan
        if kind != "never again" or not number:
            data = np.vstack([memory[0], X]), np.concatenate([memory[1], labels])
            (model.partial_fit if kind.startswith("partial_fit") else model.fit)(*data)
            right = (model.transduction_[-len(y) :] == y)[labels < 0].mean()
            if kind == "fit, memory":
                memory = newest(*data)
        rows += [(number, name, accuracy(y, predicted), right) for name, predicted in predictions.items()]
    return pd.DataFrame(rows, columns=["batch", "modality", "balanced_accuracy", "pseudo_label_accuracy"])


def newest(X: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last `NEWEST` labelled rows of each class, and their classes."""
    last = [np.flatnonzero(labels == label)[-NEWEST:] for label in np.unique(labels[labels >= 0])]
    rows = np.sort(np.concatenate(last))
    return X[rows], labels[rows]


def simulate(stream: Stream) -> pd.DataFrame:
    """All learners on all repetitions of a stream; columns turn, repetition, learner, and those of `learn`."""
    scores: dict[tuple[float, int, str], pd.DataFrame] = {}
    with threadpool_limits(1):
        for repetition in range(stream.repetitions):
            drawn = batches(stream, repetition)
            scores |= {(stream.turn, repetition, learner): learn(learner, drawn) for learner in LEARNERS}
    return pd.concat(scores, names=["turn", "repetition", "learner"]).droplevel(-1).reset_index()


DRIFT = Simulation(
    "simulation/drift",
    simulate,
    STREAMS,
    {"version": 1, "streams": [asdict(stream) for stream in STREAMS], "learners": LEARNERS},
)


def means(streams: pd.DataFrame) -> pd.DataFrame:
    """Scores averaged over repetitions.

    Parameters
    ----------
    streams : DataFrame
        From `simulate`.

    Returns
    -------
    DataFrame
        One row per turn, learner, batch and modality: these, balanced_accuracy, pseudo_label_accuracy, and error, the
        standard error of the balanced accuracy.
    """
    groups = streams.groupby(["turn", "learner", "batch", "modality"], sort=False)
    scores = groups[["balanced_accuracy", "pseudo_label_accuracy"]].mean()
    return scores.assign(error=groups.balanced_accuracy.sem()).reset_index()
