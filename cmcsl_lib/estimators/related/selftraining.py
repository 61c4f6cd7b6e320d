"""Two ways of multimodal self-training that Section II-A names: one that abstains, and one that asks."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ...files.errors import CmcslError
from ..inputs import Modalities
from ..modality import Modality
from .base import RelatedClassifier

Oracle = Callable[[np.ndarray], ArrayLike]


class AbstainingSelfTrainingClassifier(RelatedClassifier):
    """Self-training by Zhang et al. [1]_: only confident labels are used, and all are judged again in every round.

    In each round a classifier of each modality is trained on all labels so far. Their fused probabilities label every
    row that is no seed anew, or leave it without a label if the highest one is below a threshold.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`, but ``mean`` (the default) or ``maximum`` for `fusion`, which the rounds use too; the
        base estimator must have `predict_proba`.
    threshold : float in [0, 1], default=0.9
        Least fused probability of a label that is used.
    max_iter : int, default=10
        Rounds, at least 1; fewer if the labels no longer change.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row; -1 (None if classes are no signed numbers) if the classifiers abstain.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The same for each modality's classifier.
    confidence_ : ndarray of shape (n,), dtype float64
        Highest fused probability of each row in the last round, also where it is below the threshold; 1 for labelled
        rows.
    n_iter_ : int
        Rounds.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ recognises emotions from sound and pictures with support vector machines; here any classifier may be the base.
    It labels a fixed number of the surest rows in a round; here a threshold on the probability says how many, which
    `max_iter=1` makes that of scikit-learn's SelfTrainingClassifier. Naive Bayes on hundreds of features is nearly
    always sure, so that the mean of two modalities falls below the threshold just where they disagree.

    References
    ----------
    .. [1] Z. Zhang, F. Ringeval, B. Dong, E. Coutinho, E. Marchi and B. Schüller, "Enhanced semi-supervised learning
       for multimodal emotion recognition", IEEE International Conference on Acoustics, Speech and Signal Processing,
       2016.

    Examples
    --------
    The modalities disagree on row 2.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 2.], [2., 8.], [8., 7.], [9., 9.], [7., 8.]])
    >>> abstaining = AbstainingSelfTrainingClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW")
    >>> abstaining.fit(X, [0, 0, -1, -1, 1, 1]).transduction_
    array([ 0,  0, -1,  1,  1,  1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        threshold: float = 0.9,
        max_iter: int = 10,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.threshold = threshold
        self.max_iter = max_iter

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_probabilities()
        self._check_counts("max_iter")
        self._check_share("threshold")

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        known, labels = codes >= 0, codes
        for number in range(self.max_iter):
            self.n_iter_ = number + 1
            estimators = self._fit_classifiers(modalities, labels, codes, metadata)
            support = self._fused(self._proba(estimators, modalities, len(codes)))
            self.confidence_ = np.where(known, 1.0, support.max(axis=1))
            before = labels
            labels = np.where(known, codes, np.where(self.confidence_ >= self.threshold, support.argmax(axis=1), -1))
            if (labels == before).all():
                break
        return dict.fromkeys(modalities, labels)


class ActiveSelfTrainingClassifier(RelatedClassifier):
    """Self-training with active learning by Karlos et al. [1]_: what it is least sure of, it asks.

    In each round a classifier of each modality is trained on all labels so far. By their fused probabilities, an oracle
    is asked for the classes of those rows whose two most probable classes differ least, and of each class the rows with
    the highest probability are labelled.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`, but ``mean`` (the default) or ``maximum`` for `fusion`, which the rounds use too; the
        base estimator must have `predict_proba`.
    oracle : callable, optional
        Takes an array of row numbers, returns their classes, which must be among those of y.
    budget : int, default=0
        Rows that it may be asked for, at least 0, spread over the rounds.
    growth : int, optional
        Rows of each class that are labelled in each round without asking, at least 1. Default: an equal share of those
        without a label for each class and round that is left; in the last round all of them.
    max_iter : int, default=10
        Rounds, at least 1; fewer if all rows are labelled before.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row; -1 (None if classes are no signed numbers) if it was not given any.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The same for each modality's classifier.
    queried_ : ndarray of int64
        Rows that the oracle was asked for, in this order.
    labeled_iter_ : ndarray of shape (n,), dtype int64
        Round in which each row was labelled, 0 if it was from the start, -1 if never.
    n_iter_ : int
        Rounds, at least 1.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ joins the features of modalities and compares many classifiers; here each modality has one of its own, and
    their probabilities are fused. Classes are labelled equally often, as in co-training: the surest rows of all are
    often those of one class, which the others are then taken for. Rows of equal probability are taken in their order.
    What the oracle says counts as known for the class weights. With one modality and no budget this is self-training.

    References
    ----------
    .. [1] S. Karlos, V. G. Kanas, C. Aridas, N. Fazakis and S. Kotsiantis, "Combining active learning with self-train
       algorithm for classification of multimodal problems", 10th International Conference on Information, Intelligence,
       Systems and Applications, 2019.

    Examples
    --------
    Row 2 is between the classes.

    >>> import numpy as np
    >>> X, y = np.array([[0.], [2.], [5.], [9.], [7.], [1.], [8.]]), np.array([0, 0, 1, 1, 1, 0, 1])
    >>> active = ActiveSelfTrainingClassifier(preprocessing="RAW", oracle=lambda rows: y[rows], budget=1, max_iter=1)
    >>> active.fit(X, [0, 0, -1, 1, 1, -1, -1]).queried_
    array([2])
    >>> active.transduction_
    array([0, 0, 1, 1, 1, 0, 1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        oracle: Oracle | None = None,
        budget: int = 0,
        growth: int | None = None,
        max_iter: int = 10,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.oracle = oracle
        self.budget = budget
        self.growth = growth
        self.max_iter = max_iter

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_probabilities()
        self._check_counts("max_iter", *(() if self.growth is None else ("growth",)))
        self._check_counts("budget", least=0)
        if self.budget and not callable(self.oracle):
            raise CmcslError(f"oracle must be callable where budget is above 0, got {self.oracle!r}.")

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        labels, self.labeled_iter_, self.n_iter_ = codes.copy(), np.where(codes >= 0, 0, -1), 1
        queried: list[int] = []
        for number in range(1, self.max_iter + 1):
            waiting = np.flatnonzero(labels < 0)
            if not len(waiting):
                break
            self.n_iter_, rounds = number, self.max_iter - number + 1
            estimators = self._fit_classifiers(modalities, labels, codes, metadata)
            support = self._fused(self._proba(estimators, modalities, len(codes)))[waiting]
            second, first = np.sort(support, axis=1)[:, -2:].T
            asked = np.argsort(first - second, kind="stable")[: _share(self.budget - len(queried), rounds)]
            if len(asked):
                queried += waiting[asked].tolist()
                # What the oracle says is known from now on.
                codes[waiting[asked]] = labels[waiting[asked]] = self._answers(waiting[asked])
            others = np.setdiff1d(np.arange(len(waiting)), asked)
            surest = self._surest(support[others], others, rounds)
            labels[waiting[surest]] = support[surest].argmax(axis=1)
            self.labeled_iter_[waiting[np.concatenate([asked, surest])]] = number
        self.queried_ = np.array(queried, dtype=np.int64)
        return dict.fromkeys(modalities, labels)

    def _surest(self, support: np.ndarray, places: np.ndarray, rounds: int) -> np.ndarray:
        """Of these places, those that get a label in the first of so many rounds: for each class the surest."""
        growth = self.growth
        if growth is None:
            # In the last round all are labelled, whatever their class.
            growth = len(places) if rounds == 1 else _share(len(places), rounds * support.shape[1])
        predicted, order = support.argmax(axis=1), np.argsort(-support.max(axis=1), kind="stable")
        return np.concatenate([places[order[predicted[order] == label][:growth]] for label in range(support.shape[1])])

    def _answers(self, rows: np.ndarray) -> np.ndarray:
        """Class numbers of these rows, as the oracle says."""
        answers = np.asarray(self.oracle(rows.copy()) if self.oracle else ())
        if answers.shape != rows.shape or not np.isin(answers, self.classes_).all():
            raise CmcslError(
                f"oracle must return one of the classes {', '.join(map(repr, self.classes_.tolist()))} for each of the "
                f"{len(rows)} rows, got {answers.tolist()!r}."
            )
        return np.searchsorted(self.classes_, answers)


def _share(total: int, rounds: int) -> int:
    """So many in this round that the total is reached in the last of these rounds."""
    return -(-total // rounds)
