"""Corpora that users bring: their names, labels and datasets, and how they are kept."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from ..files.checksums import written_sealed
from ..files.errors import CmcslError, check_choice
from ..files.paths import features_folders
from .base import Corpus, divide
from .catalogue import DATASETS, description, write_description
from .store import items_path, items_seal, read_items, write_items, write_report

#: Names become names of files, and options of the command list them between blanks.
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: What names something else where a corpus can be named, or is no file name on Windows.
RESERVED = {*DATASETS, "published", "published-scores", "folder", "arrays", "con", "prn", "aux", "nul"}

COMMAND = "cmcsl extract folder"

Datasets = dict[str, tuple[str, ...]]


def check_name(name: str, what: str = "corpus") -> str:
    """Return the name of a corpus or dataset if it may be one.

    Raises
    ------
    CmcslError
        Unless it has 1 to 64 letters, digits, hyphens and underscores, a letter or digit first, and is not taken.
    """
    if not SAFE_NAME.fullmatch(name):
        raise CmcslError(
            f"The name {name!r} can't be that of a {what}: it must have 1 to 64 letters (A to Z, a to z), "
            "digits, hyphens and underscores, a letter or digit first."
        )
    if name.lower() in RESERVED:
        raise CmcslError(f"The name {name!r} is taken: choose another one for your {what}.")
    return name


def label_set(value: Any, separator: str | None = None) -> list[str]:
    """The labels of one item as sorted texts; none where it is unlabelled.

    Parameters
    ----------
    value : str, number, None, or sequence of these
        An empty text, None, NaN and the number -1 are no label.
    separator : str, optional
        What divides several labels in one text.
    """
    if isinstance(value, str):
        parts = value.split(separator) if separator else [value]
    else:
        parts = value if isinstance(value, Iterable) else [value]
    return sorted({text for part in parts if (text := _label(part))})


def _label(value: Any) -> str:
    if value is None or (isinstance(value, Real) and not isinstance(value, bool) and (value != value or value == -1)):
        return ""
    # Whole numbers are stored as 1.0 where other rows of the column are empty.
    return str(
        int(value) if isinstance(value, Real) and float(value).is_integer() and not isinstance(value, bool) else value
    ).strip()


def named_datasets(
    corpus: str,
    labels: Sequence[Sequence[str]],
    asked: Mapping[str, Sequence[str]] | None = None,
    several: bool = False,
) -> Datasets:
    """The datasets of a corpus: those asked for, or one of all classes that is named as the corpus.

    Parameters
    ----------
    corpus : str
    labels : sequence of sequence of str
        Of each item.
    asked : dict of str to sequence of str, optional
        Names of datasets and their classes.
    several : bool
        Whether an item may have several labels; then datasets must be asked for.

    Raises
    ------
    CmcslError
        If a name can't be taken, or there are not two classes with items.
    """
    known = sorted({label for item in labels for label in item}, key=_natural)
    if asked is None and (several or any(len(item) > 1 for item in labels)):
        raise CmcslError(
            "Items with several labels are divided into datasets by classes, each item having exactly one "
            "of them: name datasets, for example --classes HR=Horror,Romance, with classes of "
            f"{', '.join(known) or 'your labels'}."
        )
    made = {corpus: tuple(known)} if asked is None else {name: tuple(classes) for name, classes in asked.items()}
    for name, classes in made.items():
        check_name(name, "dataset") if asked is not None else None
        if len(set(classes)) < max(2, len(classes)):
            raise CmcslError(
                f"The dataset {name} needs at least two classes, each named once, got "
                f"{', '.join(classes) or 'none: no item has a label'}."
            )
        for label in classes:
            check_choice(label, known, f"class of dataset {name}")
        divide(labels, classes)
    return made


def _natural(label: str) -> tuple[int, str]:
    """Numbers in their order, before and among other labels by length."""
    return (len(label) if label.isdecimal() else 0, label)


def write(
    corpus: str,
    items: Iterator[dict],
    set_aside: list[tuple[str, str]],
    asked: Mapping[str, Sequence[str]] | None = None,
    several: bool = False,
) -> Counter:
    """Keep a corpus in CMCSL_HOME; what was there before stays if anything fails.

    Parameters
    ----------
    corpus : str
    items : iterator of dict
        With the keys of `store.SCHEMA`.
    set_aside : list of (str, str)
        Items that can't be used, and why; the iterator may go on to fill it.
    asked, several
        As in `named_datasets`.

    Returns
    -------
    Counter
        How many items were set aside, by reason.
    """
    check_name(corpus)
    labels = []

    def noted() -> Iterator[dict]:
        for item in items:
            labels.append(item["labels"])
            yield item

    with written_sealed(items_path(corpus)) as temporary:
        if not write_items(corpus, temporary, noted()):
            raise CmcslError(f"No item can be used: {_told(set_aside) or 'there is none'}.")
        made = named_datasets(corpus, labels, asked, several)
    # Whoever is killed from here on leaves a description of other items, which `load` refuses.
    written = items_seal(corpus)
    if written != _described_items(corpus):
        forget_features(corpus)
    write_report(corpus, set_aside)
    write_description(corpus, written, made)
    return Counter(reason for _, reason in set_aside)


def _described_items(corpus: str) -> str:
    try:
        return description(corpus)["items"]
    except CmcslError:
        return ""


def forget_features(corpus: str) -> None:
    """Delete the features of a user's corpus, since its items are no longer those that they were made from."""
    for folder in features_folders(corpus):
        shutil.rmtree(folder)


def _told(set_aside: list[tuple[str, str]]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in Counter(reason for _, reason in set_aside).items())


def load(corpus: str) -> Corpus:
    """Read a user's corpus.

    Raises
    ------
    CmcslError
        If its file is missing or damaged, or its description is that of other items.
    """
    made = read_items(corpus, COMMAND)
    if items_seal(corpus) != description(corpus)["items"]:
        raise CmcslError(f"The corpus {corpus} was read in only halfway: make it again with `{COMMAND}`.")
    return made
