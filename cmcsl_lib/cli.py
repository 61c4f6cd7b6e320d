"""The command `cmcsl`.

argparse rather than click, since options that take several values (``--datasets AF AFP``) are its own.
"""

import argparse
import sys
from pathlib import Path

from pandas import DataFrame

from . import __version__
from .corpora import LOADERS, class_counts, datasets, kind, load, subset
from .errors import CmcslError, check_choice
from .protocol import BUDGETS, PROTOCOLS

#: Where a table's numbers may come from: a corpus, or the authors' published arrays.
SOURCES = (*LOADERS, "published")


def corpora(arguments: argparse.Namespace) -> None:
    """List the corpora, their datasets and classes."""
    for name in LOADERS:
        corpus = load(name)
        print(f"{name}: {len(corpus.items)} items")
        for dataset, classes in datasets(name).items():
            divided = subset(corpus, dataset)
            size = len(divided.rows) + len(divided.finetuning_rows)
            print(f"  {dataset:10} {kind(classes):10} {size:5} items  {', '.join(classes)}")


def extract(arguments: argparse.Namespace) -> None:
    """Make the features of datasets."""
    from .extraction import extract as extract_features

    for path in extract_features(arguments.corpus, arguments.datasets or None, start=arguments.start,
                                 folder=arguments.to, device=arguments.device):
        print(path)


def run(arguments: argparse.Namespace) -> None:
    """Run an experiment, or find its scores where they are kept."""
    from .experiments import METHODS, load_scores
    from .protocol import protocol

    for method in arguments.methods or ():
        check_choice(method, METHODS, "method")
    scores = load_scores(arguments.corpus, protocol(arguments.protocol), arguments.experiment,
                         datasets=arguments.datasets, classifiers=tuple(arguments.classifier),
                         budgets=tuple(arguments.budgets), workers=arguments.workers)
    means = scores.pivot_table(index=["dataset", "modality"], columns="method", values="balanced_accuracy", sort=False)
    means = means[[method for method in METHODS if method in (arguments.methods or METHODS)]].dropna(how="all")
    print(means.to_string(float_format="{:.3f}".format, na_rep=""))


def table(arguments: argparse.Namespace) -> None:
    """Print a table of the paper."""
    from .tables import TABLES, csv_text
    from .tables import table as make_table

    check_choice(arguments.number, TABLES, "table")
    check_choice(arguments.source, SOURCES, "source")
    made = make_table(arguments.number, table_input(arguments), arguments.statistics)
    print(csv_text(made) if arguments.csv else made.to_string(index=False, float_format="{:.3f}".format, na_rep=""))


def table_input(arguments: argparse.Namespace) -> DataFrame:
    """What a table is made of: class counts for Table I, else the scores of its experiment."""
    from .experiments import load_scores
    from .protocol import protocol
    from .published import load_published
    from .tables import EXPERIMENTS

    if arguments.number == "1":
        return class_counts(load(arguments.source), arguments.datasets)
    number = EXPERIMENTS[arguments.number]
    if arguments.source == "published":
        return load_published(number)
    return load_scores(arguments.source, protocol(arguments.protocol), number, datasets=arguments.datasets,
                       compute=False)


def fetch(arguments: argparse.Namespace) -> None:
    """Download what the repository does not ship."""
    from .published import fetch as fetch_published

    check_choice(arguments.what, ("published-scores",), "thing to fetch")
    print(fetch_published())


def book(arguments: argparse.Namespace) -> None:
    """Execute the notebooks that changed and build the HTML book."""
    from .book import build

    print(build(workers=arguments.workers))


def parser() -> argparse.ArgumentParser:
    """The command's arguments; values are checked where they are used, so that messages agree everywhere."""
    top = argparse.ArgumentParser(prog="cmcsl", description="Cross-modality clustering-based self-labeling.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(function, name: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        added.set_defaults(function=function)
        return added

    command(corpora, "corpora")

    extracting = command(extract, "extract")
    extracting.add_argument("corpus", metavar="CORPUS")
    extracting.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all of the corpus")
    extracting.add_argument("--start", default="auto", help="weights of ResNet-18: auto, imagenet, pooled")
    extracting.add_argument("--to", type=Path, metavar="FOLDER", help="default: features/CORPUS in CMCSL_HOME")
    extracting.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")

    running = command(run, "run")
    running.add_argument("experiment", metavar="EXPERIMENT", help="number of the paper's experiment")
    running.add_argument("--corpus", default="openclipart")
    running.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    running.add_argument("--protocol", default="strict", help=" or ".join(PROTOCOLS))
    running.add_argument("--classifier", nargs="+", default=["GNB"], help="GNB, LR, CART")
    running.add_argument("--methods", nargs="+", metavar="METHOD", help="methods to print; default all")
    running.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS), help="default 1 to 20")
    running.add_argument("--workers", type=int, default=1, help="processes")

    printing = command(table, "table")
    printing.add_argument("number", metavar="NUMBER", help="number of the paper's table")
    printing.add_argument("--source", default="openclipart", help=" or ".join(SOURCES))
    printing.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    printing.add_argument("--protocol", default="strict", help=" or ".join(PROTOCOLS))
    printing.add_argument("--statistics", default="corrected", help="corrected or published")
    printing.add_argument("--csv", action="store_true", help="comma-separated values, as the paper prints them")

    command(fetch, "fetch").add_argument("what", metavar="WHAT", help="published-scores: the authors' arrays")

    building = command(book, "book")
    building.add_argument("--workers", type=int, default=2, help="notebooks executed at the same time")
    return top


def main(words: list[str] | None = None) -> int:
    """Run the command; wrong input gives one sentence on standard error and exit code 2."""
    arguments = parser().parse_args(words)
    try:
        arguments.function(arguments)
    except CmcslError as error:
        print(f"cmcsl: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
