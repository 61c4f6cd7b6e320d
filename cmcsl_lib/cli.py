"""The command `cmcsl`.

argparse rather than click, since options that take several values (``--datasets AF AFP``) are its own.
"""

import argparse
import sys
from pathlib import Path

from pandas import DataFrame

from . import __version__
from .corpora import (
    LOADERS,
    RANDOM_STATE,
    class_counts,
    class_sizes,
    datasets,
    kind,
    large_enough,
    load,
)
from .corpora.base import MIN_CLASS
from .errors import Absent, CmcslError, check_choice
from .paths import readable_path
from .protocol import BUDGETS, PROTOCOLS, Protocol, protocol

MIN_CLASS_HELP = f"fewest items of a class; datasets with a smaller one are left out, default {MIN_CLASS}"


def corpora(arguments: argparse.Namespace) -> None:
    """List the corpora, their datasets and classes."""
    for name in LOADERS:
        try:
            corpus = load(name)
        except Absent as absent:
            print(f"{name}: {absent}")
            continue
        print(f"{name}: {len(corpus.items)} items")
        sizes = class_sizes(corpus).groupby("dataset").samples.sum()
        for dataset, classes in datasets(name).items():
            print(f"  {dataset:10} {kind(classes):10} {sizes[dataset]:5} items  {', '.join(classes)}")


def divide(arguments: argparse.Namespace) -> None:
    """Divide MM-IMDb into its datasets and compare every class with Table I."""
    from .published import beside_table_1

    corpus = load(check_choice(arguments.corpus, ("mm-imdb",), "corpus with printed class sizes"))
    compared = beside_table_1(class_sizes(corpus, arguments.datasets or None))
    print(compared.to_csv(index=False) if arguments.csv else compared.to_string(index=False), end="" if arguments.csv
          else "\n")
    different = int((compared.samples != compared.expected).sum())
    told = (f"{different} of {len(compared)} classes differ from Table I" if different
            else f"All {len(compared)} classes are as in Table I")
    kept = large_enough(corpus, arguments.datasets or None, arguments.min_class)
    print(f"{told}. Datasets with at least {arguments.min_class} films in every class: {', '.join(kept) or 'none'}.",
          file=sys.stderr)
    if arguments.check and different:
        raise CmcslError(f"{told}: take mmimdb.tar.gz of archive.org, whole.")


def extract(arguments: argparse.Namespace) -> None:
    """Make the features of datasets."""
    from .extraction import extract as extract_features
    from .features import features_folder

    names = arguments.datasets or large_enough(load(arguments.corpus), least=arguments.min_class)
    if not names:
        raise CmcslError(f"No dataset of {arguments.corpus} has {arguments.min_class} items in every class: lower the "
                         "bar with --min-class.")
    finetuned = check_choice(arguments.finetune, ("yes", "no"), "answer to --finetune") == "yes"
    for path in extract_features(arguments.corpus, names, start=arguments.start,
                                 folder=arguments.to or features_folder(arguments.corpus, arguments.name),
                                 seed=arguments.seed, split_seed=arguments.split_seed, device=arguments.device,
                                 precision=arguments.precision, weights=arguments.weights,
                                 orientation=arguments.orientation, finetuned=finetuned):
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
                         budgets=tuple(arguments.budgets), compute=False)


def chosen_protocol(arguments: argparse.Namespace) -> Protocol:
    """The protocol that --protocol names, with the choices that --change changes."""
    pairs = [change.partition("=") for change in arguments.change]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise CmcslError(f"--change takes FIELD=VALUE, for example seeds=replacement, got {wrong[0]}.")
    return protocol(arguments.protocol).changed(**{name: value for name, _, value in pairs})


def fetch(arguments: argparse.Namespace) -> None:
    """Get what the repository does not ship."""
    from .corpora import mm_imdb
    from .published import fetch as fetch_published

    check_choice(arguments.what, ("published-scores", mm_imdb.NAME, "imagenet-weights"), "thing to fetch")
    if arguments.what == mm_imdb.NAME:
        set_aside = mm_imdb.fetch(arguments.source)
        print(f"{len(load(mm_imdb.NAME).items)} films: {readable_path(mm_imdb.store_path())}")
        for reason, count in sorted(set_aside.items()):
            print(f"set aside, {reason}: {count}")
        print(f"Every item set aside: {readable_path(mm_imdb.report_path())}")
    elif arguments.source:
        raise CmcslError("--from goes with mm-imdb: set CMCSL_PUBLISHED_SCORES to a folder of the authors' arrays, or "
                         "name weights with `cmcsl extract --weights FILE`.")
    elif arguments.what == "imagenet-weights":
        from .extraction import fetch_imagenet_weights

        print(fetch_imagenet_weights())
    else:
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
    extracting.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all that --min-class lets through")
    extracting.add_argument("--min-class", type=int, default=MIN_CLASS, help=MIN_CLASS_HELP)
    extracting.add_argument("--start", default="auto", help="weights of ResNet-18: auto, imagenet, pooled")
    extracting.add_argument("--to", type=Path, metavar="FOLDER", help="default: features/CORPUS in CMCSL_HOME")
    extracting.add_argument("--name", default="default", help="of these features, for `run --change features=NAME`")
    extracting.add_argument("--seed", type=int, default=RANDOM_STATE, help="of the network's training")
    extracting.add_argument("--split-seed", type=int, default=RANDOM_STATE, help="of the 20 %% it is trained on")
    extracting.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    extracting.add_argument("--precision", default="auto", help="auto (mixed where the device gains), single, mixed")
    extracting.add_argument("--weights", type=Path, metavar="FILE", help="of ResNet-18 to start from, instead of "
                            "those of `fetch imagenet-weights`")
    extracting.add_argument("--orientation", default="upright", help="of images: upright, or swapped (height and "
                            "width, as the published code fed them)")
    extracting.add_argument("--finetune", default="yes", help="yes, or no: the start gives the visual features")

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
    printing.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS), help="default 1 to 20")
    protocol_arguments(printing)
    printing.add_argument("--statistics", default="corrected", help="corrected or published")
    printing.add_argument("--csv", action="store_true", help="comma-separated values, as the paper prints them")

    fetching = command(fetch, "fetch")
    fetching.add_argument("what", metavar="WHAT", help="published-scores: the authors' arrays; mm-imdb: their corpus; "
                          "imagenet-weights: of ResNet-18")
    fetching.add_argument("--from", dest="source", type=Path, metavar="PATH",
                          help="archive or unpacked folder of mm-imdb, instead of a download of several GB")

    dividing = command(divide, "divide")
    dividing.add_argument("corpus", metavar="CORPUS", help="mm-imdb")
    dividing.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all of the corpus")
    dividing.add_argument("--min-class", type=int, default=MIN_CLASS, help=MIN_CLASS_HELP)
    dividing.add_argument("--check", action="store_true", help="a difference from Table I is an error")
    dividing.add_argument("--csv", action="store_true", help="comma-separated values")

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
