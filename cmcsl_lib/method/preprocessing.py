"""The five preprocessings of Experiment 2 (Section IV-B) as scikit-learn transformers."""

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from ..files.errors import check_choice

if TYPE_CHECKING:
    import numpy as np
    from sklearn.base import BaseEstimator

#: Names of the paper, in the order of Table III.
PREPROCESSINGS = ("RAW", "L2", "STD", "MM", "L2STD")


def preprocessor(name: str) -> "BaseEstimator":
    """Make a new, unfitted transformer.

    Parameters
    ----------
    name : {"RAW", "L2", "STD", "MM", "L2STD"}
        RAW changes nothing; L2 scales every row to unit Euclidean norm; STD gives every column mean 0 and
        standard deviation 1; MM maps every column to [0, 1]; L2STD is L2, then STD.

    Returns
    -------
    transformer
        One of scikit-learn's, or a pipeline of two.

    Raises
    ------
    CmcslError
        If the name is unknown.
    """
    check_choice(name, PREPROCESSINGS, "preprocessing")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

    if name == "L2STD":
        return make_pipeline(Normalizer(), StandardScaler())
    return {"RAW": FunctionTransformer, "L2": Normalizer, "STD": StandardScaler, "MM": MinMaxScaler}[name]()


def fitted(name: str, steps: "Iterable[np.ndarray]") -> "BaseEstimator":
    """Make a transformer that is fitted to rows of which only some are in memory at a time.

    Parameters
    ----------
    name : str
        As for `preprocessor`.
    steps : iterable of ndarray of shape (rows, d), dtype float64
        All rows; at least one.

    Returns
    -------
    transformer
        As after `fit` to all rows at once, but for the last digits of means and standard deviations where there are
        several steps.
    """
    transformer, rows = preprocessor(name), iter(steps)
    *before, last = (step for _, step in transformer.steps) if name == "L2STD" else (transformer,)
    first = next(rows)
    for stateless in before:
        stateless.fit(first)
    for X in chain([first], rows):
        for stateless in before:
            X = stateless.transform(X)
        # What has no `partial_fit` learns nothing but the number of columns.
        getattr(last, "partial_fit", last.fit)(X)
    return transformer
