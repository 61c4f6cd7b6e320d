"""The five preprocessings of Experiment 2 (Section IV-B) as scikit-learn transformers."""

from typing import TYPE_CHECKING

from ..files.errors import check_choice

if TYPE_CHECKING:
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
