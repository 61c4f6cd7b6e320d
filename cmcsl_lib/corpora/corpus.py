"""A corpus of items with an image, a text and labels, and its division into datasets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..files.errors import CmcslError, check_choice
from .dataset_classes import datasets, kind

RANDOM_STATE = 1410
FINETUNING_SHARE = 0.2
SPLITS = ("corpus", "dataset")
#: Label sets with fewer items are stratified together: a set must be able to give both parts something.
RARE = 5
#: One batch of the published training: a network is not trained on fewer items.
LEAST_FINETUNING = 8
#: The smallest class of Table I, News, has 54 films: enough for 20 seeds in half of 80% of them.
MIN_CLASS = 50


@dataclass(frozen=True)
class Corpus:
    """Items of one corpus.

    Parameters
    ----------
    name : str
    items : DataFrame
        One row per item: id (str, unique), text (str), labels (sequence of str, empty where the item has none), image
        (bytes of a file that `pictures.decoded` reads; they may stay on disk until asked for), and whatever else is
        known, such as time (float, such as a year, NaN where it is not known). Text and image are missing in a corpus
        of ready-made features.
    """

    name: str
    items: pd.DataFrame

    @property
    def has_images(self) -> bool:
        """Whether the items have images and texts, or only features that were made elsewhere."""
        return bool(self.items.image.notna().any())


@dataclass(frozen=True)
class Subset:
    """One dataset: the items with exactly one of its classes, in two parts.

    Attributes
    ----------
    finetuning_rows, finetuning_y : ndarray of int64
        Row numbers in the corpus, and classes, of the 20% that the visual encoder is fine-tuned on; none where there
        are too few items for that.
    rows, y : ndarray of int64
        The same of the 80% that features are extracted from and experiments run on, and among them the corpus's items
        without any label, whose y is -1 and which experiments leave out.
    """

    corpus: str
    dataset: str
    classes: tuple[str, ...]
    finetuning_rows: np.ndarray
    finetuning_y: np.ndarray
    rows: np.ndarray
    y: np.ndarray


def divide(labels: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that carry exactly one of the classes (Section IV-A), and the index of that class.

    Parameters
    ----------
    labels : sequence of sequence of str
        Labels of each item.
    classes : sequence of str
        Classes of the dataset.

    Returns
    -------
    rows, y : ndarray of shape (n,), dtype int64

    Raises
    ------
    CmcslError
        If a class has no item.
    """
    rows, y = _with_one_class(labels, classes)
    for number, label in enumerate(classes):
        if not (y == number).any():
            raise CmcslError(f"No item has {label!r} as its only label among {', '.join(classes)}.")
    return rows, y


def _with_one_class(labels: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """As `divide`, also where a class has no item."""
    index = {label: number for number, label in enumerate(classes)}
    numbers = [[index[label] for label in item if label in index] for item in labels]
    single = [(row, item[0]) for row, item in enumerate(numbers) if len(item) == 1]
    rows, y = np.array(single, dtype=np.int64).reshape(-1, 2).T
    return rows, y


def finetuning_split(corpus: Corpus, seed: int = RANDOM_STATE) -> np.ndarray:
    """The 20% of the labelled items that visual encoders may be trained on, stratified by label set.

    One split serves the whole corpus, so that no item of any dataset's 80%, nor its label, reaches a training that
    pools the datasets. None are taken where they would be fewer than `LEAST_FINETUNING`, or the corpus has no images.

    Parameters
    ----------
    corpus : Corpus
    seed : int

    Returns
    -------
    ndarray of shape (n_items,), dtype bool
        True for fine-tuning items.
    """
    sets = np.array(["+".join(sorted(labels)) for labels in corpus.items.labels], dtype=object)
    counts = Counter(sets)
    strata = np.array([name if counts[name] >= RARE else "rare" for name in sets], dtype=object)
    divisible = sets != ""
    # A handful of rare sets can't be divided: their items are too precious to be spent on training.
    if (divisible & (strata == "rare")).sum() < RARE:
        divisible &= strata != "rare"
    rows = np.flatnonzero(divisible) if corpus.has_images else np.array([], dtype=np.int64)
    return np.isin(np.arange(len(sets)), _fifth(rows, strata[rows], seed))


def _fifth(rows: np.ndarray, strata: np.ndarray, seed: int) -> np.ndarray:
    """A stratified choice of 20% of the rows; none if they would be fewer than `LEAST_FINETUNING`."""
    if FINETUNING_SHARE * len(rows) < LEAST_FINETUNING:
        return rows[:0]
    from sklearn.model_selection import train_test_split

    return train_test_split(rows, train_size=FINETUNING_SHARE, stratify=strata, random_state=seed)[0]


def subset(corpus: Corpus, dataset: str, seed: int = RANDOM_STATE, split: str = "corpus") -> Subset:
    """One of the corpus's datasets, divided by the paper's rule and into fine-tuning items and the rest.

    Parameters
    ----------
    corpus : Corpus
    dataset : str
    seed : int
        Of the split.
    split : {"corpus", "dataset"}
        "corpus" takes `finetuning_split`; "dataset" splits this dataset by itself, stratified by class, as the
        published code does: right only where no training pools the datasets. Then none of a dataset's items are for
        fine-tuning where they would be fewer than `LEAST_FINETUNING`, or a class has fewer than `RARE`.

    Returns
    -------
    Subset

    Raises
    ------
    CmcslError
        If a name is unknown, or one of the classes has no item.
    """
    check_choice(split, SPLITS, "split")
    classes = datasets(corpus.name, [dataset])[dataset]
    rows, y = divide(corpus.items.labels, classes)
    if split == "corpus":
        finetuning = finetuning_split(corpus, seed)[rows]
    else:
        finetuning = np.isin(rows, _fifth(rows, y, seed) if np.bincount(y).min() >= RARE else rows[:0])
    unlabeled = np.flatnonzero(corpus.items.labels.str.len() == 0)
    extracted = np.concatenate([rows[~finetuning], unlabeled])
    order = np.argsort(extracted)
    extracted_y = np.concatenate([y[~finetuning], np.full(len(unlabeled), -1)])[order]
    return Subset(corpus.name, dataset, classes, rows[finetuning], y[finetuning], extracted[order], extracted_y)


def class_counts(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """Table I: how many items each class of each dataset has, also where a class has none.

    Parameters
    ----------
    corpus : Corpus
    names : sequence of str or str, optional
        Datasets, as in `datasets`.

    Returns
    -------
    DataFrame
        One row per class: dataset, kind, class, samples.
    """
    counts = []
    for dataset, classes in datasets(corpus.name, names).items():
        _, y = _with_one_class(corpus.items.labels, classes)
        samples = np.bincount(y, minlength=len(classes)).tolist()
        counts += [(dataset, kind(classes), *row) for row in zip(classes, samples, strict=True)]
    return pd.DataFrame(counts, columns=["dataset", "kind", "class", "samples"])


def smallest_classes(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """The smallest class of each dataset.

    Parameters
    ----------
    corpus : Corpus
    names : sequence of str or str, optional
        Datasets, as in `datasets`.

    Returns
    -------
    DataFrame
        Indexed by dataset, in the order of `datasets`: kind, class, samples.
    """
    counts = class_counts(corpus, names)
    return counts.loc[counts.groupby("dataset", sort=False).samples.idxmin()].set_index("dataset")


def large_enough(corpus: Corpus, names: Sequence[str] | str | None = None, least: int = MIN_CLASS) -> list[str]:
    """Datasets whose classes all have at least `least` items, in the order of `datasets`."""
    smallest = smallest_classes(corpus, names).samples
    return smallest.index[smallest >= least].tolist()
