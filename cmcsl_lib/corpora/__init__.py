"""Where items come from."""

from ..errors import check_choice
from . import openclipart
from .base import Corpus, Subset, class_counts, divide, finetuning_split, subset
from .catalogue import datasets, kind

LOADERS = {"openclipart": openclipart.load}

__all__ = [
    "LOADERS", "Corpus", "Subset", "class_counts", "datasets", "divide", "finetuning_split", "kind", "load", "subset",
]


def load(name: str) -> Corpus:
    """Read a corpus.

    Raises
    ------
    CmcslError
        If the corpus is unknown, missing or damaged.
    """
    return LOADERS[check_choice(name, LOADERS, "corpus")]()
