"""Co-training, the best known peer of CMCSL: classifiers of several modalities label rows for each other."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..files.errors import CmcslError
from .base import ModalityClassifier
from .inputs import Features, Modalities, decode
from .modality import Modality


class CoTrainingClassifier(ModalityClassifier):
    """Co-training by Blum and Mitchell [1]_: classifiers label the rows that they are surest of for each other.

    In each round a classifier per modality is trained on all labels so far. Each one then labels, in a pool of
    unlabelled rows and for every class, the rows that it is surest of among those that it takes for that class. The
    pool is filled up at random for the next round.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`; the base estimator must have `predict_proba`. With one modality this is self-training.
    growth : int, default=1
        Rows of each class that each modality labels in one round. [1]_ takes numbers in proportion to the classes; a
        single one suits seeds that are equally many per class.
    pool_size : int, default=75
        As in [1]_.
    max_iter : int, default=30
        Rounds, as in [1]_; fewer if all rows are labelled before.
    random_state : int, RandomState or None, default=None
        Of the order in which rows come into the pool.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row; -1 (None if classes are no signed numbers) if it was not given any.
    labeled_iter_ : ndarray of shape (n,), dtype int64
        Round in which each row was labelled, 0 if it was from the start, -1 if never.
    deciding_modality_ : ndarray of shape (n,), dtype object
        Name of the modality whose classifier labelled the row, None if none did or the label was known.
    n_iter_ : int
        How often the classifiers were trained: once per round, and once on the labels of all rounds.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`. The classifiers are trained on the labels of all rounds.

    Notes
    -----
    Where two modalities would label the same row in one round, the one that stands first does. Rows of equal
    probability, frequent with naive Bayes on many features, are taken in the order of the pool.

    References
    ----------
    .. [1] A. Blum and T. Mitchell, "Combining labeled and unlabeled data with co-training", Proceedings of the Eleventh
       Annual Conference on Computational Learning Theory, 1998.

    Examples
    --------
    Row 3 is in the middle in the first modality, but tells its class in the second.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 2.], [2., 1.], [5., 9.], [8., 9.], [9., 8.]])
    >>> y = [0, 0, -1, -1, 1, 1]
    >>> cotraining = CoTrainingClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW").fit(X, y)
    >>> cotraining.transduction_
    array([0, 0, 0, 1, 1, 1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        growth: int = 1,
        pool_size: int = 75,
        max_iter: int = 30,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.growth = growth
        self.pool_size = pool_size
        self.max_iter = max_iter
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("growth", "pool_size", "max_iter"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise CmcslError(f"{name} must be a whole number of at least 1, got {value!r}.")
        self._check_probabilities()

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Label rows round by round, and train one classifier per modality on the labels of all rounds.

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
        names = np.array([*modalities, None], dtype=object)
        labels, rounds, teacher = codes.copy(), np.where(codes >= 0, 0, -1), np.full(len(codes), -1)
        waiting = check_random_state(self.random_state).permutation(np.flatnonzero(codes < 0))
        for number in range(1, self.max_iter + 1):
            if not len(waiting):
                break
            estimators = self._fit_classifiers(modalities, labels, codes, metadata)
            for place, (name, features) in enumerate(modalities.items()):
                pool = waiting[: self.pool_size]
                rows, predicted = self._surest(estimators[name], features, pool[labels[pool] < 0])
                labels[rows], rounds[rows], teacher[rows] = predicted, number, place
            waiting = waiting[labels[waiting] < 0]
        self.estimators_ = self._fit_classifiers(modalities, labels, codes, metadata)
        self.transduction_, self.labeled_iter_ = decode(labels, self.classes_), rounds
        self.deciding_modality_, self.n_iter_ = names[teacher], rounds.max() + 1
        return self

    def _surest(self, estimator: BaseEstimator, X: Modality, pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a pool that a modality's classifier labels, and their labels."""
        pool = pool[np.isin(pool, X.rows)]
        if not len(pool):
            return pool, pool
        support = estimator.predict_proba(X[np.searchsorted(X.rows, pool)])
        predicted, sureness = support.argmax(axis=1), support.max(axis=1)
        surest = [
            members[np.argsort(-sureness[members], kind="stable")[: self.growth]]
            for members in (np.flatnonzero(predicted == label) for label in range(support.shape[1]))
        ]
        places = np.concatenate(surest)
        return pool[places], estimator.classes_[predicted[places]]
