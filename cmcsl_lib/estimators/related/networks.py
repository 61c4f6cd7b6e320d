"""What the methods that are networks share."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

from ...files.errors import CmcslError
from ..modality import Modality


def check_whole(estimator: BaseEstimator, *names: str) -> None:
    """Raise unless parameters are whole numbers of at least 1.

    Parameters
    ----------
    estimator : estimator
        That has them.
    *names : str
        Which ones.

    Raises
    ------
    CmcslError
        Names the first that is not.
    """
    for name in names:
        value = getattr(estimator, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise CmcslError(f"{name} must be a whole number of at least 1, got {value!r}.")


def widths(modalities: Mapping[str, Modality]) -> dict[str, int]:
    """Number of preprocessed features of each modality.

    Parameters
    ----------
    modalities : dict of str to Modality
        Each of at least one row.

    Returns
    -------
    dict of str to int
        A transformer may have changed them.
    """
    return {name: modality[:1].shape[1] for name, modality in modalities.items()}


def whole_arrays(modalities: Mapping[str, Modality], n: int, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Features of all rows in each modality; a row that lacks it has zeros, the means of standardised features.

    Parameters
    ----------
    modalities : dict of str to Modality
        The rows that have each one.
    n : int
        How many rows there are.
    widths : dict of str to int
        Number of preprocessed features of each modality; one without rows can't tell.

    Returns
    -------
    dict of str to ndarray of shape (n, d of the modality), dtype float32
        Finite.
    """
    arrays = {name: np.zeros((n, width), dtype=np.float32) for name, width in widths.items()}
    for name, modality in modalities.items():
        for step in modality.steps():
            if len(modality.rows[step]):
                arrays[name][modality.rows[step]] = modality[step]
    return arrays
