"""The five preprocessings of Experiment 2 (Section IV-B), and two of Section II-B, as scikit-learn transformers."""

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from ..files.errors import check_choice

if TYPE_CHECKING:
    import numpy as np
    from sklearn.base import BaseEstimator

#: Names of the paper, in the order of Table III.
PREPROCESSINGS = ("RAW", "L2", "STD", "MM", "L2STD")
#: Those that Section II-B names, which Experiment 2 does not compare.
RELATED_PREPROCESSINGS = ("DECIMAL", "PCAL2")
#: Those that leave columns where they are, and are learnt from some rows at a time.
STEPWISE = (*PREPROCESSINGS, "DECIMAL")


def preprocessor(name: str) -> "BaseEstimator":
    """Make a new, unfitted transformer.

    Parameters
    ----------
    name : {"RAW", "L2", "STD", "MM", "L2STD", "DECIMAL", "PCAL2"}
        RAW changes nothing; L2 scales every row to unit Euclidean norm; STD gives every column mean 0 and
        standard deviation 1; MM maps every column to [0, 1]; L2STD is L2, then STD. DECIMAL divides every column by the
        power of ten that brings it just below 1 [1]_. PCAL2 takes principal components, at most 256 and one for ten
        rows, gives each the standard deviation 1, and then scales rows as L2, as DeepCluster does before k-means [2]_.

    Returns
    -------
    transformer
        One of scikit-learn's, or a pipeline of two.

    Raises
    ------
    CmcslError
        If the name is unknown.

    References
    ----------
    .. [1] I. B. Mohamad and D. Usman, "Standardization and its effects on k-means clustering algorithm", Research
       Journal of Applied Sciences, Engineering and Technology, vol. 6, no. 17, 2013.
    .. [2] M. Caron, P. Bojanowski, A. Joulin and M. Douze, "Deep clustering for unsupervised learning of visual
       features", Proceedings of the European Conference on Computer Vision, 2018.
    """
    check_choice(name, (*PREPROCESSINGS, *RELATED_PREPROCESSINGS), "preprocessing")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

    if name in RELATED_PREPROCESSINGS:
        from .scalers import DecimalScaler, PrincipalComponents

        return DecimalScaler() if name == "DECIMAL" else make_pipeline(PrincipalComponents(), Normalizer())
    if name == "L2STD":
        return make_pipeline(Normalizer(), StandardScaler())
    return {"RAW": FunctionTransformer, "L2": Normalizer, "STD": StandardScaler, "MM": MinMaxScaler}[name]()


def fitted(name: str, steps: "Iterable[np.ndarray]") -> "BaseEstimator":
    """Make a transformer that is fitted to rows of which only some are in memory at a time.

    Parameters
    ----------
    name : {"RAW", "L2", "STD", "MM", "L2STD", "DECIMAL"}
        As for `preprocessor`; one of `STEPWISE`.
    steps : iterable of ndarray of shape (rows, d), dtype float64
        All rows; at least one.

    Returns
    -------
    transformer
        As after `fit` to all rows at once, but for the last digits of means and standard deviations where there are
        several steps.

    Raises
    ------
    CmcslError
        If the name is another one.
    """
    check_choice(name, STEPWISE, "preprocessing")
    transformer, rows = preprocessor(name), iter(steps)
    *before, last = _steps(transformer)
    first = next(rows)
    for stateless in before:
        stateless.fit(first)
    for X in chain([first], rows):
        for stateless in before:
            X = stateless.transform(X)
        # What has no `partial_fit` learns nothing but the number of columns.
        getattr(last, "partial_fit", last.fit)(X)
    return transformer


def transformed(transformer: "BaseEstimator", X: "np.ndarray") -> "np.ndarray":
    """Transform rows, which are overwritten: as `transform`, with one copy less for each of its steps.

    Parameters
    ----------
    transformer : transformer
        From `fitted`.
    X : ndarray of shape (rows, d), dtype float64
        Finite.

    Returns
    -------
    ndarray of shape (rows, d), dtype float64
        The rows transformed.
    """
    from sklearn import config_context
    from sklearn.preprocessing import Normalizer, StandardScaler

    # That they are finite is known, so that scikit-learn need not look.
    with config_context(assume_finite=True, transform_output="default"):
        for step in _steps(transformer):
            X = step.transform(X, copy=False) if isinstance(step, Normalizer | StandardScaler) else step.transform(X)
    return X


def _steps(transformer: "BaseEstimator") -> "list[BaseEstimator]":
    """A pipeline's transformers, or the one itself."""
    return [step for _, step in getattr(transformer, "steps", [("", transformer)])]
