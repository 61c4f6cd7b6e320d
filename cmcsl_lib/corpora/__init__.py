"""Where items come from."""

import numpy as np

from ..files.errors import CmcslError, check_choice
from . import mm_imdb, openclipart, own
from .base import (
    RANDOM_STATE,
    Corpus,
    Subset,
    class_counts,
    class_sizes,
    divide,
    finetuning_split,
    large_enough,
    subset,
)
from .catalogue import datasets, examples, kind, known_corpora, own_corpora

LOADERS = {"openclipart": openclipart.load, "mm-imdb": mm_imdb.load}

__all__ = [
    "RANDOM_STATE",
    "Corpus",
    "Subset",
    "class_counts",
    "class_sizes",
    "creators",
    "datasets",
    "divide",
    "examples",
    "finetuning_split",
    "kind",
    "known_corpora",
    "large_enough",
    "load",
    "own_corpora",
    "subset",
]


def load(name: str) -> Corpus:
    """Read a corpus.

    Raises
    ------
    CmcslError
        If the corpus is unknown, missing or damaged.
    """
    check_choice(name, known_corpora(), "corpus")
    return LOADERS[name]() if name in LOADERS else own.load(name)


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
        If the corpus does not tell.
    """
    items = load(corpus).items
    if "creator" not in items:
        raise CmcslError(f'The corpus {corpus} does not tell who made its items: take the folds "stratified".')
    return items.set_index("id").creator[ids].to_numpy()
