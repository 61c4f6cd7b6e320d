"""Where items come from: corpora, their datasets, and the features of datasets."""

import numpy as np

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
