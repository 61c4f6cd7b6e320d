"""CMCSL on a stream whose classes drift, with known truth: the paper's first direction of future work.

Items are those of `simulation`, but the centre of class y turns away from where it was: at angle a it is

    (cos(a) c_y + sin(a) c_{k+y}) delta_m / sqrt(2),

so that classes stay as far apart as they were. After a quarter turn what was learnt at the start says nothing of the
classes, after half a turn it says the opposite. The angle grows evenly from batch to batch. Every batch brings a few
labelled rows; classifiers are scored on each batch before they learn from it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..estimators import CMCSLClassifier
from ..experiments.protocol import RANDOM_STATE
from ..experiments.runs import backend
from ..method.naive_bayes import balanced_accuracies
from .simulation import WIDTHS, Setting, directions, features, noises
from .store import keep, load, study_paths

NAME, COMMAND = "simulation/drift", "cmcsl study drift"
COLUMNS = ["turn", "repetition", "learner", "batch", "modality", "balanced_accuracy", "pseudo_label_accuracy"]
#: Raised when the same streams would give other numbers than before.
VERSION = 1


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


def batches(stream: Stream, repetition: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A stream: features (both modalities side by side), classes, and classes with -1 for no label, batch by batch."""
    random = np.random.default_rng([RANDOM_STATE, stream.classes, repetition])
    onto = [
        directions(dimension, width, random)
        for dimension, width in zip(Setting(stream.classes).dimensions, WIDTHS.values(), strict=True)
    ]
    y, drawn = np.repeat(np.arange(stream.classes), stream.rows), []
    for angle in np.radians(np.linspace(0, stream.turn, stream.batches)):
        noise = noises(Setting(stream.classes, rows=stream.rows), random, halves=1)
        X = np.hstack(
            [
                features(modality_noise, y, separation, basis, angle)
                for modality_noise, separation, basis in zip(noise, stream.separations, onto, strict=True)
            ]
        )
        count = stream.later if drawn else stream.first
        seeds = np.concatenate(
            [random.choice(np.flatnonzero(y == label), count, replace=False) for label in range(stream.classes)]
        )
        given = np.full(len(y), -1)
        given[seeds] = y[seeds]
        drawn.append((X, y, given))
    return drawn


def learn(learner: str, stream: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Scores of one learner on each batch of a stream, the first left out.

    Parameters
    ----------
    learner : str
        One of `LEARNERS`.
    stream : list of tuple
        From `batches`.

    Returns
    -------
    DataFrame
        Columns batch (from 1), modality, balanced_accuracy (on the batch, before it is learnt), pseudo_label_accuracy
        (share of right labels among its unlabelled rows once it is learnt; NaN if it is not).
    """
    kind = LEARNERS[learner]
    columns = {"visual": slice(0, WIDTHS["visual"]), "text": slice(WIDTHS["visual"], sum(WIDTHS.values()))}
    model = CMCSLClassifier(modalities=columns, max_seeds=NEWEST if kind == "partial_fit, newest" else None)
    memory, rows = (stream[0][0][:0], stream[0][2][:0]), []
    for number, (X, y, given) in enumerate(stream):
        scores = (
            {
                name: balanced_accuracies(y, predicted[None])[0]
                for name, predicted in model.predict_by_modality(X).items()
            }
            if number
            else {}
        )
        right = np.nan
        if kind != "never again" or not number:
            whole = np.vstack([memory[0], X]), np.concatenate([memory[1], given])
            (model.partial_fit if kind.startswith("partial_fit") else model.fit)(*whole)
            right = (model.transduction_[-len(y) :] == y)[given < 0].mean()
            if kind == "fit, memory":
                memory = newest(*whole)
        rows += [(number, name, score, right) for name, score in scores.items()]
    return pd.DataFrame(rows, columns=["batch", "modality", "balanced_accuracy", "pseudo_label_accuracy"])


def newest(X: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last `NEWEST` labelled rows of each class, and their classes."""
    last = np.sort(np.concatenate([np.flatnonzero(given == label)[-NEWEST:] for label in np.unique(given[given >= 0])]))
    return X[last], given[last]


def simulate(stream: Stream) -> pd.DataFrame:
    """All learners on all repetitions of a stream; columns turn, repetition, learner, and those of `learn`."""
    with threadpool_limits(1):
        runs = [
            learn(learner, drawn).assign(turn=stream.turn, repetition=repetition, learner=learner)
            for repetition in range(stream.repetitions)
            for drawn in [batches(stream, repetition)]
            for learner in LEARNERS
        ]
    return pd.concat(runs, ignore_index=True)[COLUMNS]


def make_streams(path: Path | None = None, workers: int = 1) -> Path:
    """Simulate `STREAMS` and keep their scores, in CMCSL_HOME unless a path is given."""
    with backend(workers):
        scores = Parallel()(delayed(simulate)(stream) for stream in STREAMS)
    return keep(pd.concat(scores, ignore_index=True), study_paths(NAME)[0] if path is None else path, _key())


def load_streams() -> pd.DataFrame:
    """What `simulate` gives for each of `STREAMS`: the user's, else the shipped scores.

    Raises
    ------
    Absent
        If there are none of these streams.
    """
    return load(NAME, _key(), COMMAND)


def means(streams: pd.DataFrame) -> pd.DataFrame:
    """Scores averaged over repetitions, and error, the standard error of the balanced accuracy."""
    groups = streams.groupby(["turn", "learner", "batch", "modality"], sort=False)
    found = groups[["balanced_accuracy", "pseudo_label_accuracy"]].mean()
    return found.assign(error=groups.balanced_accuracy.sem()).reset_index()


def _key() -> dict:
    """What the scores are made from."""
    return {"version": VERSION, "streams": [asdict(stream) for stream in STREAMS], "learners": LEARNERS}
