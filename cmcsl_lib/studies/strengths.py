"""Strength of a modality: how far apart class centres must be for FULL to be as good as asked for."""

from functools import lru_cache

import numpy as np
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import threadpool_limits

from ..experiments.protocol import RANDOM_STATE
from ..method.naive_bayes import balanced_accuracies
from .synthetic import directions, features, predictions, standardised

#: Repetitions over which `separations` averages.
CALIBRATIONS = 60


def adjusted(accuracy: np.ndarray, classes: np.ndarray | int) -> np.ndarray:
    """Balanced accuracy so that chance is 0 and perfection 1."""
    return (accuracy - 1 / classes) / (1 - 1 / classes)


@lru_cache(maxsize=64)
def separations(classes: int, rows: int, dimension: int, width: int, strengths: tuple[float, ...]) -> tuple[float, ...]:
    """Distances of class centres at which FULL has these strengths, in [0, 0.97].

    FULL is measured at increasing separations on the same noise, averaged over repetitions, smoothed to be monotone,
    and inverted by linear interpolation.
    """
    grid, y = np.linspace(0, 7, 22), np.repeat(np.arange(classes), rows)
    accuracies = np.empty((CALIBRATIONS, len(grid)))
    with threadpool_limits(1):
        for repetition in range(CALIBRATIONS):
            random = np.random.default_rng([RANDOM_STATE, classes, rows, dimension, width, repetition])
            noise, basis = random.normal(size=(2 * len(y), dimension)), directions(dimension, width, random)
            for column, separation in enumerate(grid):
                X, X_test = standardised(features(noise, np.tile(y, 2), separation, basis))
                predicted, _ = predictions(X, X_test, y[None])
                accuracies[repetition, column] = balanced_accuracies(y, predicted).item()
    curve = IsotonicRegression().fit_transform(grid, adjusted(accuracies.mean(axis=0), classes))
    # Without separation FULL is at chance, whatever these draws say.
    curve[0] = 0.0
    return tuple(np.interp(strengths, np.maximum.accumulate(curve), grid).tolist())
