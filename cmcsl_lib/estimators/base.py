"""What all the classifiers share: one classifier per modality, trained on labels it is given, and their fusion."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
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
from ..method.preprocessing import PREPROCESSINGS, preprocessor
from .inputs import (
    check_gaps,
    check_names,
    checked_arrays,
    decode,
    encode,
    is_dict,
    known_labels,
    modality_columns,
    present_rows,
    side_by_side,
)

FUSIONS = ("mean", "maximum")
CLASS_WEIGHTS = ("share", "balanced", None)


class View(NamedTuple):
    """One modality of the rows that have it.

    Attributes
    ----------
    rows : ndarray of shape (m,), dtype int64
        Row numbers.
    X : ndarray of shape (m, d), dtype float64
        Preprocessed features.
    """

    rows: np.ndarray
    X: np.ndarray


def base_has(method: str) -> Callable[["ModalityClassifier"], bool]:
    """Condition for `available_if`: the base estimator has this method."""

    def check(self: "ModalityClassifier") -> bool:
        if not hasattr(self._base(), method):
            raise AttributeError(f"base_estimator must have {method}, but {type(self._base()).__name__} has none.")
        return True

    return check


class ModalityClassifier(ClassifierMixin, BaseEstimator):
    """Base of all classifiers here; a subclass says which labels each modality's classifier is trained on.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion
        As in `CMCSLClassifier`.
    """

    def __init__(
        self, base_estimator=None, *, modalities=None, preprocessing="L2STD", class_weight="share", fusion="mean"
    ):
        self.base_estimator = base_estimator
        self.modalities = modalities
        self.preprocessing = preprocessing
        self.class_weight = class_weight
        self.fusion = fusion

    def fit(self, X, y, **params):
        """Label the unlabelled rows where the method does so, and train one classifier per modality.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like of shape (n, d of the modality)
            Features of labelled and unlabelled rows. A row whose values in one modality are all NaN lacks it.
        y : array-like of shape (n,)
            Class of each row; -1 (in a list of strings, an array of objects or one of pandas None and NaN as well)
            where it has no label.
        **params
            Metadata for the `fit` of the base estimator, such as `sample_weight`; what has n entries is cut to the
            rows that a classifier is trained on. With metadata routing enabled, the base estimator must request it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the input is not as described; the message names it.
        """
        matrix, codes = self._start(X, y)
        views, metadata = self._views(matrix), self._routed(params, "fit", len(matrix))
        taught = self._taught(views, codes, metadata)
        self.estimators_ = self._trained({}, views, taught, codes, metadata, "fit")
        return self

    def predict(self, X):
        """Class of each row by all modalities that it has, from the fused probabilities.

        The paper keeps the modalities apart (`predict_by_modality`) and fuses only in its reference method LF. Naive
        Bayes on hundreds of features gives probabilities close to 0 or 1, also where it is wrong; fused, they are often
        worse than the better modality by itself.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            As in `fit`; a dict may leave out modalities.

        Returns
        -------
        ndarray of shape (n,)

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
    def predict_proba(self, X):
        """Probability of each class, fused over the modalities that a row has.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like

        Returns
        -------
        ndarray of shape (n, k)
            Columns in the order of `classes_`.
        """
        support = np.stack(list(self.predict_proba_by_modality(X).values()))
        fused = np.nanmean(support, axis=0) if self.fusion == "mean" else np.nanmax(support, axis=0)
        return fused / fused.sum(axis=1, keepdims=True)

    def predict_by_modality(self, X):
        """Class of each row by each modality's own classifier, as the paper scores them.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Rows that lack the modality have -1, or None where classes are no signed numbers.
        """
        found = {}
        n, views = self._rows_to_predict(X)
        for name, view in views.items():
            codes = np.full(n, -1)
            if len(view.rows):
                codes[view.rows] = self.estimators_[name].predict(view.X)
            found[name] = decode(codes, self.classes_)
        return found

    @available_if(base_has("predict_proba"))
    def predict_proba_by_modality(self, X):
        """Probability of each class by each modality's own classifier.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like

        Returns
        -------
        dict of str to ndarray of shape (n, k)
            Rows that lack the modality have NaN.
        """
        found = {}
        n, views = self._rows_to_predict(X)
        for name, view in views.items():
            found[name] = np.full((n, len(self.classes_)), np.nan)
            if len(view.rows):
                support = np.zeros((len(view.rows), len(self.classes_)))
                support[:, self.estimators_[name].classes_] = self.estimators_[name].predict_proba(view.X)
                found[name][view.rows] = support
        return found

    def score(self, X, y, sample_weight=None):
        """Accuracy of `predict` on the rows whose class is known.

        So partly labelled data can be cross-validated: rows without a label, which scikit-learn's scorers would count
        as errors, are left out.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
        y : array-like of shape (n,)
            As in `fit`.
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        float

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

    def get_metadata_routing(self):
        """Which metadata goes where: what `fit` and `partial_fit` are given, to the base estimator.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit").add(caller="partial_fit", callee="partial_fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(base_estimator=self._base(), method_mapping=mapping)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A row without any modality is an error: NaN is allowed only where there are several.
        tags.input_tags.allow_nan = isinstance(self.modalities, Mapping | Sequence) and len(self.modalities) > 1
        return tags

    def _taught(self, views: dict[str, View], codes: np.ndarray, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
        """For each modality the class that each row is given in training, -1 for rows that are left out.

        Metadata is for methods that train classifiers on the way.
        """
        raise NotImplementedError

    def _base(self) -> BaseEstimator:
        return GaussianNB() if self.base_estimator is None else self.base_estimator

    def _check_parameters(self) -> None:
        """Raise if a parameter has no admissible value."""
        base = self._base()
        if isinstance(base, type) or not hasattr(base, "get_params") or not is_classifier(base):
            raise CmcslError(f"base_estimator must be a classifier, such as GaussianNB(), got {base!r}.")
        if isinstance(self.preprocessing, str | type) or not hasattr(self.preprocessing, "fit_transform"):
            check_choice(self.preprocessing, PREPROCESSINGS, "preprocessing")
        if not isinstance(self.class_weight, Mapping):
            check_choice(self.class_weight, CLASS_WEIGHTS, "class_weight")
        check_choice(self.fusion, FUSIONS, "fusion")

    def _grouped(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns of what gets a classifier of its own: each modality."""
        return columns

    def _start(self, X: Any, y: Any, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Learn shapes, names, modalities, classes and preprocessing; return the matrix and class numbers."""
        self._check_parameters()
        if is_dict(X):
            arrays, self._names = checked_arrays(X), check_names(X, {})
            self._parts = modality_columns(self.modalities, arrays)
            X = side_by_side(arrays, self._parts, sum(array.shape[1] for array in arrays.values()))
            matrix = self._matrix(X, y, reset=True)
        else:
            matrix = self._matrix(X, y, reset=True)
            names = getattr(self, "feature_names_in_", None)
            self._parts = modality_columns(self.modalities, matrix, names)
            self._names = {} if names is None else {name: names[part].tolist() for name, part in self._parts.items()}
        self.modalities_ = self._grouped(self._parts)
        self.classes_, codes = encode(y, classes)
        self.preprocessors_ = {}
        for name, rows in self._present_rows(matrix).items():
            if not len(rows):
                raise CmcslError(f"Modality {name!r} is missing in every row: at least one row must have it.")
            with config_context(transform_output="default"):
                self.preprocessors_[name] = self._preprocessor().fit(self._features(matrix, name, rows))
        return matrix, codes

    def _matrix(self, X: Any, y: Any = "no_validation", *, reset: bool) -> np.ndarray:
        """X as one checked matrix; y is only looked at for being there and as long as X."""
        if y is None:
            # Raises, in scikit-learn's words.
            validate_data(self, X, y, reset=reset)
        matrix = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        if not isinstance(y, str):
            check_consistent_length(matrix, y)
        return matrix

    def _known_matrix(self, X: Any, y: Any = "no_validation") -> np.ndarray:
        """X as one matrix with the columns of the training data."""
        if is_dict(X):
            check_names(X, self._names)
            X = side_by_side(checked_arrays(X), self._parts, self.n_features_in_)
        return self._matrix(X, y, reset=False)

    def _preprocessor(self) -> BaseEstimator:
        return preprocessor(self.preprocessing) if isinstance(self.preprocessing, str) else clone(self.preprocessing)

    def _present_rows(self, matrix: np.ndarray) -> dict[str, np.ndarray]:
        """As `present_rows`; gaps are left to transformers of the user's own."""
        return present_rows(matrix, self.modalities_, gaps=not isinstance(self.preprocessing, str))

    def _features(self, matrix: np.ndarray, name: str, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(matrix[np.ix_(rows, self.modalities_[name])])

    def _views(self, matrix: np.ndarray) -> dict[str, View]:
        """Each modality of a matrix, preprocessed."""
        views = {}
        for name, rows in self._present_rows(matrix).items():
            X = self._features(matrix, name, rows)
            # Transformers refuse to be given no rows.
            if len(rows):
                with config_context(transform_output="default"):
                    X = np.asarray(self.preprocessors_[name].transform(X))
                check_gaps(name, rows[np.isnan(X).any(axis=1)])
            views[name] = View(rows, X)
        return views

    def _rows_to_predict(self, X: Any) -> tuple[int, dict[str, View]]:
        check_is_fitted(self)
        matrix = self._known_matrix(X)
        return len(matrix), self._views(matrix)

    def _routed(self, params: dict[str, Any], method: str, n: int) -> dict[str, Any]:
        """Metadata that the base estimator's method is given, for n rows."""
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params)["base_estimator"][method]
        given = {name: value for name, value in params.items() if value is not None}
        weight = given.get("sample_weight", 1.0)
        if np.ndim(weight) and np.shape(weight) != (n,):
            raise CmcslError(f"sample_weight must have one entry per row, shape ({n},), got shape {np.shape(weight)}.")
        return given

    def _trained(
        self,
        estimators: Mapping[str, BaseEstimator],
        views: dict[str, View],
        taught: dict[str, np.ndarray],
        labeled: np.ndarray,
        params: dict[str, Any],
        method: str,
    ) -> dict[str, BaseEstimator]:
        """Classifier of each modality, trained further if there is one, else made.

        Parameters
        ----------
        labeled : ndarray of int64
            Class numbers from which the shares of the classes are taken, -1 where there is no label.
        method : {"fit", "partial_fit"}
        """
        weights, trained = self._class_weights(labeled), dict(estimators)
        for name, view in views.items():
            labels = taught[name][view.rows]
            labeled_rows = labels >= 0
            if not labeled_rows.any() and name in trained:
                continue
            if not labeled_rows.any():
                raise CmcslError(f"y labels no row that has modality {name!r}: its classifier needs at least one.")
            given = {key: _cut(value, view.rows[labeled_rows], len(taught[name])) for key, value in params.items()}
            if weights is not None:
                given["sample_weight"] = weights[labels[labeled_rows]] * np.asarray(given.get("sample_weight", 1.0))
            if method == "partial_fit":
                given["classes"] = np.arange(len(self.classes_))
            estimator = trained[name] if name in trained else clone(self._base())
            trained[name] = getattr(estimator, method)(view.X[labeled_rows], labels[labeled_rows], **given)
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
        given = codes[codes >= 0]
        if self.class_weight == "share":
            return 1 - np.bincount(given, minlength=len(self.classes_)) / len(given)
        return compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[given])


def _cut(value: Any, rows: np.ndarray, n: int) -> Any:
    """Metadata of some rows, if it has one entry per row."""
    return np.asarray(value)[rows] if np.ndim(value) and len(value) == n else value
