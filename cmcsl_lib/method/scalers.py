"""Transformers of Section II-B that scikit-learn does not have as they are."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from ..files.errors import CmcslError

#: Components that DeepCluster takes.
COMPONENTS = 256


class DecimalScaler(MaxAbsScaler):
    """Decimal scaling: every column is divided by the smallest power of ten that is larger than all its values.

    A column whose values are all below 1 is left as it is.

    Attributes
    ----------
    max_abs_, n_features_in_, n_samples_seen_
        As for `MaxAbsScaler`.
    scale_ : ndarray of shape (d,), dtype float64
        The powers of ten, at least 1.
    """

    def partial_fit(self, X: np.ndarray, y: None = None) -> Self:
        """Learn the powers of ten of these rows and of those before.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows.
        y : None
            Not looked at.

        Returns
        -------
        self
            Fitted.
        """
        super().partial_fit(X, y)
        digits = np.floor(np.log10(np.maximum(self.max_abs_, 0.1))) + 1
        self.scale_ = 10.0**digits
        return self


class PrincipalComponents(TransformerMixin, BaseEstimator):
    """Principal components with standard deviation 1: as many as the rows bear, and only those that vary.

    scikit-learn's PCA takes a number of components that the rows must have, and divides by nearly 0 where a component
    does not vary. With as many components as there are rows less one, all of them would be equally far from each other.

    Parameters
    ----------
    n_components : int, default=256
        The most that are taken, as by DeepCluster, which has far more rows.
    rows_per_component : int, default=10
        Rows that there must be for each component but the first.

    Attributes
    ----------
    pca_ : PCA
        The components, those of most variance first.
    scale_ : ndarray of shape (number of components that are taken,), dtype float64
        Their standard deviations.
    n_features_in_ : int
    """

    def __init__(self, n_components: int = COMPONENTS, rows_per_component: int = 10) -> None:
        self.n_components = n_components
        self.rows_per_component = rows_per_component

    def fit(self, X: np.ndarray, y: None = None) -> Self:
        """Learn the components.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            At least two rows.
        y : None
            Not looked at.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        CmcslError
            If there is one row.
        """
        X = validate_data(self, X, dtype=np.float64)
        if len(X) < 2:
            raise CmcslError("Principal components need at least two rows, got n_samples = 1.")
        count = max(1, min(self.n_components, X.shape[1], len(X) // self.rows_per_component))
        # The shares of a variance of 0, of rows that are all the same, are not looked at.
        with np.errstate(invalid="ignore"):
            self.pca_ = PCA(count, random_state=0).fit(X)
        scale = np.sqrt(self.pca_.explained_variance_)
        varying = scale > 1e-6 * scale[0]
        self.scale_ = scale[varying] if varying.any() else np.ones(1)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Components of rows.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows.

        Returns
        -------
        ndarray of shape (n, number of components that are taken), dtype float64
            The components.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.pca_.transform(X)[:, : len(self.scale_)] / self.scale_
