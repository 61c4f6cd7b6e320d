"""Commands on corpora: what there is, where to get it, how it is divided and labelled."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.errors import Absent, CmcslError, check_choice, check_positive
from ..files.escaping import print_safe, terminal_safe
from .parsing import Commands, command

if TYPE_CHECKING:
    import pandas as pd

#: Ways of `label` to let modalities decide, as the command says it.
EXCHANGES = {
    "calibrated": ("by the calibrated exchange", "The surer one was"),
    "distance": ("by the smaller distance, as in the paper", "Decided by"),
}
#: So many labelled items must have another one of their class before a modality is said to tell nothing.
JUDGED = 10
#: Share of the items above which one modality decides nearly everything, if there are many.
NEARLY_ALL, MANY = 0.98, 50


def corpora() -> None:
    """List the corpora, their datasets and classes."""
    from ..corpora import class_counts, datasets, kind, known_corpora, load

    damaged = []
    for name in known_corpora():
        try:
            corpus, dataset_classes = load(name), datasets(name)
        except Absent as error:
            print_safe(f"{name}: {error}")
            continue
        except CmcslError as error:
            damaged.append(f"{name}: {error}")
            continue
        unlabeled = int((corpus.items.labels.str.len() == 0).sum())
        print_safe(f"{name}: {len(corpus.items)} items{f', {unlabeled} of them without a label' if unlabeled else ''}")
        sizes = class_counts(corpus).groupby("dataset").samples.sum()
        for dataset, classes in dataset_classes.items():
            print_safe(
                f"  {dataset:10} {kind(classes):10} {sizes[dataset]:5} items  {', '.join(map(terminal_safe, classes))}"
            )
    if damaged:
        raise CmcslError(" ".join(damaged))


def fetch(what: str, source: Path | None = None) -> None:
    """Download what the repository does not ship."""
    from ..corpora import mm_imdb
    from ..corpora.items_file import report_path

    check_choice(what, ("published-scores", mm_imdb.NAME, "imagenet-weights"), "thing to fetch")
    if what == mm_imdb.NAME:
        set_aside = mm_imdb.fetch(source)
        print_items(mm_imdb.NAME, "films")
        print_set_aside(set_aside, report_path(mm_imdb.NAME))
    elif source:
        raise CmcslError(
            "--from goes with mm-imdb: set CMCSL_PUBLISHED_SCORES to a folder of the authors' arrays, or "
            "name weights with `cmcsl extract --weights FILE`."
        )
    elif what == "imagenet-weights":
        from ..extraction import fetch_imagenet_weights

        print_safe(str(fetch_imagenet_weights()))
    else:
        from ..experiments.published import fetch as fetch_published

        print_safe(str(fetch_published()))


def divide(
    corpus: str, datasets: list[str] | None = None, min_class: int = 50, check: bool = False, csv: bool = False
) -> None:
    """Divide MM-IMDb into its datasets and compare every class with Table I."""
    from ..corpora import class_counts, large_enough, load
    from ..experiments.published import beside_table_1

    check_positive([min_class], "--min-class")
    films = load(check_choice(corpus, ("mm-imdb",), "corpus with printed class sizes"))
    sizes = beside_table_1(class_counts(films, datasets))
    print_safe(sizes.to_csv(index=False) if csv else sizes.to_string(index=False) + "\n", end="")
    different = int((sizes.samples != sizes.expected).sum())
    verdict = f"{different} of {len(sizes)} classes differ from" if different else f"All {len(sizes)} classes are as in"
    names = ", ".join(large_enough(films, datasets, min_class)) or "none"
    print(f"{verdict} Table I. Datasets with at least {min_class} films in every class: {names}.", file=sys.stderr)
    if check and different:
        raise CmcslError(f"{verdict} Table I: take mmimdb.tar.gz of archive.org, whole.")


def label(
    corpus: str,
    dataset: str | None = None,
    to: Path | None = None,
    preprocessing: str = "L2STD",
    min_margin: float = 0,
    exchange: str = "calibrated",
) -> None:
    """Label the unlabelled items of a corpus, and write each label with its origin and margin as CSV."""
    from ..corpora.features import MODALITIES
    from ..corpora.pseudo_labels import (
        labels_path,
        pseudo_labels,
        unlabeled_features,
        with_finetuning_items,
        write_labels,
    )
    from ..files.paths import readable_path, target

    check_choice(exchange, EXCHANGES, "exchange")
    if to:
        target(to)
    features = unlabeled_features(corpus, dataset)
    labels = pseudo_labels(features, preprocessing=preprocessing, min_margin=min_margin, exchange=exchange)
    path = to or labels_path(corpus, features.dataset)
    write_labels(with_finetuning_items(labels, features), path)
    unlabeled = labels[labels.given == ""]
    labeled = unlabeled[unlabeled.label != ""]
    classes = ", ".join(
        f"{terminal_safe(str(name))} {count}" for name, count in labeled.label.value_counts(sort=False).items()
    )
    deciding = labeled.modality.value_counts()
    modalities = " and ".join(f"the {name} modality {deciding.get(name, 0)}" for name in MODALITIES)
    unsure = len(unlabeled) - len(labeled)
    print_safe(
        f"{len(labeled)} items labelled from {len(labels) - len(unlabeled)} {EXCHANGES[exchange][0]}: "
        f"{classes or 'none'}. {EXCHANGES[exchange][1]} {modalities}."
        f"{f' {unsure} items were too close to call.' if unsure else ''}"
    )
    for name in MODALITIES:
        right, judged = labels.attrs["seeds_right"][name]
        if judged >= JUDGED and right * len(features.classes) <= judged:
            print(
                f"On the labelled items the {name} modality tells the classes apart no better than chance: only "
                f"{right} of {judged} are nearest to another one of their class.",
                file=sys.stderr,
            )
        if len(labeled) >= MANY and deciding.get(name, 0) > NEARLY_ALL * len(labeled):
            advice = "" if exchange == "calibrated" else ": --exchange calibrated puts both on one scale"
            print(
                f"The {name} modality decided for {deciding[name]} of {len(labeled)} items, so that the other one "
                f"hardly had a say{advice}.",
                file=sys.stderr,
            )
    print_safe(readable_path(path))


def print_items(corpus: str, what: str = "items") -> None:
    """Print how many items a corpus has, and in which file they are."""
    from ..corpora import load
    from ..corpora.items_file import items_path
    from ..files.paths import readable_path

    print_safe(f"{len(load(corpus).items)} {what}: {readable_path(items_path(corpus))}")


def print_left_out(corpus: str, datasets: list[str] | None) -> None:
    """Print on standard error which datasets a command leaves out, since they have no features, and why they may not.

    Nothing is left out where datasets are named, or where none has features, nor of what is no corpus.
    """
    from ..corpora import known_corpora, load, smallest_classes
    from ..corpora.dataset_classes import datasets as catalogue
    from ..corpora.features import extracted_datasets

    if datasets or corpus not in known_corpora():
        return
    if left_out := [name for name in catalogue(corpus) if name not in extracted_datasets(corpus)]:
        try:
            sizes = f"; their smallest classes: {class_sizes(smallest_classes(load(corpus), left_out))}"
        except Absent:
            sizes = f": {', '.join(left_out)}"
        print_safe(f"Left out of {corpus}, since `cmcsl extract` made no features of them{sizes}.", file=sys.stderr)


def class_sizes(smallest: "pd.DataFrame") -> str:
    """Datasets with their smallest classes, as `corpora.smallest_classes` gives them, for a message."""
    sizes = zip(smallest.index, smallest["class"], smallest.samples, strict=True)
    return ", ".join(f"{name} ({terminal_safe(label)} {size})" for name, label, size in sizes)


def print_set_aside(reasons: Mapping[str, int], report: Path) -> None:
    """Print how many items can't be used, by reason, and where each is listed."""
    from ..files.paths import readable_path

    for reason, count in sorted(reasons.items()):
        print_safe(f"set aside, {reason}: {count}")
    print_safe(f"Every item set aside: {readable_path(report)}")


def print_classes(corpus: str) -> None:
    """Print how many items each class of a corpus has, so that a wrong one is seen."""
    from ..corpora import class_counts, load

    loaded = load(corpus)
    for dataset, classes in class_counts(loaded).groupby("dataset", sort=False):
        sizes = ", ".join(f"{name} {size}" for name, size in zip(classes["class"], classes.samples, strict=True))
        print(terminal_safe(f"{dataset}: {sizes}"))
    print(f"without a label: {int((loaded.items.labels.str.len() == 0).sum())}")


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    command(commands, corpora)

    parser = command(commands, fetch, "cmcsl fetch published-scores", "cmcsl fetch mm-imdb --from mmimdb.tar.gz")
    things = "published-scores, 2 MB; mm-imdb, several GB; or imagenet-weights, of ResNet-18"
    parser.add_argument("what", metavar="WHAT", help=things)
    local = "take mm-imdb from this archive or unpacked folder instead of downloading it"
    parser.add_argument("--from", dest="source", type=Path, metavar="PATH", help=local)

    parser = command(commands, divide, "cmcsl divide mm-imdb --check")
    parser.add_argument("corpus", metavar="CORPUS", help="mm-imdb")
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all of the corpus")
    parser.add_argument("--min-class", type=int, metavar="N", help="fewest items of a class; default: 50")
    parser.add_argument("--check", action="store_true", help="fail if a class differs from Table I")
    parser.add_argument("--csv", action="store_true", help="print comma-separated values")

    parser = command(commands, label, "cmcsl label my-corpus --to labels.csv")
    parser.add_argument("corpus", metavar="CORPUS", help="a corpus with labelled and unlabelled items")
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help="needed if the corpus has several")
    parser.add_argument("--to", type=Path, metavar="FILE", help="default: labels/CORPUS/DATASET.csv in CMCSL_HOME")
    parser.add_argument(
        "--preprocessing", metavar="NAME", help="RAW, L2, STD, MM, L2STD, DECIMAL or PCAL2; default: L2STD"
    )
    margin = "leave items of a smaller margin, 0 to 1, without a label; default: 0"
    parser.add_argument("--min-margin", type=float, metavar="MARGIN", help=margin)
    rule = "calibrated, the default: modalities decide together; or distance, as in the paper: the nearer one decides"
    parser.add_argument("--exchange", metavar="NAME", help=rule)
