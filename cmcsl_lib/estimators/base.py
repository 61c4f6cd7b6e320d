"""What all classifiers here share: validation, preprocessing, one classifier per modality, and their fusion."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
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
from ..method.preprocessing import PREPROCESSINGS, RELATED_PREPROCESSINGS, STEPWISE, fitted, preprocessor
from .inputs import (
    PRECISIONS,
    Features,
    Modalities,
    check_gaps,
    check_widths,
    checked_arrays,
    decode,
    encode,
    is_dict,
    known_labels,
    metadata_of,
    modality_columns,
)
from .modality import Modality, present_rows
from .training import TrainingSet, trained

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


def log_probabilities(estimator: BaseEstimator, X: Modality, classes: int) -> np.ndarray:
    """Logarithms of the probabilities of all classes.

    Parameters
    ----------
    estimator : estimator
        Fitted to class numbers, some of which may have been missing, with `predict_proba`.
    X : Modality
        The m rows that have it.
    classes : int
        How many there are, k.

    Returns
    -------
    ndarray of shape (m, k), dtype float64
        Finite.
    """
    logs = np.empty((len(X), classes))
    for step in X.steps():
        with np.errstate(divide="ignore"):
            # Naive Bayes tells apart by their logarithms what its probabilities round to 0.
            if hasattr(estimator, "predict_log_proba"):
                own = estimator.predict_log_proba(X[step])
            else:
                own = np.log(estimator.predict_proba(X[step]))
        finite = np.where(np.isneginf(own), 0.0, own)
        # What has probability 0, such as a class without a neighbour, is not infinitely unlikely.
        least = np.minimum(finite.min(axis=1, keepdims=True), np.log(LEAST))
        logs[step] = least
        logs[step, estimator.classes_] = np.where(np.isneginf(own), least, own)
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
        return self._fused(self.predict_proba_by_modality(X))

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
        predicted, (n, modalities) = {}, self._known(X)
        for name, modality in self._preprocess(modalities).items():
            codes = np.full(n, -1)
            for step in modality.steps():
                codes[modality.rows[step]] = self.estimators_[name].predict(modality[step])
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
        n, modalities = self._known(X)
        return self._proba(self.estimators_, self._preprocess(modalities), n)

    def _proba(
        self, estimators: Mapping[str, BaseEstimator], modalities: Mapping[str, Modality], n: int
    ) -> dict[str, np.ndarray]:
        """Probabilities of n rows by these classifiers; NaN where a row lacks the modality."""
        probabilities = {}
        for name, modality in modalities.items():
            support, estimator = np.full((n, len(self.classes_)), np.nan), estimators[name]
            support[modality.rows] = 0.0
            for step in modality.steps():
                support[np.ix_(modality.rows[step], estimator.classes_)] = estimator.predict_proba(modality[step])
            probabilities[name] = support
        return probabilities

    def _fused(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Mean or maximum of the probabilities by the modalities that each row has, with sum 1."""
        support = np.stack(list(probabilities.values()))
        mean_or_maximum = np.nanmean(support, axis=0) if self.fusion == "mean" else np.nanmax(support, axis=0)
        return mean_or_maximum / mean_or_maximum.sum(axis=1, keepdims=True)

    def _log_proba_by_modality(self, X: Features) -> dict[str, np.ndarray]:
        """Logarithms of `predict_proba_by_modality`."""
        logarithms, (n, modalities) = {}, self._known(X)
        for name, modality in self._preprocess(modalities).items():
            logarithms[name] = np.full((n, len(self.classes_)), np.nan)
            logarithms[name][modality.rows] = log_probabilities(self.estimators_[name], modality, len(self.classes_))
        return logarithms

    def score(self, X: Features, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of `predict` on the rows whose class is known.

        So partly labelled data can be cross-validated: rows without a label, which scikit-learn's scorers would count
        as errors, are left out.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As for `predict`.
        y : array-like of shape (n,)
            As for `fit`; where -1 is one of `classes_`, only None and NaN stand for no label.
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
        predicted = self.predict(X)
        # In `fit` a mask said that -1 is a class; here nothing but None and NaN stands for no label then.
        minus_one = self.classes_.dtype.kind in "if" and -1 in self.classes_
        labeled, labels = known_labels(y, ~pd.isna(np.asarray(y, dtype=object)) if minus_one else None)
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
            check_choice(self.preprocessing, (*PREPROCESSINGS, *RELATED_PREPROCESSINGS), "preprocessing")
        if self.class_weight is not None and not isinstance(self.class_weight, Mapping):
            check_choice(self.class_weight, ("share", "balanced", "None"), "class_weight")
        check_choice(self.fusion, self.fusions, "fusion")

    def _check_counts(self, *names: str, least: int = 1) -> None:
        """Raise unless these parameters are whole numbers of at least `least`."""
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise CmcslError(f"{name} must be a whole number of at least {least}, got {value!r}.")

    def _check_finite(self, name: str, *, above: float | None = None, least: float | None = None) -> None:
        """Raise unless this parameter is a finite number above a bound, or at least as large as one."""
        value = getattr(self, name)
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan
        if not np.isfinite(number) or (above is not None and number <= above) or (least is not None and number < least):
            bound = f"above {above:g}" if least is None else f"of at least {least:g}"
            raise CmcslError(f"{name} must be a finite number {bound}, got {value!r}.")

    def _check_share(self, name: str) -> None:
        """Raise unless this parameter is a number from 0 to 1."""
        value = getattr(self, name)
        if not isinstance(value, Real) or not 0 <= float(value) <= 1:
            raise CmcslError(f"{name} must be a number in [0, 1], got {value!r}.")

    def _check_probabilities(self) -> None:
        """Raise unless the base estimator gives probabilities."""
        if not hasattr(self._base(), "predict_proba"):
            raise CmcslError(f"base_estimator must have predict_proba, but {type(self._base()).__name__} has none.")

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        """Check parameters and training data; learn modalities and classes; return features and class numbers."""
        self._check_parameters()
        if y is None:
            # Raises, in scikit-learn's words.
            validate_data(self, [[0.0]], y)
        if is_dict(X):
            arrays, self._names = checked_arrays(X, known={})
            self._parts = modality_columns(self.modalities, arrays)
            features = self._of_arrays(arrays, reset=True)
        else:
            matrix = self._matrix(X, reset=True)
            names = getattr(self, "feature_names_in_", None)
            self._parts = modality_columns(self.modalities, matrix, names)
            self._names = {} if names is None else {name: names[part].tolist() for name, part in self._parts.items()}
            features = self._of_matrix(matrix)
        self.modalities_ = self._parts
        self._check_length(features, y)
        self.classes_, codes = encode(y, classes, labeled)
        return features, codes

    def _matrix(self, X: Features, *, reset: bool) -> np.ndarray:
        """X as one checked matrix."""
        return validate_data(self, X, reset=reset, dtype=PRECISIONS, ensure_all_finite="allow-nan")

    def _of_matrix(self, matrix: np.ndarray) -> dict[str, Modality]:
        """Features of each modality as they are given, in one checked matrix."""
        rows = np.arange(len(matrix))
        return {name: Modality(matrix, rows, columns) for name, columns in self._parts.items()}

    def _of_arrays(self, arrays: Mapping[str, np.ndarray], *, reset: bool) -> dict[str, Modality]:
        """The same in one checked array of each modality; one that is not there is missing in every row."""
        n, width = len(next(iter(arrays.values()))), sum(array.shape[1] for array in arrays.values())
        # As if the arrays stood side by side, in no memory.
        joint = np.broadcast_to(np.nan, (n, width if reset else self.n_features_in_))
        validate_data(self, joint, reset=reset, skip_check_array=True)
        check_widths(arrays, self._parts)
        return {
            name: Modality(arrays.get(name, joint[:, : len(columns)]), np.arange(n))
            for name, columns in self._parts.items()
        }

    def _known(self, X: Features, y: ArrayLike = "no_validation") -> tuple[int, dict[str, Modality]]:
        """Features of each modality as they are given, with the columns of the training data, and how many rows."""
        check_is_fitted(self)
        if is_dict(X):
            features = self._of_arrays(checked_arrays(X, self._names)[0], reset=False)
        else:
            features = self._of_matrix(self._matrix(X, reset=False))
        self._check_length(features, y)
        return len(next(iter(features.values()))), features

    @staticmethod
    def _check_length(features: Mapping[str, Modality], y: ArrayLike) -> None:
        """Raise unless there are as many labels as rows."""
        if not isinstance(y, str):
            check_consistent_length(next(iter(features.values())).rows, y)

    def _preprocess(self, features: Mapping[str, Modality], *, fit: bool = False) -> dict[str, Modality]:
        """The rows that have each modality, which are preprocessed when they are asked for."""
        if fit:
            self.preprocessors_ = {}
        modalities, stepwise = {}, isinstance(self.preprocessing, str) and self.preprocessing in STEPWISE
        # Gaps are left to a transformer of the user's own.
        for name, rows in present_rows(features, gaps=not isinstance(self.preprocessing, str)).items():
            if fit and not len(rows):
                raise CmcslError(f"Modality {name!r} is missing in every row: at least one row must have it.")
            modality = features[name] if len(rows) == len(features[name]) else features[name].at(rows)
            if stepwise:
                if fit:
                    with config_context(transform_output="default"):
                        steps = (modality.raw(step) for step in modality.steps())
                        self.preprocessors_[name] = fitted(self.preprocessing, steps)
                modalities[name] = Modality(modality.features, rows, modality.columns, self.preprocessors_[name])
            else:
                modalities[name] = self._transformed(name, modality, fit=fit)
        return modalities

    def _transformed(self, name: str, modality: Modality, *, fit: bool) -> Modality:
        """A modality changed by a transformer that may need all rows at once, and give other columns."""
        X = modality[:]
        with config_context(transform_output="default"):
            if fit:
                by_name = isinstance(self.preprocessing, str)
                transformer = preprocessor(self.preprocessing) if by_name else clone(self.preprocessing)
                self.preprocessors_[name] = transformer.fit(X)
            X = np.asarray(self.preprocessors_[name].transform(X) if len(X) else X, dtype=np.float64)
        if np.isnan(X.sum()):
            check_gaps(name, modality.rows[np.isnan(X).any(axis=1)])
        return Modality(X, modality.rows, source=np.arange(len(X)))

    def _begin_fit(
        self, X: Features, y: ArrayLike, labeled: ArrayLike | None, params: dict[str, Any]
    ) -> tuple[dict[str, Modality], np.ndarray, dict[str, Any]]:
        """What every `fit` begins with: preprocessed modalities, class numbers, and metadata for the base estimator."""
        features, codes = self._validate(X, y, labeled=labeled)
        return self._preprocess(features, fit=True), codes, self._route(params, "fit", len(codes))

    def _route(
        self, params: dict[str, Any], method: str, n: int, consumer: str = "base_estimator", callee: str | None = None
    ) -> dict[str, Any]:
        """Metadata of n rows, given to a method, for the base estimator or another consumer's method."""
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params)[consumer][callee or method]
        metadata = {name: value for name, value in params.items() if value is not None}
        weight = metadata.get("sample_weight", 1.0)
        if np.ndim(weight) and np.shape(weight) != (n,):
            raise CmcslError(f"sample_weight must have one entry per row, shape ({n},), got shape {np.shape(weight)}.")
        return metadata

    def _teach(
        self,
        modalities: Mapping[str, Modality],
        labels: Mapping[str, np.ndarray],
        codes: np.ndarray,
        metadata: Mapping[str, Any],
        soft: Mapping[str, np.ndarray | None] | None = None,
    ) -> dict[str, TrainingSet]:
        """What the classifier of each modality learns: its `labels`, rows with -1 left out.

        Classes are weighted by the known labels `codes`. Where there are `soft` labels, how much each row belongs to
        each class, of shape (n, k), a base estimator that takes `sample_weight` is given each row once per class, with
        these weights.
        """
        weights, training_sets = self._class_weights(codes), {}
        weighted = has_fit_parameter(self._base(), "sample_weight")
        for name, X in modalities.items():
            places = np.flatnonzero(labels[name][X.rows] >= 0)
            rows, row_weights = X.rows[places], None
            own_labels = labels[name][rows]
            if weighted and soft and (shares := soft[name]) is not None:
                of_rows, own_labels = np.nonzero(shares[rows] >= LEAST)
                places, rows = places[of_rows], rows[of_rows]
                row_weights = shares[rows, own_labels]
            arguments = metadata_of(metadata, rows, len(codes))
            for factor in (row_weights, None if weights is None else weights[own_labels]):
                if factor is not None:
                    arguments["sample_weight"] = factor * np.asarray(arguments.get("sample_weight", 1.0))
            training_sets[name] = TrainingSet(places, own_labels, arguments)
        return training_sets

    def _train(
        self,
        modalities: Mapping[str, Modality],
        training_sets: Mapping[str, TrainingSet],
        parts: Mapping[str, np.ndarray],
    ) -> dict[str, list[BaseEstimator]]:
        """Train the classifier of each modality, and for each of its `parts`, if it has any, one without this part."""
        classifiers = {}
        for name, X in modalities.items():
            if not len(training_sets[name].rows):
                raise CmcslError(f"y labels no row that has modality {name!r}: its classifier needs at least one.")
            classifiers[name] = trained(self._base(), X, training_sets[name], parts.get(name))
        return classifiers

    def _fit_classifiers(
        self,
        modalities: Mapping[str, Modality],
        labels: np.ndarray,
        codes: np.ndarray,
        metadata: Mapping[str, Any],
    ) -> dict[str, BaseEstimator]:
        """Train the classifiers of all modalities on the same labels."""
        training_sets = self._teach(modalities, dict.fromkeys(modalities, labels), codes, metadata)
        return {name: classifier for name, (classifier,) in self._train(modalities, training_sets, {}).items()}

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
