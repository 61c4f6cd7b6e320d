"""A corpus of items with an image, a text and labels, and its division into datasets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from ..files.errors import CmcslError, check_choice
from .catalogue import datasets, kind

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
        (bytes of a file that `pictures.decoded` reads; they may stay on disk until asked for), and whatever else the
        corpus tells. Text and image are missing in a corpus of ready-made features.
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
    index = {label: number for number, label in enumerate(classes)}
    found = [[index[label] for label in item if label in index] for item in labels]
    rows = np.array([row for row, numbers in enumerate(found) if len(numbers) == 1], dtype=np.int64)
    y = np.array([numbers[0] for numbers in found if len(numbers) == 1], dtype=np.int64)
    return rows, y


def finetuning_split(corpus: Corpus, seed: int = RANDOM_STATE) -> np.ndarray:
    """The 20% of the labelled items that visual encoders may be trained on, stratified by label set.

    It is made once for the whole corpus, so that no item of any dataset's 80%, nor its label, reaches a
    training that pools the datasets. None are taken where they would be fewer than `LEAST_FINETUNING`, or the corpus
    has no images.

    Returns
    -------
    ndarray of shape (n_items,), dtype bool
        True for fine-tuning items.
    """
    sets = np.array(["+".join(sorted(labels)) for labels in corpus.items.labels], dtype=object)
    counts = Counter(sets)
    strata = np.array([name if counts[name] >= RARE else "rare" for name in sets], dtype=object)
    open_to_it = sets != ""
    # A handful of rare sets can't be divided: their items are too precious to be spent on training.
    if (open_to_it & (strata == "rare")).sum() < RARE:
        open_to_it &= strata != "rare"
    rows = np.flatnonzero(open_to_it)
    chosen = np.zeros(len(sets), dtype=bool)
    if FINETUNING_SHARE * len(rows) >= LEAST_FINETUNING and corpus.has_images:
        chosen[train_test_split(rows, train_size=FINETUNING_SHARE, stratify=strata[rows], random_state=seed)[0]] = True
    return chosen


def subset(corpus: Corpus, dataset: str, seed: int = RANDOM_STATE, split: str = "corpus") -> Subset:
    """A dataset of the catalogue, divided by the paper's rule and into fine-tuning items and the rest.

    Parameters
    ----------
    seed : int
        Of the split.
    split : {"corpus", "dataset"}
        "corpus" takes `finetuning_split`; "dataset" splits this dataset by itself, stratified by class, as the
        published code does: right only where no training pools the datasets. Then none of a dataset's items are for
        fine-tuning where they would be fewer than `LEAST_FINETUNING`, or a class has fewer than `RARE`.

    Raises
    ------
    CmcslError
        If a name is unknown, or one of the classes has no item.
    """
    check_choice(split, SPLITS, "split")
    classes = datasets(corpus.name, [dataset])[dataset]
    rows, y = divide(corpus.items.labels, classes)
    finetuning = finetuning_split(corpus, seed)[rows] if split == "corpus" else _own_split(y, seed)
    unlabeled = np.flatnonzero(corpus.items.labels.str.len() == 0)
    extracted = np.concatenate([rows[~finetuning], unlabeled])
    known = np.concatenate([y[~finetuning], np.full(len(unlabeled), -1)])
    order = np.argsort(extracted)
    return Subset(corpus.name, dataset, classes, rows[finetuning], y[finetuning], extracted[order], known[order])


def _own_split(y: np.ndarray, seed: int) -> np.ndarray:
    chosen = np.zeros(len(y), dtype=bool)
    if np.bincount(y).min() >= RARE and FINETUNING_SHARE * len(y) >= LEAST_FINETUNING:
        rows = np.arange(len(y))
        chosen[train_test_split(rows, train_size=FINETUNING_SHARE, stratify=y, random_state=seed)[0]] = True
    return chosen


def class_counts(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """Table I: how many items each class of each dataset has.

    Returns
    -------
    DataFrame
        One row per class: dataset, kind, class, samples (all of its items), extracted (those of the 80%).
    """
    rows = []
    for dataset, classes in datasets(corpus.name, names).items():
        divided = subset(corpus, dataset)
        finetuning, extracted = (
            np.bincount(y[y >= 0], minlength=len(classes)) for y in (divided.finetuning_y, divided.y)
        )
        for index, label in enumerate(classes):
            samples = int(finetuning[index] + extracted[index])
            rows.append((dataset, kind(classes), label, samples, int(extracted[index])))
    return pd.DataFrame(rows, columns=["dataset", "kind", "class", "samples", "extracted"])


def class_sizes(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """How many items each class of each dataset has, also where a class has none.

    Returns
    -------
    DataFrame
        One row per class: dataset, class, samples.
    """
    rows = []
    for dataset, classes in datasets(corpus.name, names).items():
        _, y = _with_one_class(corpus.items.labels, classes)
        counts = np.bincount(y, minlength=len(classes)).tolist()
        rows += [(dataset, label, count) for label, count in zip(classes, counts, strict=True)]
    return pd.DataFrame(rows, columns=["dataset", "class", "samples"])


def large_enough(corpus: Corpus, names: Sequence[str] | str | None = None, least: int = MIN_CLASS) -> list[str]:
    """Datasets whose classes all have at least `least` items, in the catalogue's order."""
    smallest = class_sizes(corpus, names).groupby("dataset", sort=False).samples.min()
    return smallest.index[smallest >= least].tolist()
