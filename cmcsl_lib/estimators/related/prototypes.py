"""Classes as prototypes in a space of all modalities, which three losses shape from labelled and unlabelled rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from ..inputs import Modalities
from .networks import BATCH, NetworkClassifier, TrainingRows, pytorch, uniform

if TYPE_CHECKING:
    from .networks import Loss, Tensor, Tensors


def consistency_loss(units: "Tensor", present: "Tensor") -> "Tensor":
    """How far apart modalities project the same row.

    Parameters
    ----------
    units : Tensor of shape (n, modalities, width)
        Rows in each modality, of length 1.
    present : Tensor of shape (n, modalities), dtype bool
        Which there are.

    Returns
    -------
    Tensor
        Squared Euclidean distance between two modalities of a row, from 0 to 4, mean of all such pairs; 0 if there are
        none.
    """
    torch = pytorch()
    first, second = torch.triu_indices(units.shape[1], units.shape[1], 1)
    both = present[:, first] & present[:, second]
    if not both.any():
        return units.new_zeros(())
    return (units[:, first] - units[:, second]).square().sum(dim=2)[both].mean()


def prototype_loss(
    units: "Tensor",
    present: "Tensor",
    prototypes: "Tensor",
    labels: "Tensor",
    temperature: float,
) -> "Tensor":
    """How far from certain it is by their cosines to which prototype rows of any modality belong.

    Parameters
    ----------
    units, present : Tensor
        As for `consistency_loss`.
    prototypes : Tensor of shape (k, width)
        One of each class, of any length.
    labels : Tensor of shape (n,), dtype int64
        Class of each row, -1 where it is unknown.
    temperature : float
        By which cosines are divided.

    Returns
    -------
    Tensor
        Mean cross-entropy of the rows that have a label, in each modality that they have; 0 if there are none.
    """
    torch = pytorch()
    known = present & (labels >= 0)[:, None]
    if not known.any():
        return units.new_zeros(())
    evidence = units[known] @ torch.nn.functional.normalize(prototypes, dim=1).T / temperature
    return torch.nn.functional.cross_entropy(evidence, labels[:, None].expand_as(known)[known])


class PrototypeClassifier(NetworkClassifier):
    """Three losses by Chen et al. [1]_ on projected features: classes, pairs of modalities, and prototypes.

    Each modality is projected to a common space, where a softmax classifier looks at one after the other. Adam
    minimizes the sum of

    - the cross-entropy of this classifier on labelled rows in each modality,
    - `consistency_weight` times the squared distance between the modalities of each row, labelled or not,
    - `prototype_weight` times the cross-entropy of the prototypes, which all modalities share: each row shall be near
      that of its class, and far from the others. Unlabelled rows take part with the most probable class, by the mean
      of their modalities, if its probability reaches `threshold`.

    The latter two look at directions in the common space alone.

    Parameters
    ----------
    modalities, preprocessing, class_weight : optional
        As for `CMCSLClassifier`; weights are those of the cross-entropy, and features should be of similar scale.
    width : int, default=64
        Of the common space.
    consistency_weight : float, default=1.0
        At least 0.
    prototype_weight : float, default=1.0
        At least 0. With both weights 0 only the classifier learns.
    temperature : float, default=0.5
        Above 0; by which the cosines of rows and prototypes are divided.
    threshold : float, default=0.95
        In [0, 1].
    max_iter : int, default=30
        Epochs; fewer if the training loss stops falling.
    learning_rate_init : float, default=0.001
        Learning rate, above 0; of few features, which move the classes less, a higher one is needed.
    random_state : int, RandomState or None, default=None
        Of the first weights, of the order of rows, and of the labelled ones that go with them.

    Attributes
    ----------
    weights_ : dict of str to ndarray, dtype float32
        Of each modality M ("projection M"), of the classes with their biases, and the prototypes.
    loss_curve_ : list of float
        Mean loss of each epoch.
    n_iter_ : int
        Epochs of training.
    classes_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ trains a deep network with a classifier for each kind of view of an object, image, mesh and point cloud, and
    one more classifier on all of them; on ready-made features a linear projection takes the place of each network,
    one classifier that of all, and the mean of the modalities' probabilities that of a view of all. Temperature and
    threshold are those of the authors' program. That program raises the weight of the prototypes during training,
    and has a contrastive form of consistency as well, in which the modalities of a row shall be nearer to each
    other than to other rows; by it a few hundred rows of many features are learnt by heart, so that here it is the
    distance. Steps take up to 64 rows and up to 64 labelled ones. A modality that a row lacks has no part in any
    loss. PyTorch trains it, which the extra ``extract`` brings.

    References
    ----------
    .. [1] Z. Chen, L. Jing, Y. Liang, Y. Tian, and B. Li, "Multimodal semi-supervised learning for 3D objects",
       arXiv:2110.11601, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 1.], [1., 0.], [1., 1.], [8., 9.], [9., 8.], [9., 9.]])
    >>> modalities = {"visual": [0], "text": [1]}
    >>> prototypes = PrototypeClassifier(
    ...     modalities=modalities, preprocessing="STD", learning_rate_init=0.1, random_state=0
    ... )
    >>> prototypes.fit(X, [0, -1, -1, -1, -1, 1]).predict([[1., 1.], [9., np.nan]])
    array([0, 1])
    """

    def __init__(
        self,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        width: int = 64,
        consistency_weight: float = 1.0,
        prototype_weight: float = 1.0,
        temperature: float = 0.5,
        threshold: float = 0.95,
        max_iter: int = 30,
        learning_rate_init: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            modalities=modalities,
            preprocessing=preprocessing,
            class_weight=class_weight,
            width=width,
            max_iter=max_iter,
            learning_rate_init=learning_rate_init,
            random_state=random_state,
        )
        self.consistency_weight = consistency_weight
        self.prototype_weight = prototype_weight
        self.temperature = temperature
        self.threshold = threshold

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_finite("consistency_weight", least=0)
        self._check_finite("prototype_weight", least=0)
        self._check_finite("temperature", above=0)
        self._check_share("threshold")

    def _first_weights(self, random: np.random.RandomState) -> dict[str, np.ndarray]:
        k = len(self.classes_)
        weights = {f"projection {name}": uniform(random, width, self.width) for name, width in self._widths.items()}
        weights["classes"] = uniform(random, self.width, k)
        weights["biases"] = np.zeros(k, dtype=np.float32)
        weights["prototypes"] = random.normal(size=(k, self.width)).astype(np.float32)
        return weights

    def _rows_to_learn(self, codes: np.ndarray) -> np.ndarray:
        return np.arange(len(codes))

    def _loss(self, training: TrainingRows, random: np.random.RandomState) -> "Loss":
        torch = pytorch()
        seeds = np.flatnonzero(training.codes.numpy() >= 0)

        def loss(weights: "Tensors", rows: "Tensor") -> "Tensor":
            known = torch.from_numpy(random.permutation(seeds)[:BATCH])
            # The labelled rows first, then the others of this step.
            rows = torch.cat([known, rows[~torch.isin(rows, known)]])
            projected = self._projected(weights, {name: each[rows] for name, each in training.features.items()})
            logits, present = self._logits(weights, projected), training.present[rows]
            units, labels = torch.nn.functional.normalize(projected, dim=2), training.codes[rows]
            labelled = present & (torch.arange(len(rows)) < len(known))[:, None]
            losses = torch.nn.functional.cross_entropy(
                logits[labelled], labels[:, None].expand_as(labelled)[labelled], reduction="none"
            )
            importance = training.weights[rows][:, None].expand_as(labelled)[labelled]
            total = (importance * losses).sum() / len(known)
            probability, predicted = _mean_of_present(logits.detach().softmax(dim=2), present).max(dim=1)
            labels = torch.where((labels < 0) & (probability >= self.threshold), predicted, labels)
            total = total + self.consistency_weight * consistency_loss(units, present)
            return total + self.prototype_weight * prototype_loss(
                units, present, weights["prototypes"], labels, self.temperature
            )

        return loss

    def _projected(self, weights: "Tensors", X: "Tensors") -> "Tensor":
        """Rows of each modality in the common space, of shape (n, modalities, width)."""
        torch = pytorch()
        return torch.stack([own @ weights[f"projection {name}"] for name, own in X.items()], dim=1)

    def _logits(self, weights: "Tensors", projected: "Tensor") -> "Tensor":
        """Logarithms of the classes' probabilities by each modality but for a summand, (n, modalities, k)."""
        return projected @ weights["classes"] + weights["biases"]

    def _probabilities(self, weights: "Tensors", X: "Tensors", present: "Tensor") -> "Tensor":
        return _mean_of_present(self._logits(weights, self._projected(weights, X)).softmax(dim=2), present)


def _mean_of_present(probabilities: "Tensor", present: "Tensor") -> "Tensor":
    """Mean over the modalities that a row has, of shape (n, k)."""
    return (probabilities * present[:, :, None]).sum(dim=1) / present.sum(dim=1, keepdim=True)
