"""What all classifiers here share: validation, preprocessing, one classifier per modality, and their fusion."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.metrics import accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.utils import check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from ..files.errors import CmcslError, check_choice
from ..method.fusion import fused
from ..method.preprocessing import PREPROCESSINGS, preprocessor
from .inputs import (
    Features,
    Modalities,
    check_gaps,
    checked_arrays,
    columns_of,
    decode,
    encode,
    is_dict,
    known_labels,
    modality_columns,
    present,
    present_rows,
    rows_of,
    side_by_side,
)

FUSIONS = ("mean", "maximum")
#: The fusion by temperatures and weights, of classifiers that learn how sure each modality may be.
CALIBRATED = "calibrated"
#: Classes that a row belongs to with a smaller probability are left out of its soft label; a probability of 0 counts as
#: this much, or as little as the smallest beside it.
LEAST = 1e-3


def base_has(method: str) -> Callable[["ModalityClassifier"], bool]:
    """Make a condition for `available_if`: the base estimator has a method.

    Parameters
    ----------
    method : str
        Its name.

    Returns
    -------
    callable
        Takes a classifier; returns True or raises AttributeError.
    """

    def check(self: "ModalityClassifier") -> bool:
        if not hasattr(self._base(), method):
            raise AttributeError(f"base_estimator must have {method}, but {type(self._base()).__name__} has none.")
        return True

    return check


def log_probabilities(estimator: BaseEstimator, X: np.ndarray, classes: int) -> np.ndarray:
    """Logarithms of the probabilities of all classes.

    Parameters
    ----------
    estimator : estimator
        Fitted to class numbers, some of which may have been missing, with `predict_proba`.
    X : ndarray of shape (n, d), dtype float64
        One preprocessed modality; NaN in rows that lack it.
    classes : int
        How many there are, k.

    Returns
    -------
    ndarray of shape (n, k), dtype float64
        Finite, but NaN in rows that lack the modality.
    """
    rows = np.flatnonzero(present(X))
    logs = np.full((len(X), classes), np.nan)
    if len(rows):
        with np.errstate(divide="ignore"):
            # Naive Bayes tells apart by their logarithms what its probabilities round to 0.
            if hasattr(estimator, "predict_log_proba"):
                own = estimator.predict_log_proba(rows_of(X, rows))
            else:
                own = np.log(estimator.predict_proba(rows_of(X, rows)))
        finite = np.where(np.isneginf(own), 0.0, own)
        # What has probability 0, such as a class without a neighbour, is not infinitely unlikely.
        least = np.minimum(finite.min(axis=1, keepdims=True), np.log(LEAST))
        logs[rows] = least
        logs[np.ix_(rows, estimator.classes_)] = np.where(np.isneginf(own), least, own)
    return logs


class ModalityClassifier(ClassifierMixin, BaseEstimator):
    """Base of all classifiers here; the `fit` of a subclass says on which labels each modality's one is trained.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
    ) -> None:
        self.base_estimator = base_estimator
        self.modalities = modalities
        self.preprocessing = preprocessing
        self.class_weight = class_weight
        self.fusion = fusion

    #: Values of `fusion`.
    fusions: tuple[str, ...] = FUSIONS

    def predict(self, X: Features) -> np.ndarray:
        """Class of each row by all modalities that it has, from the fused probabilities.

        The paper keeps the modalities apart (`predict_by_modality`) and fuses only in its reference method LF. Naive
        Bayes on hundreds of features gives probabilities close to 0 or 1, also where it is wrong; their plain mean is
        often worse than the better modality by itself.

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
            If a row has no modality, or there are several modalities and the base estimator has no `predict_proba`.
        """
        check_is_fitted(self)
        if len(self.estimators_) == 1:
            return next(iter(self.predict_by_modality(X).values()))
        if not hasattr(self._base(), "predict_proba"):
            raise CmcslError(
                f"base_estimator must have predict_proba for several modalities to be fused, but "
                f"{type(self._base()).__name__} has none: take predict_by_modality, or wrap it in "
                "CalibratedClassifierCV."
            )
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @available_if(base_has("predict_proba"))
    def predict_proba(self, X: Features) -> np.ndarray:
        """Probability of each class, fused over the modalities that a row has.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        ndarray of shape (n, k)
            Columns in the order of `classes_`.
        """
        if self.fusion == CALIBRATED:
            logs = self._log_proba_by_modality(X)
            scales = [(self.temperatures_[name], self.modality_weights_[name]) for name in logs]
            return fused(list(logs.values()), *zip(*scales, strict=True))
        support = np.stack(list(self.predict_proba_by_modality(X).values()))
        mean_or_maximum = np.nanmean(support, axis=0) if self.fusion == "mean" else np.nanmax(support, axis=0)
        return mean_or_maximum / mean_or_maximum.sum(axis=1, keepdims=True)

    def predict_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Class of each row by each modality's own classifier, as the paper scores them.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Rows that lack the modality have -1, or None where classes are no signed numbers.
        """
        predicted = {}
        for name, features in self._preprocess(self._known_matrix(X)).items():
            rows, codes = present(features), np.full(len(features), -1)
            if rows.any():
                codes[rows] = self.estimators_[name].predict(rows_of(features, rows))
            predicted[name] = decode(codes, self.classes_)
        return predicted

    @available_if(base_has("predict_proba"))
    def predict_proba_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Probability of each class by each modality's own classifier.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.

        Returns
        -------
        dict of str to ndarray of shape (n, k)
            Rows that lack the modality have NaN.
        """
        probabilities = {}
        for name, features in self._preprocess(self._known_matrix(X)).items():
            rows, estimator = present(features), self.estimators_[name]
            support = np.full((len(features), len(self.classes_)), np.nan)
            if rows.any():
                support[rows] = 0.0
                support[np.ix_(rows, estimator.classes_)] = estimator.predict_proba(rows_of(features, rows))
            probabilities[name] = support
        return probabilities

    def _log_proba_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Logarithms of `predict_proba_by_modality`."""
        return {
            name: log_probabilities(self.estimators_[name], features, len(self.classes_))
            for name, features in self._preprocess(self._known_matrix(X)).items()
        }

    def score(self, X: Features, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of `predict` on the rows whose class is known.

        So partly labelled data can be cross-validated: rows without a label, which scikit-learn's scorers would count
        as errors, are left out.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.
        y : array-like of shape (n,)
            As for `fit`.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows; default all equal.

        Returns
        -------
        float
            In [0, 1].

        Raises
        ------
        ValueError
            If no row has a label.
        """
        predicted, (labeled, labels) = self.predict(X), known_labels(y)
        check_consistent_length(predicted, labeled, sample_weight)
        if not labeled.any():
            raise CmcslError("y has no labelled row: at least one is needed for a score.")
        weight = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        return float(accuracy_score(labels, predicted[labeled], sample_weight=weight))

    def get_metadata_routing(self) -> MetadataRouter:
        """Route the metadata of `fit` and `partial_fit` to the base estimator.

        Returns
        -------
        MetadataRouter
            See the metadata routing of scikit-learn.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit").add(caller="partial_fit", callee="partial_fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(base_estimator=self._base(), method_mapping=mapping)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A modality that a row lacks may be all NaN, but in between only a transformer of the user's own can take NaN.
        tags.input_tags.allow_nan = not isinstance(self.preprocessing, str)
        return tags

    def _base(self) -> BaseEstimator:
        return GaussianNB() if self.base_estimator is None else self.base_estimator

    def _check_parameters(self) -> None:
        """Raise if a parameter has no admissible value."""
        base = self._base()
        if isinstance(base, type) or not hasattr(base, "get_params") or not is_classifier(base):
            raise CmcslError(f"base_estimator must be a classifier, such as GaussianNB(), got {base!r}.")
        if isinstance(self.preprocessing, str | type) or not hasattr(self.preprocessing, "fit_transform"):
            check_choice(self.preprocessing, PREPROCESSINGS, "preprocessing")
        if self.class_weight is not None and not isinstance(self.class_weight, Mapping):
            check_choice(self.class_weight, ("share", "balanced", "None"), "class_weight")
        check_choice(self.fusion, self.fusions, "fusion")

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Check parameters and training data; learn modalities and classes; return one matrix and class numbers."""
        self._check_parameters()
        if is_dict(X):
            arrays, self._names = checked_arrays(X, known={})
            self._parts = modality_columns(self.modalities, arrays)
            joint = side_by_side(arrays, self._parts, sum(array.shape[1] for array in arrays.values()))
            matrix = self._matrix(joint, y, reset=True)
        else:
            matrix = self._matrix(X, y, reset=True)
            names = getattr(self, "feature_names_in_", None)
            self._parts = modality_columns(self.modalities, matrix, names)
            self._names = {} if names is None else {name: names[part].tolist() for name, part in self._parts.items()}
        self.modalities_ = self._parts
        self.classes_, codes = encode(y, classes, labeled)
        return matrix, codes

    def _matrix(self, X: Features, y: ArrayLike, *, reset: bool) -> np.ndarray:
        """X as one checked matrix; y is only looked at for being there and as long as X."""
        if y is None:
            # Raises, in scikit-learn's words.
            validate_data(self, X, y, reset=reset)
        matrix = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        if not isinstance(y, str):
            check_consistent_length(matrix, y)
        return matrix

    def _known_matrix(self, X: Features, y: ArrayLike = "no_validation") -> np.ndarray:
        """X as one matrix with the columns of the training data."""
        check_is_fitted(self)
        if is_dict(X):
            X = side_by_side(checked_arrays(X, self._names)[0], self._parts, self.n_features_in_)
        return self._matrix(X, y, reset=False)

    def _preprocess(self, matrix: np.ndarray, *, fit: bool = False) -> dict[str, np.ndarray]:
        """Preprocessed features of each modality; NaN in rows that lack it, one column of NaN if all rows do."""
        if fit:
            self.preprocessors_ = {}
        modalities, by_name = {}, isinstance(self.preprocessing, str)
        # Gaps are left to a transformer of the user's own.
        for name, rows in present_rows(matrix, self.modalities_, gaps=not by_name).items():
            if fit and not len(rows):
                raise CmcslError(f"Modality {name!r} is missing in every row: at least one row must have it.")
            if not len(rows):
                modalities[name] = np.full((len(matrix), 1), np.nan)
                continue
            # The matrix of a frame lies column by column, so that its sums would be rounded otherwise than an array's.
            X = np.ascontiguousarray(rows_of(columns_of(matrix, self.modalities_[name]), rows))
            with config_context(transform_output="default"):
                if fit and by_name:
                    # These fit and transform in one go to the same values; others may not.
                    self.preprocessors_[name] = preprocessor(self.preprocessing)
                    X = self.preprocessors_[name].fit_transform(X)
                else:
                    if fit:
                        self.preprocessors_[name] = clone(self.preprocessing).fit(X)
                    X = self.preprocessors_[name].transform(X)
            X = np.asarray(X, dtype=np.float64)
            if np.isnan(X.sum()):
                check_gaps(name, rows[np.isnan(X).any(axis=1)])
            modalities[name] = X
            if len(rows) < len(matrix):
                modalities[name] = np.full((len(matrix), X.shape[1]), np.nan)
                modalities[name][rows] = X
        return modalities

    def _begin_fit(
        self, X: Features, y: ArrayLike, labeled: ArrayLike | None, params: dict[str, Any]
    ) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any]]:
        """What every `fit` begins with: preprocessed modalities, class numbers, and metadata for the base estimator."""
        matrix, codes = self._validate(X, y, labeled=labeled)
        return self._preprocess(matrix, fit=True), codes, self._route(params, "fit", len(codes))

    def _route(self, params: dict[str, Any], method: str, n: int) -> dict[str, Any]:
        """Metadata for the base estimator's method, of n rows."""
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params)["base_estimator"][method]
        metadata = {name: value for name, value in params.items() if value is not None}
        weight = metadata.get("sample_weight", 1.0)
        if np.ndim(weight) and np.shape(weight) != (n,):
            raise CmcslError(f"sample_weight must have one entry per row, shape ({n},), got shape {np.shape(weight)}.")
        return metadata

    def _train(
        self,
        modalities: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        codes: np.ndarray,
        metadata: Mapping[str, Any],
        method: str = "fit",
        estimators: Mapping[str, BaseEstimator] | None = None,
        soft: Mapping[str, np.ndarray | None] | None = None,
    ) -> dict[str, BaseEstimator]:
        """Train the classifier of each modality on its `labels`, rows with -1 left out.

        Classes are weighted by the known labels `codes`. `method` is "fit", or "partial_fit" of those `estimators`
        that there are already. Where there are `soft` labels, how much each row belongs to each class, of shape (n, k),
        a base estimator that takes `sample_weight` is given each row once per class, with these weights.
        """
        weights, trained = self._class_weights(codes), dict(estimators or {})
        weighted = has_fit_parameter(self._base(), "sample_weight")
        for name, X in modalities.items():
            rows = np.flatnonzero(present(X) & (labels[name] >= 0))
            if not len(rows):
                if name in trained:
                    continue
                raise CmcslError(f"y labels no row that has modality {name!r}: its classifier needs at least one.")
            own_labels, row_weights = labels[name][rows], None
            if weighted and soft and (shares := soft[name]) is not None:
                places, own_labels = np.nonzero(shares[rows] >= LEAST)
                rows = rows[places]
                row_weights = shares[rows, own_labels]
            # What has one entry per row is cut to the rows that are learnt.
            arguments = {
                key: np.asarray(value)[rows] if np.ndim(value) and len(value) == len(X) else value
                for key, value in metadata.items()
            }
            for factor in (row_weights, None if weights is None else weights[own_labels]):
                if factor is not None:
                    arguments["sample_weight"] = factor * np.asarray(arguments.get("sample_weight", 1.0))
            if method == "partial_fit":
                arguments["classes"] = np.arange(len(self.classes_))
            estimator = trained[name] if name in trained else clone(self._base())
            trained[name] = getattr(estimator, method)(rows_of(X, rows), own_labels, **arguments)
        return trained

    def _class_weights(self, codes: np.ndarray) -> np.ndarray | None:
        """Weight of each class; None if nothing is to be weighted."""
        if self.class_weight is None or len(self.classes_) < 2:
            return None
        if not has_fit_parameter(self._base(), "sample_weight"):
            if self.class_weight == "share":
                return None
            raise CmcslError(
                f"class_weight {self.class_weight!r} needs a base_estimator that takes sample_weight, "
                f"but {type(self._base()).__name__} does not."
            )
        known = codes[codes >= 0]
        if self.class_weight == "share":
            return 1 - np.bincount(known, minlength=len(self.classes_)) / len(known)
        return compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[known])
