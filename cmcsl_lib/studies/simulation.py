"""A simulation with known truth: when does cross-modal exchange beat unimodal propagation and fusion?

Items are those of `synthetic`; everything else is as in Experiment 3 under the strict protocol: L2STD, nested seeds,
Gaussian naive Bayes. Each setting is simulated at every pair of strengths of the two modalities: the map of gains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..corpora.features import MODALITIES
from ..estimators.propagation import around_seeds
from ..estimators.strategies import EXCHANGES
from ..experiments.protocol import RANDOM_STATE
from ..method.labeling import labeling
from ..method.naive_bayes import balanced_accuracies
from .base import Simulation
from .strengths import separations
from .synthetic import GEOMETRIES, Setting, directions, features, noises, predictions, standardised

STRENGTHS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
DEPENDENCES = (0.0, 0.4, 0.8)
BUDGETS = (1, 3, 10, 20)
#: Binary and multiclass datasets of about the size of those on openclipart; what another geometry does; and datasets of
#: five times as many rows, nearer to those of MM-IMDb.
SETTINGS = tuple(
    setting
    for classes in (2, 4)
    for setting in (
        *(Setting(classes, dependence=dependence) for dependence in DEPENDENCES),
        *(Setting(classes, geometry) for geometry in ("ResNet-18", "equal", "swapped")),
        Setting(classes, "equal", rows=500, repetitions=10),
    )
)


@dataclass(frozen=True)
class SimulatedModality:
    """One modality at one strength in one repetition: n training and n test rows, B budgets, E exchange strategies.

    `y` holds the classes of the training rows, and of the test rows; `raw` the features of both, one half after the
    other; `labels`, of shape (B, n), the modality's own pseudo-labels; `distances`, of shape (E, B, n), what each
    strategy makes of the distance to the nearest seed: the modality with the smaller one decides.
    """

    y: np.ndarray
    raw: np.ndarray
    X: np.ndarray
    X_test: np.ndarray
    labels: np.ndarray
    distances: np.ndarray

    def predictions(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Test labels and probabilities of classifiers that are trained on lists of labels."""
        return predictions(self.X, self.X_test, labels, range(len(labels)))

    @cached_property
    def full_and_uni(self) -> tuple[np.ndarray, np.ndarray]:
        """Test labels, shape (1 + B, n), and probabilities of FULL, and of UNI at each budget."""
        return self.predictions(np.vstack([self.y, self.labels]))


def simulated_modality(
    raw: np.ndarray, y: np.ndarray, seeds: list[np.ndarray], exchanges: Sequence[str]
) -> SimulatedModality:
    """One modality with its opinions, from its features and the seeds of each budget."""
    X, X_test = standardised(raw)
    rows, labels, distances = np.arange(len(y)), [], []
    for seed_rows in seeds:
        codes = np.full(len(y), -1)
        codes[seed_rows] = y[seed_rows]
        opinion, labeled = around_seeds(X, codes, y.max() + 1), codes >= 0
        labels.append(opinion.label)
        comparable = [EXCHANGES[name](opinion, labeled)[rows, opinion.label] for name in exchanges]
        distances.append([np.where(labeled, 0.0, distance) for distance in comparable])
    return SimulatedModality(y, raw, X, X_test, np.array(labels), np.swapaxes(distances, 0, 1))


def draw(
    setting: Setting,
    deltas: Sequence[Sequence[float]],
    repetition: int,
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> tuple[list[np.ndarray], list[list[SimulatedModality]]]:
    """One repetition: seeds of every budget, and each modality at its separations, `deltas`.

    All strengths share noise, directions and seeds, so that their differences are as sure as can be.
    """
    y, start = np.repeat(np.arange(setting.classes), setting.rows), [RANDOM_STATE, setting.classes, repetition]
    # As in the strict protocol, equal generators for all budgets nest the seeds.
    seeds = [labeling(y, budget, np.random.default_rng([*start, 0])) for budget in budgets]
    random, modalities = np.random.default_rng([*start, 1]), []
    for noise, own_deltas, space in zip(noises(setting, random), deltas, setting.spaces, strict=True):
        basis = directions(space.dimension, space.width, random)
        raws = [features(noise, np.tile(y, 2), delta, basis) for delta in own_deltas]
        modalities.append([simulated_modality(raw, y, seeds, exchanges) for raw in raws])
    return seeds, modalities


def measure(
    setting: Setting,
    deltas: Sequence[Sequence[float]],
    repetition: int,
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> dict[str, np.ndarray]:
    """Outcomes of one repetition at S visual and T text separations, `deltas`; each of shape (S, T, E, B)."""
    seeds, (visuals, texts) = draw(setting, deltas, repetition, budgets, exchanges)
    cells = [[outcomes(visual, text, seeds, exchanges) for text in texts] for visual in visuals]
    return {name: np.array([[cell[name] for cell in row] for row in cells]) for name in cells[0][0]}


def outcomes(
    visual: SimulatedModality, text: SimulatedModality, seeds: list[np.ndarray], exchanges: Sequence[str]
) -> dict[str, np.ndarray]:
    """Outcomes of one repetition at one pair of strengths, each of shape (E, B).

    They are the columns of the map from full_M to right_kept that ``data/simulation/README.md`` describes.
    """
    y, shape = visual.y, (len(exchanges), len(seeds))
    unlabelled = np.ones(visual.labels.shape, dtype=bool)
    for hidden, rows in zip(unlabelled, seeds, strict=True):
        hidden[rows] = False
    # A tie goes to the visual modality.
    text_decides = text.distances < visual.distances
    exchanged = np.where(text_decides, text.labels, visual.labels)
    differ = (visual.labels != text.labels) & unlabelled
    counted = {
        "differ": differ,
        "text_decides": differ & text_decides,
        "right_visual": differ & (visual.labels == y),
        "right_text": differ & (text.labels == y),
        "right_kept": differ & (exchanged == y),
    }
    values: dict[str, np.ndarray] = {name: rows.sum(-1) / unlabelled.sum(-1) for name, rows in counted.items()}
    missed, uni_support, cmcsl_support = {}, [], []
    for name, modality in zip(MODALITIES, (visual, text), strict=True):
        predicted, support = modality.full_and_uni
        full, *uni = balanced_accuracies(y, predicted)
        missed[name] = predicted[0] != y
        uni_support.append(support[1:])
        predicted, support = modality.predictions(exchanged.reshape(-1, len(y)))
        cmcsl_support.append(support)
        cmcsl = balanced_accuracies(y, predicted).reshape(shape)
        values |= {f"full_{name}": full, f"uni_{name}": np.array(uni), f"cmcsl_{name}": cmcsl}
    missed["both"] = missed["visual"] & missed["text"]
    values |= {f"missed_{name}": rows.mean() for name, rows in missed.items()}
    values["lf"] = balanced_accuracies(y, np.sum(uni_support, axis=0).argmax(-1))
    values["fused"] = balanced_accuracies(y, np.sum(cmcsl_support, axis=0).argmax(-1)).reshape(shape)
    joint = simulated_modality(np.hstack([visual.raw, text.raw]), y, seeds, ())
    values["ef"] = balanced_accuracies(y, joint.predictions(joint.labels)[0])
    return {name: np.broadcast_to(value, shape) for name, value in values.items()}


def simulate(
    setting: Setting,
    by_strength: Sequence[Mapping[float, float]],
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> pd.DataFrame:
    """Means over repetitions, one row per pair of strengths, exchange strategy and budget, with the map's columns.

    `by_strength` holds the separation that gives each strength, of the visual and of the text modality.
    """
    deltas = [list(separation.values()) for separation in by_strength]
    with threadpool_limits(1):
        runs = [measure(setting, deltas, number, budgets, exchanges) for number in range(setting.repetitions)]
    values = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    table = pd.MultiIndex.from_product(
        [*map(list, by_strength), exchanges, budgets], names=[*MODALITIES, "exchange", "budget"]
    ).to_frame(index=False)
    columns = {
        f"separation_{modality}": table[modality].map(separation)
        for modality, separation in zip(MODALITIES, by_strength, strict=True)
    }
    columns |= {name: value.mean(axis=0).ravel() for name, value in values.items()}
    for name, gain in _gains(values).items():
        columns[f"gain_{name}"] = gain.mean(axis=0).ravel()
        columns[f"error_{name}"] = gain.std(axis=0, ddof=1).ravel() / np.sqrt(len(runs))
    return pd.concat([pd.DataFrame(asdict(setting), index=table.index), table, pd.DataFrame(columns)], axis=1)


def _gains(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gains of CMCSL: over UNI in each modality, and of its classifiers fused over three others.

    These are better (UNI in the modality where it is better on average, which in practice nobody knows), ef and lf.
    The first axis of all arrays is that of repetitions.
    """
    visual, text = values["uni_visual"], values["uni_text"]
    better = np.where(visual.mean(axis=0) >= text.mean(axis=0), visual, text)
    return {
        "visual": values["cmcsl_visual"] - visual,
        "text": values["cmcsl_text"] - text,
        "better": values["fused"] - better,
        "ef": values["fused"] - values["ef"],
        "lf": values["fused"] - values["lf"],
    }


def simulate_strengths(setting: Setting, strengths: tuple[float, ...] = STRENGTHS) -> pd.DataFrame:
    """A setting at all pairs of strengths, as `simulate` gives it, measured columns in single precision."""
    by_strength = [
        dict(zip(strengths, separations(setting.classes, setting.rows, *space, strengths), strict=True))
        for space in setting.spaces
    ]
    table = simulate(setting, by_strength)
    exact = ["dependence", *MODALITIES, *(f"separation_{modality}" for modality in MODALITIES)]
    return table.astype(dict.fromkeys(table.select_dtypes("float").columns.difference(exact), np.float32))


MAP = Simulation(
    "simulation/map",
    simulate_strengths,
    SETTINGS,
    {
        "version": 2,
        "settings": [asdict(setting) for setting in SETTINGS],
        "geometries": GEOMETRIES,
        "strengths": STRENGTHS,
        "budgets": BUDGETS,
        "exchanges": list(EXCHANGES),
    },
)
