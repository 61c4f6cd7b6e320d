"""A representation of all modalities that an autoencoder learns without labels, and a classifier on it."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from ...files.errors import CmcslError, check_choice
from ..base import ModalityClassifier
from ..inputs import ONLY, Features, Modalities, decode
from ..modality import Modality
from ..propagation import opinion
from .networks import whole_arrays, widths

ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda Z: Z,
    "relu": lambda Z: np.maximum(Z, 0),
    "tanh": np.tanh,
}
#: Rows of one step of training, and the rate of learning: with these, twenty epochs reconstruct held-out rows of the
#: embedded corpus about as well as forty.
BATCH, RATE = 64, 3e-3


class AutoencoderClassifier(ModalityClassifier):
    """An autoencoder of all modalities side by side, learnt from all rows without labels, and a classifier on its code.

    The paper names two methods that learn from unlabelled rows so: [1]_ and [2]_.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight : optional
        As for `CMCSLClassifier`; there is one classifier, on the code, and features should be of similar scale.
    width : int, default=64
        Number of values in the code.
    activation : {"identity", "relu", "tanh"}, default="relu"
        Of the code's units; with ``identity`` the code spans the space of the first principal components [3]_.
    propagate : bool, default=False
        Whether the classifier learns the unlabelled rows too, each as its nearest seed in the code, as by UNI; else
        the labelled rows alone.
    max_iter : int, default=20
        Epochs; fewer if the training loss stops falling.
    random_state : int, RandomState or None, default=None
        Of the first weights and of the order of rows.

    Attributes
    ----------
    autoencoder_ : MLPRegressor
        From the preprocessed modalities side by side to themselves.
    n_iter_ : int
        Epochs of training.
    transduction_ : ndarray of shape (n,)
        Labels that the classifier learnt; -1 (None if classes are no signed numbers) in the other rows.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`, with one estimator, "all".

    Notes
    -----
    [1]_ and [2]_ train deep networks of their own on faces, sound and words; the autoencoder of [2]_ is variational,
    learns a code of each modality besides, and shares its training with the classifier. Here features are ready made,
    and one hidden layer, minimizing squared error by Adam, is learnt before the classifier, which is that of all
    methods here. A modality that a row lacks enters as zeros, and zeros are reconstructed.

    References
    ----------
    .. [1] D. H. Kim, M. K. Lee, D. Y. Choi, and B. C. Song, "Multi-modal emotion recognition using semi-supervised
       learning and multiple neural networks in the wild", Proceedings of the 19th ACM International Conference on
       Multimodal Interaction, 2017.
    .. [2] D. Zhang, S. Li, Q. Zhu, and G. Zhou, "Multi-modal sentiment classification with independent and interactive
       knowledge via semi-supervised learning", IEEE Access, vol. 8, 2020.
    .. [3] P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning from examples without
       local minima", Neural Networks, vol. 2, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 1.], [1., 0.], [1., 1.], [8., 9.], [9., 8.], [9., 9.]])
    >>> modalities = {"visual": [0], "text": [1]}
    >>> autoencoder = AutoencoderClassifier(modalities=modalities, preprocessing="STD", propagate=True, random_state=0)
    >>> autoencoder.fit(X, [0, -1, -1, -1, -1, 1]).transduction_
    array([0, 0, 0, 1, 1, 1])

    A row without text:

    >>> autoencoder.predict([[9., np.nan]])
    array([1])
    """

    #: One classifier leaves nothing to combine.
    fusion = "mean"

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        width: int = 64,
        activation: str = "relu",
        propagate: bool = False,
        max_iter: int = 20,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.base_estimator = base_estimator
        self.modalities = modalities
        self.preprocessing = preprocessing
        self.class_weight = class_weight
        self.width = width
        self.activation = activation
        self.propagate = propagate
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Learn the code from all rows, and train the classifier on that of the labelled ones.

        Parameters
        ----------
        X, y, labeled : array-like
            As for `CMCSLClassifier.fit`.
        **params : dict
            Metadata for the `fit` of the base estimator.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the input is not as described; the message names it.
        """
        modalities, codes, metadata = self._begin_fit(X, y, labeled, params)
        labels = codes
        if self.propagate:
            labels = opinion(None, modalities[ONLY], codes, len(self.classes_)).label
        self.transduction_ = decode(labels, self.classes_)
        self.estimators_ = self._fit_classifiers(modalities, labels, codes, metadata)
        return self

    def code(self, X: Features) -> np.ndarray:
        """The code of each row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        ndarray of shape (n, width), dtype float64
            Activations of the hidden layer.
        """
        return self._preprocess(self._known(X)[1])[ONLY][:]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_counts("width", "max_iter")
        check_choice(self.activation, ACTIVATIONS, "activation")
        if not isinstance(self.propagate, bool | np.bool_):
            raise CmcslError(f"propagate must be True or False, got {self.propagate!r}.")

    def _preprocess(self, features: Mapping[str, Modality], *, fit: bool = False) -> dict[str, Modality]:
        """The code of all rows, as one modality."""
        modalities, n = super()._preprocess(features, fit=fit), len(next(iter(features.values())))
        if fit:
            self._widths = widths(modalities)
        joint = np.hstack(list(whole_arrays(modalities, n, self._widths).values()))
        if fit:
            self.autoencoder_ = self._reconstructing(joint)
            self.n_iter_ = self.autoencoder_.n_iter_
        activation = ACTIVATIONS[self.activation]
        # In single precision the code of a row would depend on which rows stand beside it.
        products = np.matmul(joint, self.autoencoder_.coefs_[0], dtype=np.float64)
        code = activation(products + self.autoencoder_.intercepts_[0])
        return {ONLY: Modality(code, np.arange(n))}

    def _reconstructing(self, X: np.ndarray) -> MLPRegressor:
        """An autoencoder trained on rows."""
        network = MLPRegressor(
            hidden_layer_sizes=(self.width,),
            activation=self.activation,
            batch_size=min(BATCH, len(X)),
            learning_rate_init=RATE,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
        with warnings.catch_warnings():
            # Epochs are as many as were asked for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return network.fit(X, X.ravel() if X.shape[1] == 1 else X)
