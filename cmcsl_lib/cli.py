"""The command `cmcsl`.

argparse rather than click, since options that take several values (``--datasets AF AFP``) are its own.
"""

import argparse
import sys
from pathlib import Path

from pandas import DataFrame

from . import __version__
from .corpora import LOADERS, RANDOM_STATE, class_counts, datasets, kind, load, subset
from .errors import CmcslError, check_choice
from .protocol import BUDGETS, PROTOCOLS, Protocol, protocol


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
    from .features import features_folder

    for path in extract_features(arguments.corpus, arguments.datasets or None, start=arguments.start,
                                 folder=arguments.to or features_folder(arguments.corpus, arguments.name),
                                 seed=arguments.seed, split_seed=arguments.split_seed, device=arguments.device):
        print(path)


def run(arguments: argparse.Namespace) -> None:
    """Run an experiment, or find its scores where they are kept."""
    from .experiments import METHODS
    from .runs import load_scores

    for method in arguments.methods or ():
        check_choice(method, METHODS, "method")
    scores = load_scores(arguments.corpus, chosen_protocol(arguments), arguments.experiment,
                         datasets=arguments.datasets, classifiers=arguments.classifier,
                         budgets=tuple(arguments.budgets), workers=arguments.workers, scheduler=arguments.scheduler)
    varied = [name for name in ("preprocessing", "classifier") if scores[name].nunique() > 1]
    means = scores.pivot_table(index=["dataset", *varied, "modality"], columns="method", values="balanced_accuracy",
                               sort=False)
    wanted = arguments.methods or METHODS
    means = means[[method for method in METHODS if method in wanted and method in means]].dropna(how="all")
    print(means.to_string(float_format="{:.3f}".format, na_rep=""))


def table(arguments: argparse.Namespace) -> None:
    """Print a table of the paper."""
    from .tables import TABLES, csv_text
    from .tables import table as make_table

    check_choice(arguments.number, TABLES, "table")
    made = make_table(arguments.number, table_input(arguments), arguments.statistics)
    print(csv_text(made) if arguments.csv else made.to_string(index=False, float_format="{:.3f}".format, na_rep=""))


def table_input(arguments: argparse.Namespace) -> DataFrame:
    """What a table is made of: class counts for Table I, else the scores of its experiment."""
    from .published import printed_table
    from .sources import PUBLISHED, source_scores
    from .tables import CLASSIFIERS_SHOWN, EXPERIMENTS

    if arguments.number == "1" and arguments.source == PUBLISHED:
        return printed_table(1)
    if arguments.number == "1":
        return class_counts(load(arguments.source), arguments.datasets)
    return source_scores(arguments.source, EXPERIMENTS[arguments.number], chosen_protocol(arguments),
                         datasets=arguments.datasets, classifiers=CLASSIFIERS_SHOWN.get(arguments.number),
                         compute=False)


def chosen_protocol(arguments: argparse.Namespace) -> Protocol:
    """The protocol that --protocol names, with the choices that --change changes."""
    pairs = [change.partition("=") for change in arguments.change]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise CmcslError(f"--change takes FIELD=VALUE, for example seeds=replacement, got {wrong[0]}.")
    return protocol(arguments.protocol).changed(**{name: value for name, _, value in pairs})


def fetch(arguments: argparse.Namespace) -> None:
    """Download what the repository does not ship."""
    from .published import fetch as fetch_published

    check_choice(arguments.what, ("published-scores",), "thing to fetch")
    print(fetch_published())


def book(arguments: argparse.Namespace) -> None:
    """Execute the notebooks that changed and build the HTML book."""
    from .book import build

    print(build(arguments.corpus, workers=arguments.workers))


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
    extracting.add_argument("--name", default="default", help="of these features, for `run --change features=NAME`")
    extracting.add_argument("--seed", type=int, default=RANDOM_STATE, help="of the network's training")
    extracting.add_argument("--split-seed", type=int, default=RANDOM_STATE, help="of the 20 %% it is trained on")
    extracting.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")

    running = command(run, "run")
    running.add_argument("experiment", metavar="EXPERIMENT", help="number of the paper's experiment")
    running.add_argument("--corpus", default="openclipart")
    running.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    protocol_arguments(running)
    running.add_argument("--classifier", nargs="+", help="GNB, LR, CART; default: the experiment's own")
    running.add_argument("--methods", nargs="+", metavar="METHOD", help="methods to print; default all")
    running.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS), help="default 1 to 20")
    running.add_argument("--workers", type=int, default=1, help="processes")
    running.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster, instead of --workers")

    printing = command(table, "table")
    printing.add_argument("number", metavar="NUMBER", help="number of the paper's table")
    printing.add_argument("--source", default="openclipart", help="a corpus, or published: the authors' arrays")
    printing.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    protocol_arguments(printing)
    printing.add_argument("--statistics", default="corrected", help="corrected or published")
    printing.add_argument("--csv", action="store_true", help="comma-separated values, as the paper prints them")

    command(fetch, "fetch").add_argument("what", metavar="WHAT", help="published-scores: the authors' arrays")

    building = command(book, "book")
    building.add_argument("--corpus", default="openclipart", help="what its pages show")
    building.add_argument("--workers", type=int, default=2, help="notebooks executed at the same time")
    return top


def protocol_arguments(command: argparse.ArgumentParser) -> None:
    """Add --protocol and --change."""
    command.add_argument("--protocol", default="strict", help=" or ".join(PROTOCOLS))
    command.add_argument("--change", nargs="+", default=[], metavar="FIELD=VALUE",
                         help="choices of the protocol made otherwise, for example seeds=replacement")


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
