"""Where items come from: corpora, their datasets, and the features of datasets."""

from functools import lru_cache

import numpy as np
import pandas as pd

from ..files.errors import CmcslError, check_choice
from . import mm_imdb, openclipart, user_corpora
from .corpus import (
    RANDOM_STATE,
    Corpus,
    Subset,
    class_counts,
    divide,
    finetuning_split,
    large_enough,
    smallest_classes,
    subset,
)
from .dataset_classes import datasets, kind, known_corpora, own_corpora
from .items_file import items_path, items_seal

LOADERS = {"openclipart": openclipart.load, "mm-imdb": mm_imdb.load}

__all__ = [
    "RANDOM_STATE",
    "Corpus",
    "Subset",
    "class_counts",
    "creators",
    "datasets",
    "divide",
    "finetuning_split",
    "kind",
    "known_corpora",
    "large_enough",
    "load",
    "own_corpora",
    "smallest_classes",
    "subset",
    "times",
]


def load(name: str) -> Corpus:
    """Read a corpus.

    Parameters
    ----------
    name : str
        One of `known_corpora`.

    Returns
    -------
    Corpus

    Raises
    ------
    CmcslError
        If the corpus is unknown, missing or damaged.
    """
    check_choice(name, known_corpora(), "corpus")
    return LOADERS[name]() if name in LOADERS else user_corpora.load(name)


def creators(corpus: str, ids: np.ndarray) -> np.ndarray:
    """Who made each item.

    Parameters
    ----------
    corpus : str
    ids : ndarray of shape (n,), dtype str
        Identifiers of items.

    Returns
    -------
    ndarray of shape (n,), dtype object

    Raises
    ------
    CmcslError
        If the creators of the corpus's items are not known.
    """
    items = load(corpus).items
    if "creator" not in items:
        raise CmcslError(f'The corpus {corpus} does not tell who made its items: take the folds "stratified".')
    return items.set_index("id").creator[ids].to_numpy()


def times(corpus: str, ids: np.ndarray) -> np.ndarray:
    """When each item was made, as its corpus tells it: the year of a film.

    Parameters
    ----------
    corpus : str
    ids : ndarray of shape (n,), dtype str
        Identifiers of items.

    Returns
    -------
    ndarray of shape (n,), dtype float64
        NaN where it is not known.

    Raises
    ------
    CmcslError
        If the corpus is unknown, missing or damaged, or tells it of no item.
    """
    by_id = _times(corpus, items_seal(corpus) if items_path(corpus).is_file() else "")
    if by_id.isna().all():
        raise CmcslError(
            f"The corpus {corpus} does not tell when its items were made, so that they make no stream: take mm-imdb, "
            "or items of your own with a column for `cmcsl extract folder --time`."
        )
    return by_id[ids].to_numpy()


@lru_cache(maxsize=1)
def _times(corpus: str, _seal: str) -> pd.Series:
    """Times by item, read once: the checksum of a file of several GB takes seconds."""
    items = load(corpus).items
    return items.set_index("id").time if "time" in items else pd.Series(np.nan, items.id)
