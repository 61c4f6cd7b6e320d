"""A simulation with known truth: when does cross-modal exchange beat unimodal propagation and fusion?

Item i of class y has in modality m the latent vector

    z_m = c_y delta_m / sqrt(2) + e_m,    e_m ~ N(0, I) in D_m dimensions,

where c_y is the y-th unit vector, so that any two class centres are delta_m apart, in units of the noise. Its features
are z_m U_m / sqrt(D_m), with orthonormal rows U_m drawn at random: as many columns as the real features have, which
vary in D_m directions only. Three things can be set:

- *Strength* of a modality: the balanced accuracy of FULL, by which real datasets have their place too. It is adjusted
  for chance, (accuracy - 1/k) / (1 - 1/k), so that datasets of k = 2 and of more classes share one axis. `separations`
  finds the delta_m that gives it.
- *Dependence* rho: the j-th noise of one modality and the j-th of the other correlate by rho, for j up to the smaller
  D_m. Given the class, what makes an item hard in one modality then makes it hard in the other. At rho = 1 and equal
  D_m both modalities say the same.
- *Geometry*, the effective dimensions D_m. They decide how far nearest seeds are, which is all that CMCSL compares.

Everything else is as in Experiment 3 under the strict protocol: L2STD, nested seeds, Gaussian naive Bayes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import threadpool_limits

from ..corpora.features import MODALITIES
from ..estimators.propagation import around_seeds
from ..estimators.strategies import EXCHANGES
from ..experiments.protocol import RANDOM_STATE
from ..experiments.runs import backend
from ..method import naive_bayes
from ..method.labeling import labeling
from ..method.preprocessing import preprocessor
from .store import keep, load, study_paths

#: Columns of each modality, those of the real features.
WIDTHS = {"visual": 512, "text": 384}
#: Effective dimensions of visual and text. The first are about those of the embedded corpus (`effective_dimension`);
#: "equal" is their geometric mean in both modalities.
GEOMETRIES = {"openclipart": (18, 90), "equal": (40, 40), "swapped": (90, 18)}
STRENGTHS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
DEPENDENCES = (0.0, 0.4, 0.8)
BUDGETS = (1, 3, 10, 20)
#: Repetitions from which `separations` finds strengths.
CALIBRATIONS = 60
SEPARATIONS = tuple(f"separation_{modality}" for modality in MODALITIES)
NAME, COMMAND = "simulation/map", "cmcsl study simulation"
#: Raised when the same settings would give other numbers than before.
VERSION = 1


@dataclass(frozen=True)
class Setting:
    """What is simulated, but for the strengths.

    Parameters
    ----------
    classes : int
        k, of equal size; at most as many as the smaller dimension.
    geometry : {"openclipart", "equal", "swapped"}
        Key of `GEOMETRIES`.
    dependence : float
        rho, in [0, 1].
    rows : int
        Rows of each class in the training half, and in the test half.
    repetitions : int
        How many are averaged, at least 2.
    """

    classes: int
    geometry: str = "openclipart"
    dependence: float = 0.4
    rows: int = 100
    repetitions: int = 30

    @property
    def dimensions(self) -> tuple[int, int]:
        """Effective dimensions of visual and text."""
        return GEOMETRIES[self.geometry]


#: The map: binary and multiclass datasets of about the size of those on openclipart; what another geometry does; and
#: datasets of five times as many rows, nearer to those of MM-IMDb.
SETTINGS = tuple(
    setting
    for classes in (2, 4)
    for setting in (
        *(Setting(classes, dependence=dependence) for dependence in DEPENDENCES),
        *(Setting(classes, geometry) for geometry in ("equal", "swapped")),
        Setting(classes, "equal", rows=500, repetitions=10),
    )
)


class View(NamedTuple):
    """One modality of one repetition: n training rows, B budgets, E exchange strategies.

    Attributes
    ----------
    raw, X : tuple of ndarray of shape (n, d)
        Training and test half, without and with preprocessing.
    labels : ndarray of shape (B, n), dtype int64
        The modality's own pseudo-labels.
    sure : ndarray of shape (E, B, n), dtype float64
        What each strategy makes of the distance to the nearest seed; the smaller, the surer.
    """

    raw: tuple[np.ndarray, np.ndarray]
    X: tuple[np.ndarray, np.ndarray]
    labels: np.ndarray
    sure: np.ndarray


def effective_dimension(X: np.ndarray, y: np.ndarray) -> float:
    """Number of directions in which the rows of a class vary, (tr S)**2 / tr S**2 of their covariance S.

    It is D for noise of equal variance in D directions. With m = n - k degrees of freedom tr S**2 is estimated without
    bias under normality, as m**2 / ((m - 1) (m + 2)) (tr s**2 - (tr s)**2 / m) from the sample covariance s [1]_.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Preprocessed features.
    y : ndarray of shape (n,), dtype int64
        Classes, in 0..k-1.

    References
    ----------
    .. [1] M. S. Srivastava, "Some tests concerning the covariance matrix in high dimensional data", Journal of the
       Japan Statistical Society 35 (2), 2005.
    """
    means = np.array([X[y == label].mean(axis=0) for label in range(y.max() + 1)])
    m = len(y) - len(means)
    variances = np.linalg.svd(X - means[y], compute_uv=False) ** 2 / m
    trace = variances.sum()
    return trace**2 * (m - 1) * (m + 2) / m**2 / ((variances**2).sum() - trace**2 / m)


def tetrachoric(both: float, first: float, second: float) -> float:
    """Correlation of two standard normal variables that exceed their thresholds with these probabilities.

    Parameters
    ----------
    both, first, second : float
        Probability that both, the first, and the second exceed it; the latter two in (0, 1).

    Returns
    -------
    float
        In [-0.999, 0.999]; the nearer end where no correlation in between will do.
    """
    thresholds = -ndtri([first, second])

    def excess(rho: float) -> float:
        return multivariate_normal.cdf(-thresholds, cov=[[1, rho], [rho, 1]]) - both

    ends = (-0.999, 0.999)
    if excess(ends[0]) >= 0:
        return ends[0]
    return ends[1] if excess(ends[1]) <= 0 else brentq(excess, *ends, xtol=1e-6)


def adjusted(accuracy: np.ndarray | float, classes: np.ndarray | int) -> np.ndarray | float:
    """Balanced accuracy so that chance is 0 and perfection 1."""
    return (accuracy - 1 / classes) / (1 - 1 / classes)


def noises(setting: Setting, random: np.random.Generator, halves: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Latent noise of both modalities, shapes (n, D) of each, the rows of one half before those of the other."""
    n = halves * setting.classes * setting.rows
    visual, text = (random.normal(size=(n, dimension)) for dimension in setting.dimensions)
    shared, rho = min(setting.dimensions), setting.dependence
    text[:, :shared] = rho * visual[:, :shared] + np.sqrt(1 - rho**2) * text[:, :shared]
    return visual, text


def directions(dimension: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Orthonormal rows, uniformly distributed, shape (dimension, width)."""
    basis, triangle = np.linalg.qr(random.normal(size=(width, dimension)))
    return (basis * np.sign(np.diag(triangle))).T


def features(noise: np.ndarray, y: np.ndarray, separation: float, onto: np.ndarray, angle: float = 0.0) -> np.ndarray:
    """Features of one modality, shape (n, width), from latent noise, classes and `directions`.

    Parameters
    ----------
    angle : float
        By how much class centres are turned away, in radians (`drift`).
    """
    latent, rows, k = noise.copy(), np.arange(len(y)), y.max() + 1
    latent[rows, y] += separation / np.sqrt(2) * np.cos(angle)
    # Not where it is 0: there may be no dimension to turn to.
    if angle:
        latent[rows, k + y] += separation / np.sqrt(2) * np.sin(angle)
    return latent @ onto / np.sqrt(len(onto))


def standardised(raw: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Both halves after L2STD, fitted to the training half."""
    transformer = preprocessor("L2STD").fit(raw[0])
    return tuple(transformer.transform(half) for half in raw)


def fitted(
    X: tuple[np.ndarray, np.ndarray], labels: np.ndarray, classes: int, supports: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Test labels, and probabilities where asked for, of naive Bayes trained on each of many lists of labels.

    Seeds are balanced, so the protocol's class weights, 1 - 1/k each, change nothing and are left out.
    """
    return naive_bayes.classify(naive_bayes.fit(X[0], labels, np.ones(labels.shape), classes), X[1], supports)


@lru_cache(maxsize=64)
def separations(classes: int, rows: int, dimension: int, width: int, strengths: tuple[float, ...]) -> tuple[float, ...]:
    """Distances of class centres at which FULL is as strong as asked for.

    FULL is measured at increasing separations on the same noise, averaged over repetitions, smoothed to be monotone,
    and inverted by linear interpolation.

    Parameters
    ----------
    strengths : tuple of float
        Balanced accuracies of FULL, adjusted for chance, in [0, 0.97].
    """
    tried = np.linspace(0, 7, 22)
    with threadpool_limits(1):
        reached = np.mean(
            [
                _full_accuracies(classes, rows, dimension, width, tried, repetition)
                for repetition in range(CALIBRATIONS)
            ],
            axis=0,
        )
    curve = IsotonicRegression().fit_transform(tried, adjusted(reached, classes))
    # Without separation FULL is at chance, whatever these draws say.
    curve[0] = 0.0
    return tuple(np.interp(strengths, np.maximum.accumulate(curve), tried).tolist())


def _full_accuracies(
    classes: int, rows: int, dimension: int, width: int, tried: np.ndarray, repetition: int
) -> list[float]:
    random = np.random.default_rng([RANDOM_STATE, classes, rows, dimension, width, repetition])
    y = np.repeat(np.arange(classes), rows)
    noise, onto = random.normal(size=(2 * len(y), dimension)), directions(dimension, width, random)
    found = []
    for separation in tried:
        X = standardised(np.split(features(noise, np.tile(y, 2), separation, onto), 2))
        found.append(naive_bayes.balanced_accuracies(y, fitted(X, y[None], classes)[0]).item())
    return found


def view(raw: np.ndarray, y: np.ndarray, seeds: list[np.ndarray], exchanges: Sequence[str]) -> View:
    """One modality with its opinions at every budget.

    Parameters
    ----------
    raw : ndarray of shape (2n, d)
        Features of both halves.
    y : ndarray of shape (n,), dtype int64
        Classes of the training half; those of the seeds are used.
    seeds : list of ndarray of int64
        Row numbers, one list per budget.
    """
    halves = tuple(np.split(raw, 2))
    X, rows, classes = standardised(halves), np.arange(len(y)), y.max() + 1
    labels, sure = [], []
    for seed_rows in seeds:
        codes = np.full(len(y), -1)
        codes[seed_rows] = y[seed_rows]
        opinion = around_seeds(X[0], codes, classes)
        labels.append(opinion.label)
        sure.append(
            [np.where(codes >= 0, 0.0, EXCHANGES[name](opinion, codes >= 0)[rows, opinion.label]) for name in exchanges]
        )
    return View(halves, X, np.array(labels), np.swapaxes(sure, 0, 1))


def draw(
    setting: Setting,
    apart: tuple[Sequence[float], Sequence[float]],
    repetition: int,
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> tuple[np.ndarray, list[np.ndarray], list[list[View]]]:
    """One repetition: classes of a half, seeds of every budget, and the views of each modality at every strength.

    All strengths share noise, directions and seeds, so that their differences are as sure as can be.

    Parameters
    ----------
    apart : tuple of two sequences of float
        Separations of the visual and of the text modality.
    """
    y, start = np.repeat(np.arange(setting.classes), setting.rows), [RANDOM_STATE, setting.classes, repetition]
    # As in the strict protocol a generator made afresh for every budget nests the seeds.
    seeds = [labeling(y, budget, np.random.default_rng([*start, 0])) for budget in budgets]
    random, views = np.random.default_rng([*start, 1]), []
    for noise, wanted, width in zip(noises(setting, random), apart, WIDTHS.values(), strict=True):
        onto = directions(noise.shape[1], width, random)
        views.append(
            [view(features(noise, np.tile(y, 2), separation, onto), y, seeds, exchanges) for separation in wanted]
        )
    return y, seeds, views


def measure(
    setting: Setting,
    apart: tuple[Sequence[float], Sequence[float]],
    repetition: int,
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> dict[str, np.ndarray]:
    """What comes out in one repetition at every pair of strengths: S visual, T text, B budgets, E strategies.

    Parameters
    ----------
    setting, apart, repetition, budgets, exchanges
        As `draw`.

    Returns
    -------
    dict of str to ndarray of shape (S, T, E, B), dtype float64
        Balanced accuracies full_M, uni_M and cmcsl_M of each modality M; fused (mean of the probabilities of CMCSL's
        classifiers), lf (the same of UNI's), ef (one classifier on both modalities side by side, its labels from the
        nearest seed there). Shares of test rows whose class FULL misses: missed_M, missed_both. Shares of the
        unlabelled training rows: differ (the modalities' labels do), and of these text_decides; right_M and
        right_kept (differing rows where the label of M, and the one that CMCSL keeps, is right).
    """
    y, seeds, views = draw(setting, apart, repetition, budgets, exchanges)
    shape = (len(apart[0]), len(apart[1]), len(exchanges), len(budgets))
    labels = [np.stack([each.labels for each in of_modality])[:, None] for of_modality in views]
    sure = [np.stack([each.sure for each in of_modality]) for of_modality in views]
    # Axes: visual strength, text strength, strategy, budget, row. A tie goes to the visual modality.
    text_decides = sure[1][None] < sure[0][:, None]
    visual, text = np.broadcast_arrays(labels[0][:, None], labels[1][None], text_decides)[:2]
    exchanged = np.where(text_decides, text, visual)
    measured = _shares(y, seeds, visual, text, exchanged, text_decides)
    measured |= _accuracies(y, views, exchanged, setting.classes)
    measured["ef"] = np.array([[[early_fusion(y, seeds, one, other)] for other in views[1]] for one in views[0]])
    return {name: np.broadcast_to(value, shape) for name, value in measured.items()}


def _shares(
    y: np.ndarray,
    seeds: list[np.ndarray],
    visual: np.ndarray,
    text: np.ndarray,
    exchanged: np.ndarray,
    text_decides: np.ndarray,
) -> dict[str, np.ndarray]:
    """Shares of unlabelled rows, from labels whose last axes are budget and row."""
    unlabelled = np.ones((len(seeds), len(y)), dtype=bool)
    for budget, rows in enumerate(seeds):
        unlabelled[budget, rows] = False
    differ = (visual != text) & unlabelled

    def share(rows: np.ndarray) -> np.ndarray:
        return rows.sum(axis=-1) / unlabelled.sum(axis=-1)

    return {
        "differ": share(differ),
        "text_decides": share(differ & text_decides),
        "right_visual": share(differ & (visual == y)),
        "right_text": share(differ & (text == y)),
        "right_kept": share(differ & (exchanged == y)),
    }


def _accuracies(y: np.ndarray, views: list[list[View]], exchanged: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Balanced accuracies of FULL, UNI, CMCSL and late fusion, from labels of shape (S, T, E, B, n)."""
    accuracies, missed, support = {}, [], {}
    for axis, (modality, of_modality) in enumerate(zip(MODALITIES, views, strict=True)):
        rows = [
            _classifiers(y, each, of_pairs, classes)
            for each, of_pairs in zip(of_modality, np.moveaxis(exchanged, axis, 0), strict=True)
        ]
        full, uni, cmcsl, missing, *supports = (np.stack(each) for each in zip(*rows, strict=True))
        other = 1 - axis
        accuracies[f"full_{modality}"] = np.expand_dims(full, (1, 2, 3)).swapaxes(0, axis)
        accuracies[f"uni_{modality}"] = np.expand_dims(uni, (1, 2)).swapaxes(0, axis)
        accuracies[f"cmcsl_{modality}"] = np.moveaxis(cmcsl, 0, axis)
        missed.append(np.expand_dims(missing, other))
        support[modality] = np.expand_dims(supports[0], other)[:, :, None], np.moveaxis(supports[1], 0, axis)
    for modality, each in zip(MODALITIES, missed, strict=True):
        accuracies[f"missed_{modality}"] = each.mean(axis=-1)[..., None, None]
    accuracies["missed_both"] = (missed[0] & missed[1]).mean(axis=-1)[..., None, None]
    for name, (one, other) in zip(("lf", "fused"), zip(*support.values(), strict=True), strict=True):
        predicted = (one + other).argmax(axis=-1)
        scores = naive_bayes.balanced_accuracies(y, predicted.reshape(-1, len(y)))
        accuracies[name] = scores.reshape(predicted.shape[:-1])
    return accuracies


def _classifiers(y: np.ndarray, view: View, exchanged: np.ndarray, classes: int) -> tuple[np.ndarray, ...]:
    """All classifiers of one modality at one strength, beside every strength of the other one.

    Parameters
    ----------
    exchanged : ndarray of shape (T, E, B, n), dtype int64
        CMCSL's labels.

    Returns
    -------
    tuple of ndarray
        Balanced accuracies of FULL (), UNI (B,) and CMCSL (T, E, B); test rows that FULL misses (n,); probabilities
        of UNI (B, n, k) and CMCSL (T, E, B, n, k).
    """
    lists = np.concatenate([y[None], view.labels, exchanged.reshape(-1, len(y))])
    predicted, probabilities = fitted(view.X, lists, classes, range(1, len(lists)))
    scores, B = naive_bayes.balanced_accuracies(y, predicted), len(view.labels)
    return (
        scores[0],
        scores[1 : 1 + B],
        scores[1 + B :].reshape(exchanged.shape[:-1]),
        predicted[0] != y,
        probabilities[:B],
        probabilities[B:].reshape(*exchanged.shape, classes),
    )


def early_fusion(y: np.ndarray, seeds: list[np.ndarray], visual: View, text: View) -> np.ndarray:
    """Balanced accuracy at every budget of one classifier on both modalities side by side, shape (B,).

    Each row takes the label of its nearest seed among the features of both, which L2STD has preprocessed together.
    """
    joint = np.vstack([np.hstack(pair) for pair in zip(visual.raw, text.raw, strict=True)])
    both = view(joint, y, seeds, ())
    return naive_bayes.balanced_accuracies(y, fitted(both.X, both.labels, y.max() + 1)[0])


def simulate(
    setting: Setting,
    apart: tuple[dict[float, float], ...],
    budgets: Sequence[int] = BUDGETS,
    exchanges: Sequence[str] = tuple(EXCHANGES),
) -> pd.DataFrame:
    """Means over repetitions, one row per pair of strengths, exchange strategy and budget.

    Parameters
    ----------
    apart : tuple of two dict of float to float
        Separation of the visual, and of the text modality, by the strength that it was chosen for.

    Returns
    -------
    DataFrame
        Columns of the setting; visual, text (strengths), exchange, budget, separation_M; the means of what `measure`
        gives; and gains with their standard errors, gain_N and error_N for each N of `gains`.
    """
    with threadpool_limits(1):
        runs = [
            measure(setting, tuple(list(by_strength.values()) for by_strength in apart), repetition, budgets, exchanges)
            for repetition in range(setting.repetitions)
        ]
    values = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    axes = {"visual": list(apart[0]), "text": list(apart[1]), "exchange": list(exchanges), "budget": list(budgets)}
    table = pd.MultiIndex.from_product(axes.values(), names=list(axes)).to_frame(index=False)
    columns = {
        name: table[modality].map(by_strength)
        for name, modality, by_strength in zip(SEPARATIONS, MODALITIES, apart, strict=True)
    }
    columns |= {name: value.mean(axis=0).ravel() for name, value in values.items()}
    for name, gain in gains(values).items():
        columns[f"gain_{name}"] = gain.mean(axis=0).ravel()
        columns[f"error_{name}"] = gain.std(axis=0, ddof=1).ravel() / np.sqrt(len(runs))
    return pd.concat([pd.DataFrame(asdict(setting), index=table.index), table, pd.DataFrame(columns)], axis=1)


def gains(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gains of CMCSL: over UNI in each modality, and of its classifiers fused over three others.

    These are better (UNI in the modality where it is better on average, which in practice nobody knows), ef and lf.

    Parameters
    ----------
    values : dict of str to ndarray
        What `measure` gives, with a first axis of repetitions.
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


def make_map(path: Path | None = None, workers: int = 1) -> Path:
    """Simulate `SETTINGS` and keep the map.

    Parameters
    ----------
    path : Path, optional
        Default: in CMCSL_HOME.
    workers : int
        Processes; the map does not depend on them.
    """
    # The costliest come first, so that no process is left with one at the end.
    order = sorted(SETTINGS, key=lambda setting: -setting.classes * setting.rows)
    with backend(workers):
        maps = dict(zip(order, Parallel()(delayed(_simulated)(setting) for setting in order), strict=True))
    table = pd.concat([maps[setting] for setting in SETTINGS], ignore_index=True)
    measured = table.select_dtypes("float").columns.difference(["dependence", *MODALITIES, *SEPARATIONS])
    table[measured] = table[measured].astype(np.float32)
    return keep(table, study_paths(NAME)[0] if path is None else path, _key())


def _simulated(setting: Setting) -> pd.DataFrame:
    """One setting at all strengths."""
    apart = [
        separations(setting.classes, setting.rows, dimension, width, STRENGTHS)
        for dimension, width in zip(setting.dimensions, WIDTHS.values(), strict=True)
    ]
    return simulate(setting, tuple(dict(zip(STRENGTHS, of_modality, strict=True)) for of_modality in apart))


def _key() -> dict:
    """What a map is made from."""
    return {
        "version": VERSION,
        "settings": [asdict(setting) for setting in SETTINGS],
        "geometries": GEOMETRIES,
        "strengths": STRENGTHS,
        "budgets": BUDGETS,
        "exchanges": list(EXCHANGES),
    }


def load_map() -> pd.DataFrame:
    """The map, as `simulate` gives it for each of `SETTINGS`: the user's, else the shipped one.

    Raises
    ------
    Absent
        If there is none of these settings.
    CmcslError
        If a file is damaged.
    """
    return load(NAME, _key(), COMMAND)
