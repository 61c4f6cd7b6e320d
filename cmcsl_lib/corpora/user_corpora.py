"""Corpora that users bring: their names, labels and datasets, and how they are written and read."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from ..files.checksums import written_sealed
from ..files.errors import CmcslError, check_choice
from ..files.paths import features_folders, locked
from .corpus import Corpus, divide
from .dataset_classes import DATASETS, description, write_description
from .items_file import items_path, items_seal, read_items, write_items, write_report

#: Names become names of files, and options of the command list them between blanks.
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: Words that name something else where a corpus can be named, or are no file names on Windows.
RESERVED = {*DATASETS, "published", "published-scores", "folder", "arrays", "con", "prn", "aux", "nul"}
#: Numbers, dates and words that YAML or papermill's -p turn into something else than a text.
NO_TEXT = re.compile(
    r"[0-9][0-9_]*(e-?[0-9_]+)?|0[box][0-9a-f_]+|[0-9]{4}-[0-9]{2}-[0-9]{2}|"
    r"true|false|yes|no|on|off|null|none|nan|inf|infinity",
    re.IGNORECASE,
)
COMMAND = "cmcsl extract folder"


def check_name(name: str, kind: str = "corpus") -> None:
    """Raise unless a corpus or dataset may have this name.

    Parameters
    ----------
    name : str
        1 to 64 letters, digits, hyphens and underscores, a letter or digit first, not taken, and a text in YAML:
        notebooks get it as a parameter.
    kind : {"corpus", "dataset"}

    Raises
    ------
    CmcslError
    """
    if not SAFE_NAME.fullmatch(name):
        raise CmcslError(
            f"The name {name!r} can't be that of a {kind}: it must have 1 to 64 letters (A to Z, a to z), "
            "digits, hyphens and underscores, a letter or digit first."
        )
    if NO_TEXT.fullmatch(name):
        raise CmcslError(
            f"The name {name!r} can't be that of a {kind}: YAML, in which notebooks get their parameters, reads it as "
            f"a number, a date or a truth value; {kind}-{name} would be a text."
        )
    if name.lower() in RESERVED:
        raise CmcslError(f"The name {name!r} is taken: choose another one for your {kind}.")


def named_datasets(
    corpus: str,
    labels: Sequence[Sequence[str]],
    classes: Mapping[str, Sequence[str]] | None = None,
    several: bool = False,
) -> dict[str, tuple[str, ...]]:
    """Check the datasets that a user names, or make one of all classes that has the corpus's name.

    Parameters
    ----------
    corpus : str
    labels : sequence of sequence of str
        Of each item.
    classes : dict of str to sequence of str, optional
        Names of datasets and their classes.
    several : bool
        Whether an item may have several labels; then datasets must be named.

    Returns
    -------
    dict of str to tuple of str
        Classes of each dataset.

    Raises
    ------
    CmcslError
        If a name can't be taken, or there are not two classes with items.
    """
    # Numbers in their order, before and among other labels by length.
    known = sorted({label for item in labels for label in item}, key=lambda text: (len(text) * text.isdecimal(), text))
    if classes is None:
        if several or any(len(item) > 1 for item in labels):
            raise CmcslError(
                "Items with several labels are divided into datasets by classes, each item having exactly one "
                "of them: name datasets, for example --classes HR=Horror,Romance, with classes of "
                f"{', '.join(known) or 'your labels'}."
            )
        classes = {corpus: known}
    else:
        for name in classes:
            check_name(name, "dataset")
    for name, names in classes.items():
        if len(set(names)) < max(2, len(names)):
            raise CmcslError(
                f"The dataset {name} needs at least two classes, each named once, got "
                f"{', '.join(names) or 'none: no item has a label'}."
            )
        for label in names:
            check_choice(label, known, f"class of dataset {name}")
        divide(labels, names)
    return {name: tuple(names) for name, names in classes.items()}


def write(
    corpus: str,
    items: Iterator[dict],
    set_aside: list[tuple[str, str]],
    classes: Mapping[str, Sequence[str]] | None = None,
    several: bool = False,
    write_features: Callable[[], None] | None = None,
) -> Counter[str]:
    """Write a corpus to CMCSL_HOME; the earlier one of this name stays if anything fails.

    Features of other items than these are deleted. The corpus is locked from when all items are read until everything
    is written, so that of two calls at once one follows the other.

    Parameters
    ----------
    corpus : str
    items : iterator of dict
        With the keys of `items_file.SCHEMA`.
    set_aside : list of (str, str)
        Items that can't be used, and why; the iterator may fill it as it goes on.
    classes, several
        As in `named_datasets`.
    write_features : callable, optional
        Called last and before another process may write this corpus: writes features that come with the items.

    Returns
    -------
    Counter
        How many items were set aside, by reason.

    Raises
    ------
    CmcslError
        If no item can be used, or the datasets can't be made of the items.
    """
    with ExitStack() as lock:
        with written_sealed(items_path(corpus)) as temporary:
            labels = write_items(corpus, temporary, items)
            reasons = Counter(reason for _, reason in set_aside)
            if not labels:
                listed = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
                raise CmcslError(f"No item can be used: {listed or 'there is none'}.")
            named = named_datasets(corpus, labels, classes, several)
            lock.enter_context(locked(items_path(corpus).parent))
        # A process that is killed from here on leaves a description of other items, which `load` refuses.
        written = items_seal(corpus)
        try:
            described = description(corpus)["items"]
        except CmcslError:
            described = ""
        if written != described:
            for folder in features_folders(corpus):
                shutil.rmtree(folder)
        write_report(corpus, set_aside)
        write_description(corpus, written, named)
        if write_features:
            write_features()
    return reasons


def load(corpus: str) -> Corpus:
    """Read a user's corpus.

    Parameters
    ----------
    corpus : str

    Returns
    -------
    Corpus

    Raises
    ------
    CmcslError
        If its file is missing or damaged, or its description is that of other items.
    """
    items = read_items(corpus, COMMAND)
    if items_seal(corpus) != description(corpus)["items"]:
        raise CmcslError(f"The corpus {corpus} was read in only halfway: make it again with `{COMMAND}`.")
    return items
