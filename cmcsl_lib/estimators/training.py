"""How the classifier of one modality is trained, and those that have not learnt some of the rows.

Gaussian naive Bayes needs sums over the rows alone: one pass over them gives it, and all classifiers that have not
learnt one part of them each. Any other base estimator is trained as often as there are classifiers.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.naive_bayes import GaussianNB

from ..method.naive_bayes import Sums, sums_by_part
from .inputs import metadata_of
from .modality import Modality


class TrainingSet(NamedTuple):
    """What the classifier of a modality is trained on.

    Parameters
    ----------
    rows : ndarray of shape (t,), dtype int64
        Places among the rows that have the modality, in ascending order; one that belongs to several classes stands
        there once for each.
    labels : ndarray of shape (t,), dtype int64
        Class of each.
    arguments : dict
        Further arguments of `fit`, such as `sample_weight`.
    """

    rows: np.ndarray
    labels: np.ndarray
    arguments: Mapping[str, Any]

    def without(self, held_out: np.ndarray) -> "TrainingSet":
        """The same without the entries of a mask."""
        arguments = metadata_of(self.arguments, ~held_out, len(self.rows))
        return TrainingSet(self.rows[~held_out], self.labels[~held_out], arguments)

    def train(self, estimator: BaseEstimator, X: Modality, method: str = "fit", **arguments: Any) -> BaseEstimator:
        """Train an estimator on it."""
        return getattr(estimator, method)(X[self.rows], self.labels, **self.arguments, **arguments)


def trained(
    base: BaseEstimator, X: Modality, training_set: TrainingSet, parts: np.ndarray | None = None
) -> list[BaseEstimator]:
    """Train one classifier on a training set, and for each part of it one that has not learnt this part.

    Parameters
    ----------
    base : estimator
        That is cloned.
    X : Modality
        Its rows.
    training_set : TrainingSet
        Which of them are learnt, as what.
    parts : ndarray of shape (m,), dtype int64, optional
        Part of each row that is learnt, in 0..P-1; at least two. Default: there are no parts.

    Returns
    -------
    list of estimator
        1 + P.
    """
    if _learns_from_sums(base, training_set):
        return _from_sums(base, X, training_set, parts)
    everything = training_set.train(clone(base), X)
    if parts is None:
        return [everything]
    own = parts[training_set.rows]
    return [everything, *(training_set.without(own == part).train(clone(base), X) for part in range(own.max() + 1))]


def _learns_from_sums(base: BaseEstimator, training_set: TrainingSet) -> bool:
    """Whether a classifier is scikit-learn's naive Bayes, and learns rows with weights above 0 alone."""
    weight = np.asarray(training_set.arguments.get("sample_weight", 1.0), dtype=np.float64)
    return (
        type(base) is GaussianNB
        and base.priors is None
        and training_set.arguments.keys() <= {"sample_weight"}
        and bool((np.isfinite(weight) & (weight > 0)).all())
    )


def _from_sums(base: GaussianNB, X: Modality, training_set: TrainingSet, parts: np.ndarray | None) -> list[GaussianNB]:
    """As `trained`, by sums."""
    rows, counts = np.unique(training_set.rows, return_counts=True)
    weights = np.zeros((len(rows), training_set.labels.max() + 1))
    weights[np.searchsorted(rows, training_set.rows), training_set.labels] = training_set.arguments.get(
        "sample_weight", 1.0
    )
    sums = sums_by_part(X.at(rows), weights, counts, np.zeros_like(rows) if parts is None else parts[rows])
    number_of_parts = 0 if parts is None else len(sums.counts)
    return [_gaussian(base, sums, left_out) for left_out in (None, *range(number_of_parts))]


def _gaussian(base: GaussianNB, sums: Sums, left_out: int | None) -> GaussianNB:
    """Naive Bayes with the means and variances of all parts but one."""
    totals, mean, variance, largest = sums.moments(left_out)
    present = np.flatnonzero(totals > 0)
    # scikit-learn's own `fit` checks the parameters, and learns the classes and the number of columns.
    fitted = clone(base).fit(sums.X[np.zeros_like(present)], present)
    fitted.class_count_, fitted.theta_ = totals[present], mean[present]
    fitted.class_prior_ = fitted.class_count_ / fitted.class_count_.sum()
    fitted.epsilon_ = base.var_smoothing * largest
    fitted.var_ = variance[present] + fitted.epsilon_
    return fitted
