"""Items with known truth, of two modalities whose strength, dependence and geometry can be chosen.

Item i of class y has in modality m the latent vector

    z_m = c_y delta_m / sqrt(2) + e_m,    e_m ~ N(0, I) in D_m dimensions,

where c_y is the y-th unit vector, so that any two class centres are delta_m apart, in units of the noise. Its features
are z_m U_m / sqrt(D_m), with orthonormal rows U_m drawn at random: as many columns as an encoder gives, which vary in
D_m directions only. Three things can be set:

- *Strength* of a modality: the balanced accuracy of FULL, by which real datasets have their place too. It is adjusted
  for chance, (accuracy - 1/k) / (1 - 1/k), so that datasets of k = 2 and of more classes share one axis.
  `strengths.separations` finds the delta_m that gives it.
- *Dependence* rho: the j-th noise of one modality and the j-th of the other correlate by rho, for j up to the smaller
  D_m. Given the class, what makes an item hard in one modality then makes it hard in the other. At rho = 1 and equal
  D_m both modalities say the same.
- *Geometry*, the effective dimensions D_m and the numbers of columns. They decide how far nearest seeds are, which is
  all that CMCSL compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..experiments.protocol import PROTOCOLS
from ..method import naive_bayes


class Space(NamedTuple):
    """Where the features of one modality lie.

    Attributes
    ----------
    dimension : int
        In how many dimensions the items of a class vary, the effective dimension.
    width : int
        Number of columns.
    """

    dimension: int
    width: int


#: Spaces of visual and text. "measured" is close to the shipped features of openclipart
#: (`placement.effective_dimension`, mean of the datasets); "ResNet-18" to those of the paper's encoders (Section III)
#: where the visual one was trained on openclipart alone. "equal" has the geometric mean of the latter dimensions in
#: both modalities, and "swapped" exchanges them.
GEOMETRIES = {
    "measured": (Space(74, 1280), Space(93, 384)),
    "ResNet-18": (Space(18, 512), Space(90, 384)),
    "equal": (Space(40, 512), Space(40, 384)),
    "swapped": (Space(90, 512), Space(18, 384)),
}


@dataclass(frozen=True)
class Setting:
    """What is simulated, but for the strengths.

    Parameters
    ----------
    classes : int
        k, of equal size; at most as many as the smaller dimension.
    geometry : {"measured", "ResNet-18", "equal", "swapped"}
        Key of `GEOMETRIES`.
    dependence : float
        rho, in [0, 1].
    rows : int
        Rows of each class in the training half, and in the test half.
    repetitions : int
        How many are averaged, at least 2.
    """

    classes: int
    geometry: str = "measured"
    dependence: float = 0.4
    rows: int = 100
    repetitions: int = 30

    @property
    def spaces(self) -> tuple[Space, Space]:
        """The spaces of the visual modality and of the text."""
        return GEOMETRIES[self.geometry]


def noises(setting: Setting, random: np.random.Generator, halves: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Latent noise of both modalities, shapes (n, D) of each, the rows of one half before those of the other."""
    n = halves * setting.classes * setting.rows
    visual, text = (random.normal(size=(n, space.dimension)) for space in setting.spaces)
    shared, rho = min(space.dimension for space in setting.spaces), setting.dependence
    text[:, :shared] = rho * visual[:, :shared] + np.sqrt(1 - rho**2) * text[:, :shared]
    return visual, text


def directions(dimension: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Orthonormal rows, uniformly distributed, shape (dimension, width)."""
    basis, triangle = np.linalg.qr(random.normal(size=(width, dimension)))
    return (basis * np.sign(np.diag(triangle))).T


def features(noise: np.ndarray, y: np.ndarray, separation: float, basis: np.ndarray, angle: float = 0.0) -> np.ndarray:
    """Features of one modality, shape (n, width), from latent noise, classes and `directions`.

    Class centres are turned away by an angle in radians, as `drift` describes it.
    """
    latent, rows, k = noise.copy(), np.arange(len(y)), y.max() + 1
    latent[rows, y] += separation / np.sqrt(2) * np.cos(angle)
    # Not where it is 0: there may be no dimension to turn to.
    if angle:
        latent[rows, k + y] += separation / np.sqrt(2) * np.sin(angle)
    return latent @ basis / np.sqrt(len(basis))


def standardised(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test half, one after the other in `raw`, by L2STD."""
    training, test = np.split(raw, 2)
    return PROTOCOLS["strict"].preprocess(training, test, "L2STD")


def predictions(
    X: np.ndarray, X_test: np.ndarray, labels: np.ndarray, supports: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Test labels, and probabilities where asked for, of naive Bayes trained on each of many lists of labels.

    Seeds are balanced, so the protocol's class weights, 1 - 1/k each, change nothing and are left out.
    """
    model = naive_bayes.fit(X, labels, np.ones(labels.shape), labels.max() + 1)
    return naive_bayes.classify(model, X_test, supports)
