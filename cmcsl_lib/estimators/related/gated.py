"""Gated multimodal units: a network that learns for each row how much each modality counts."""

from typing import TYPE_CHECKING

import numpy as np

from ..inputs import Features
from .networks import NetworkClassifier, TrainingRows, pytorch, uniform

if TYPE_CHECKING:
    from .networks import Loss, Tensor, Tensors


class GatedMultimodalClassifier(NetworkClassifier):
    r"""Gated multimodal units by Arevalo et al. [1]_ and softmax: a supervised network of all modalities.

    Of two modalities with features :math:`x_1` and :math:`x_2` the hidden layer is

    .. math:: h = z * \tanh(W_1 x_1) + (1 - z) * \tanh(W_2 x_2), \quad z = \sigma(W_z [x_1, x_2]),

    with one gate in :math:`z` for each of its units. It learns from the labelled rows alone.

    Parameters
    ----------
    modalities, preprocessing, class_weight : optional
        As for `CMCSLClassifier`; features should be of similar scale.
    width : int, default=64
        Number of units.
    max_iter : int, default=100
        Epochs; fewer if the training loss stops falling.
    learning_rate_init : float, default=0.001
        Learning rate, above 0; of few features, which move the classes less, a higher one is needed.
    random_state : int, RandomState or None, default=None
        Of the first weights and of the order of rows.

    Attributes
    ----------
    weights_ : dict of str to ndarray, dtype float32
        Of each modality M ("unit M"), of the gates, and of the classes with their biases.
    loss_curve_ : list of float
        Mean loss of each epoch.
    n_iter_ : int
        Epochs of training.
    classes_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    With more than two modalities the gates of a unit are a softmax over the modalities, which of two is the sigmoid;
    [1]_ takes sigmoids that need not sum to 1. A modality that a row lacks has gates of zero, so that
    `predict_by_modality` is what each one says by itself. [1]_ predicts several genres at once, by a maxout network on
    512 units with dropout, from all labels; here one class, by softmax on the units, for a few labels. PyTorch trains
    it, which the extra ``extract`` brings.

    References
    ----------
    .. [1] J. Arevalo, T. Solorio, M. Montes-y-Gómez, and F. A. González, "Gated multimodal units for information
       fusion", arXiv:1702.01992, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 1.], [1., 0.], [8., 9.], [9., 8.]])
    >>> modalities = {"visual": [0], "text": [1]}
    >>> gated = GatedMultimodalClassifier(modalities=modalities, preprocessing="STD", random_state=0)
    >>> gated.fit(X, [0, 0, 1, 1]).predict([[1., 1.], [9., np.nan]])
    array([0, 1])
    """

    def gates(self, X: Features) -> dict[str, np.ndarray]:
        """How much each modality counts in each unit.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        dict of str to ndarray of shape (n, width)
            In [0, 1]; all modalities' sum to 1, and that of one that is missing is 0.
        """
        gates = self._computed(self._gates, *self._inputs(X))
        return {name: gates[:, number] for number, name in enumerate(self._widths)}

    def _first_weights(self, random: np.random.RandomState) -> dict[str, np.ndarray]:
        weights = {f"unit {name}": uniform(random, width, self.width) for name, width in self._widths.items()}
        weights["gates"] = uniform(random, sum(self._widths.values()), (len(self._widths) - 1) * self.width)
        weights["classes"] = uniform(random, self.width, len(self.classes_))
        weights["biases"] = np.zeros(len(self.classes_), dtype=np.float32)
        return weights

    def _rows_to_learn(self, codes: np.ndarray) -> np.ndarray:
        return np.flatnonzero(codes >= 0)

    def _loss(self, training: TrainingRows, random: np.random.RandomState) -> "Loss":
        cross_entropy = pytorch().nn.functional.cross_entropy

        def loss(weights: "Tensors", rows: "Tensor") -> "Tensor":
            features = {name: each[rows] for name, each in training.features.items()}
            logits = self._logits(weights, features, training.present[rows])
            losses = cross_entropy(logits, training.codes[rows], reduction="none")
            return (training.weights[rows] * losses).mean()

        return loss

    def _gates(self, weights: "Tensors", X: "Tensors", present: "Tensor") -> "Tensor":
        """Gates of shape (n, modalities, width)."""
        torch = pytorch()
        evidence = torch.cat(list(X.values()), dim=1) @ weights["gates"]
        # That of the last modality is 0, so that of two the first has a sigmoid.
        evidence = torch.nn.functional.pad(evidence, (0, self.width)).unflatten(1, (len(X), self.width))
        return evidence.masked_fill(~present[:, :, None], -torch.inf).softmax(dim=1)

    def _logits(self, weights: "Tensors", X: "Tensors", present: "Tensor") -> "Tensor":
        """Logarithms of the classes' probabilities but for a summand, of shape (n, k)."""
        torch = pytorch()
        units = torch.stack([(own @ weights[f"unit {name}"]).tanh() for name, own in X.items()], dim=1)
        hidden = (self._gates(weights, X, present) * units).sum(dim=1)
        return hidden @ weights["classes"] + weights["biases"]

    def _probabilities(self, weights: "Tensors", X: "Tensors", present: "Tensor") -> "Tensor":
        return self._logits(weights, X, present).softmax(dim=1)
