"""What the methods that are networks share: features of all modalities, training, and prediction."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import check_is_fitted

from ...files.extras import require
from ..base import ModalityClassifier
from ..inputs import Features, Modalities, decode
from ..modality import Modality

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = Mapping[str, Tensor]
    #: Takes weights and numbers of rows; returns the loss of these rows.
    Loss = Callable[[Tensors, Tensor], Tensor]

#: Rows of one step of training.
BATCH = 64
#: Training ends after so many epochs whose loss is not lower by so much than the lowest before, as scikit-learn's.
PATIENCE, TOLERANCE = 10, 1e-4


def pytorch(purpose: str = "A network") -> Any:
    """Import PyTorch, which takes seconds and is an extra.

    Parameters
    ----------
    purpose : str
        What needs it, as the message begins.

    Returns
    -------
    module
        torch.

    Raises
    ------
    CmcslError
        If it is not installed.
    """
    require("extract", purpose, "torch")
    import torch

    return torch


def widths(modalities: Mapping[str, Modality]) -> dict[str, int]:
    """Number of preprocessed features of each modality.

    Parameters
    ----------
    modalities : dict of str to Modality
        Each of at least one row.

    Returns
    -------
    dict of str to int
        A transformer may have changed them.
    """
    return {name: modality[:1].shape[1] for name, modality in modalities.items()}


def whole_arrays(modalities: Mapping[str, Modality], n: int, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Features of all rows in each modality; a row that lacks it has zeros, the means of standardised features.

    Parameters
    ----------
    modalities : dict of str to Modality
        The rows that have each one.
    n : int
        How many rows there are.
    widths : dict of str to int
        Number of preprocessed features of each modality; one without rows can't tell.

    Returns
    -------
    dict of str to ndarray of shape (n, d of the modality), dtype float32
        Finite.
    """
    arrays = {name: np.zeros((n, width), dtype=np.float32) for name, width in widths.items()}
    for name, modality in modalities.items():
        for step in modality.steps():
            if len(modality.rows[step]):
                arrays[name][modality.rows[step]] = modality[step]
    return arrays


def uniform(random: np.random.RandomState, inputs: int, outputs: int) -> np.ndarray:
    """First weights of a linear layer, as PyTorch draws them.

    Parameters
    ----------
    random : RandomState
        Source of randomness.
    inputs, outputs : int
        Of the layer.

    Returns
    -------
    ndarray of shape (inputs, outputs), dtype float32
        Up to 1 / sqrt(inputs), of either sign.
    """
    limit = inputs**-0.5
    return random.uniform(-limit, limit, size=(inputs, outputs)).astype(np.float32)


def as_tensors(arrays: Mapping[str, np.ndarray]) -> "Tensors":
    """Arrays as tensors, in the same memory.

    Parameters
    ----------
    arrays : dict of str to ndarray

    Returns
    -------
    dict of str to Tensor
        By the same names.
    """
    torch = pytorch()
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch take one thread: steps are small, and sums are then rounded alike everywhere."""
    torch = pytorch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def minimized(
    loss: "Loss",
    weights: Mapping[str, np.ndarray],
    rows: np.ndarray,
    random: np.random.RandomState,
    max_iter: int,
    rate: float,
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Minimize a loss by Adam.

    Parameters
    ----------
    loss : callable
        Takes weights as tensors and numbers of rows; returns the loss of these rows.
    weights : dict of str to ndarray, dtype float32
        To start from.
    rows : ndarray of int64
        Numbers of the rows to train on, in a new order in each epoch.
    random : RandomState
        Of that order.
    max_iter : int
        Epochs; fewer if the loss stops falling.
    rate : float
        Learning rate.

    Returns
    -------
    weights : dict of str to ndarray, dtype float32
        Trained.
    losses : list of float
        Mean of each epoch.
    """
    torch = pytorch()
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=rate)
    losses: list[float] = []
    with one_thread(), torch.enable_grad():
        for _ in range(max_iter):
            total = 0.0
            order = random.permutation(rows)
            for batch in np.split(order, range(BATCH, len(order), BATCH)):
                optimizer.zero_grad()
                value = loss(tensors, torch.from_numpy(batch))
                value.backward()
                optimizer.step()
                total += value.item() * len(batch)
            losses.append(total / len(rows))
            if len(losses) > PATIENCE and min(losses[-PATIENCE:]) > min(losses[:-PATIENCE]) - TOLERANCE:
                break
    return {name: value.detach().numpy() for name, value in tensors.items()}, losses


class TrainingRows(NamedTuple):
    """All rows that `fit` was given, as tensors.

    Parameters
    ----------
    features : dict of str to Tensor of shape (n, d of the modality)
        Zeros in rows that lack the modality.
    present : Tensor of shape (n, modalities), dtype bool
        Which rows have each modality.
    codes : Tensor of shape (n,), dtype int64
        Class numbers, -1 of rows without a label.
    weights : Tensor of shape (n,), dtype float32
        Of the rows, by their classes.
    """

    features: "Tensors"
    present: "Tensor"
    codes: "Tensor"
    weights: "Tensor"


class NetworkClassifier(ModalityClassifier):
    """Base of the classifiers that are one network of all modalities; a subclass says which, and what it minimizes.

    Parameters
    ----------
    modalities, preprocessing, class_weight : optional
        As for `CMCSLClassifier`.
    width, max_iter, learning_rate_init, random_state : optional
        As the subclass says.
    """

    #: The network is the classifier.
    base_estimator = None
    fusion = "mean"

    def __init__(
        self,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        width: int = 64,
        max_iter: int = 100,
        learning_rate_init: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.modalities = modalities
        self.preprocessing = preprocessing
        self.class_weight = class_weight
        self.width = width
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.random_state = random_state

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X, y, labeled : array-like
            As for `CMCSLClassifier.fit`.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the input is not as described, or the extra ``extract`` is not installed; the message
            says what.
        """
        arrays, present, codes = self._training_data(X, y, labeled)
        tensors = map(pytorch().from_numpy, (present, codes, self._row_weights(codes)))
        random = check_random_state(self.random_state)
        first = self._first_weights(random)
        loss, rows = self._loss(TrainingRows(as_tensors(arrays), *tensors), random), self._rows_to_learn(codes)
        self.weights_, self.loss_curve_ = minimized(loss, first, rows, random, self.max_iter, self.learning_rate_init)
        self.n_iter_ = len(self.loss_curve_)
        return self

    def predict(self, X: Features) -> np.ndarray:
        """Class of each row by all modalities that it has.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `fit`; a dict may leave out modalities.

        Returns
        -------
        ndarray of shape (n,)
            Classes, as in `classes_`.

        Raises
        ------
        ValueError
            If a row has no modality.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Features) -> np.ndarray:
        """Probability of each class by all modalities that a row has.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        ndarray of shape (n, k)
            Columns in the order of `classes_`.
        """
        return self._computed(self._probabilities, *self._inputs(X))

    def predict_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Class of each row by each modality, as if the others were missing.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Rows that lack the modality have -1, or None where classes are no signed numbers.
        """
        return {
            name: decode(np.where(np.isnan(each[:, 0]), -1, each.argmax(axis=1)), self.classes_)
            for name, each in self.predict_proba_by_modality(X).items()
        }

    def predict_proba_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Probability of each class by each modality, as if the others were missing.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        dict of str to ndarray of shape (n, k)
            Rows that lack the modality have NaN.
        """
        probabilities, (arrays, present) = {}, self._inputs(X)
        for number, name in enumerate(arrays):
            rows = present[:, number]
            probabilities[name] = np.full((len(rows), len(self.classes_)), np.nan)
            alone = {other: X[rows] if other == name else 0 * X[rows] for other, X in arrays.items()}
            only = np.arange(len(arrays)) == number
            probabilities[name][rows] = self._computed(self._probabilities, alone, np.tile(only, (rows.sum(), 1)))
        return probabilities

    def get_metadata_routing(self) -> MetadataRequest:
        """Say which metadata `fit` takes: there is no base estimator to pass any on to.

        Returns
        -------
        MetadataRequest
            See the metadata routing of scikit-learn.
        """
        return BaseEstimator.get_metadata_routing(self)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_counts("width", "max_iter")
        self._check_finite("learning_rate_init", above=0)
        require("extract", type(self).__name__, "torch")

    def _training_data(
        self, X: Features, y: ArrayLike, labeled: ArrayLike | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Features of each modality as `_inputs` gives them, and class numbers."""
        features, codes = self._validate(X, y, labeled=labeled)
        modalities = self._preprocess(features, fit=True)
        self._widths = widths(modalities)
        return whole_arrays(modalities, len(codes), self._widths), _present(modalities, len(codes)), codes

    def _row_weights(self, codes: np.ndarray) -> np.ndarray:
        """Weight of each row by its class, dtype float32; of one without a label none that counts."""
        weights = self._class_weights(codes)
        return np.ones(len(codes), dtype=np.float32) if weights is None else weights[codes].astype(np.float32)

    def _inputs(self, X: Features) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Features of each modality, with zeros in rows that lack it, and of shape (n, modalities) which do not."""
        n, features = self._known(X)
        modalities = self._preprocess(features)
        return whole_arrays(modalities, n, self._widths), _present(modalities, n)

    def _computed(
        self,
        function: "Callable[[Tensors, Tensors, Tensor], Tensor]",
        arrays: Mapping[str, np.ndarray],
        present: np.ndarray,
    ) -> np.ndarray:
        """What a function of weights, features and presence gives for the trained weights."""
        torch = pytorch(type(self).__name__)
        with one_thread(), torch.inference_mode():
            computed = function(as_tensors(self.weights_), as_tensors(arrays), torch.from_numpy(present))
        return computed.numpy().astype(np.float64)

    def _first_weights(self, random: np.random.RandomState) -> dict[str, np.ndarray]:
        """Weights to start from, dtype float32."""
        raise NotImplementedError

    def _rows_to_learn(self, codes: np.ndarray) -> np.ndarray:
        """Numbers of the rows that an epoch goes through."""
        raise NotImplementedError

    def _loss(self, training: TrainingRows, random: np.random.RandomState) -> "Loss":
        """What is minimized."""
        raise NotImplementedError

    def _probabilities(self, weights: "Tensors", X: "Tensors", present: "Tensor") -> "Tensor":
        """Probability of each class, of shape (n, k)."""
        raise NotImplementedError


def _present(modalities: Mapping[str, Modality], n: int) -> np.ndarray:
    """Which rows have each modality, of shape (n, modalities)."""
    present = np.zeros((n, len(modalities)), dtype=bool)
    for number, modality in enumerate(modalities.values()):
        present[modality.rows, number] = True
    return present
