"""The command `cmcsl`.

argparse rather than click, since options that take several values (``--datasets AF AFP``) are its own.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from pandas import DataFrame

from . import __version__
from .corpora import (
    RANDOM_STATE,
    class_counts,
    datasets,
    kind,
    known_corpora,
    large_enough,
    load,
    own_corpora,
)
from .corpora.corpus import MIN_CLASS
from .experiments.protocol import BUDGETS, PROTOCOLS, Protocol, drawable_budgets, protocol
from .files.errors import CmcslError, check_choice
from .files.escaping import terminal_safe
from .files.paths import features_folder, readable_path

MIN_CLASS_HELP = f"fewest items of a class; datasets with a smaller one are left out, default {MIN_CLASS}"
BUDGETS_HELP = "default 1 to 20, of your own data as many as the smallest class allows"


def corpora(_: argparse.Namespace) -> None:
    """List the corpora, their datasets and classes."""
    for name in known_corpora():
        try:
            corpus, there = load(name), datasets(name)
        except CmcslError as error:
            print(f"{name}: {error}")
            continue
        without = int((corpus.items.labels.str.len() == 0).sum())
        print(f"{name}: {len(corpus.items)} items{f', {without} of them without a label' if without else ''}")
        sizes = class_counts(corpus).groupby("dataset").samples.sum()
        for dataset, classes in there.items():
            print(f"  {dataset:10} {kind(classes):10} {sizes[dataset]:5} items  {', '.join(classes)}")


def divide(arguments: argparse.Namespace) -> None:
    """Divide MM-IMDb into its datasets and compare every class with Table I."""
    from .experiments.published import beside_table_1

    corpus = load(check_choice(arguments.corpus, ("mm-imdb",), "corpus with printed class sizes"))
    compared = beside_table_1(class_counts(corpus, arguments.datasets or None))
    print(
        compared.to_csv(index=False) if arguments.csv else compared.to_string(index=False),
        end="" if arguments.csv else "\n",
    )
    different = int((compared.samples != compared.expected).sum())
    told = (
        f"{different} of {len(compared)} classes differ from Table I"
        if different
        else f"All {len(compared)} classes are as in Table I"
    )
    kept = large_enough(corpus, arguments.datasets or None, arguments.min_class)
    print(
        f"{told}. Datasets with at least {arguments.min_class} films in every class: {', '.join(kept) or 'none'}.",
        file=sys.stderr,
    )
    if arguments.check and different:
        raise CmcslError(f"{told}: take mmimdb.tar.gz of archive.org, whole.")


def extract(arguments: argparse.Namespace) -> None:
    """Make the features of datasets, or of your own data: folder takes images and texts, arrays ready-made features."""
    given = [
        f"--{name}"
        for name in ("items", "as", "image", "visual", "text", "label", "id", "separator", "classes")
        if getattr(arguments, name) is not None
    ]
    if arguments.corpus in OWN_DATA:
        if arguments.datasets:
            raise CmcslError(f"`cmcsl extract {arguments.corpus}` takes no DATASET: name datasets with --classes.")
        OWN_DATA[arguments.corpus](arguments)
    elif given:
        raise CmcslError(f"{', '.join(given)} go with {' and '.join(OWN_DATA)}: `cmcsl extract folder --items FILE`.")
    else:
        extract_images(arguments, arguments.corpus)


def extract_images(arguments: argparse.Namespace, corpus: str) -> None:
    """Make the features of a corpus's datasets."""
    from .extraction import extract as extract_features

    least = arguments.min_class or (1 if corpus in own_corpora() else MIN_CLASS)
    names = arguments.datasets or large_enough(load(corpus), least=least)
    if not names:
        raise CmcslError(f"No dataset of {corpus} has {least} items in every class: lower the bar with --min-class.")
    finetuned = check_choice(arguments.finetune, ("yes", "no"), "answer to --finetune") == "yes"
    for path in extract_features(
        corpus,
        names,
        start=arguments.start,
        folder=arguments.to or features_folder(corpus, arguments.name),
        seed=arguments.seed,
        split_seed=arguments.split_seed,
        device=arguments.device,
        precision=arguments.precision,
        weights=arguments.weights,
        orientation=arguments.orientation,
        finetuned=finetuned,
    ):
        print(path)


def extract_folder(arguments: argparse.Namespace) -> None:
    """Read a list of images and texts as a corpus, and make its features."""
    from .corpora.folder import read_folder
    from .corpora.items_file import items_path, report_path

    if arguments.items is None:
        raise CmcslError("Name the list of your images and texts with --items, a CSV or Parquet file.")
    if arguments.visual is not None:
        raise CmcslError("--visual goes with arrays: name the column of images with --image.")
    name = corpus_name(arguments)
    set_aside = read_folder(name, arguments.items, image=arguments.image or "image", **own_data_options(arguments))
    print(f"{len(load(name).items)} items: {readable_path(items_path(name))}")
    print_set_aside(set_aside, report_path(name))
    extract_images(arguments, name)


def extract_arrays(arguments: argparse.Namespace) -> None:
    """Take ready-made features as a corpus."""
    from .corpora.arrays import read_arrays

    if arguments.image is not None:
        raise CmcslError("--image goes with folder: name the features of the images with --visual.")
    if arguments.items is None and getattr(arguments, "as") is None:
        raise CmcslError("Name the corpus that your arrays make with --as.")
    for path in read_arrays(
        corpus_name(arguments), arguments.items, visual=arguments.visual or "visual", **own_data_options(arguments)
    ):
        print(path)


OWN_DATA = {"folder": extract_folder, "arrays": extract_arrays}


def corpus_name(arguments: argparse.Namespace) -> str:
    """Name of the user's corpus: that of --as, else of the file."""
    return getattr(arguments, "as") or arguments.items.stem


def own_data_options(arguments: argparse.Namespace) -> dict[str, object]:
    """Options that folder and arrays have in common."""
    return {
        "text": arguments.text or "text",
        "label": arguments.label or "label",
        "identifier": arguments.id,
        "separator": arguments.separator,
        "classes": chosen_classes(arguments.classes),
    }


def chosen_classes(words: list[str] | None) -> dict[str, tuple[str, ...]] | None:
    """Datasets that --classes names, with their classes."""
    if words is None:
        return None
    pairs = [word.partition("=") for word in words]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise CmcslError(f"--classes takes NAME=CLASS,CLASS, for example HR=Horror,Romance, got {wrong[0]}.")
    return {name: tuple(label.strip() for label in classes.split(",")) for name, _, classes in pairs}


def print_set_aside(set_aside: Mapping[str, int], report: Path) -> None:
    """Tell how many items can't be used, by reason, and where each is listed."""
    for reason, count in sorted(set_aside.items()):
        print(f"set aside, {reason}: {count}")
    print(f"Every item set aside: {readable_path(report)}")


def label(arguments: argparse.Namespace) -> None:
    """Label what has no label yet, and write labels, where they come from and how sure they are as CSV."""
    from .corpora.features import MODALITIES
    from .corpora.pseudo_labels import (
        labels_path,
        pseudo_labels,
        unlabeled_features,
        with_finetuning_items,
        write_labels,
    )

    features = unlabeled_features(arguments.corpus, arguments.dataset)
    labels = pseudo_labels(features, preprocessing=arguments.preprocessing, min_margin=arguments.min_margin)
    path = arguments.to or labels_path(features.corpus, features.dataset)
    write_labels(with_finetuning_items(labels, features.corpus, features.dataset), path)
    new = labels[labels.given == ""]
    sure = new[new.label != ""]
    classes = ", ".join(f"{name} {count}" for name, count in sure.label.value_counts(sort=False).items())
    deciders = sure.modality.value_counts()
    shares = " and ".join(f"the {name} modality {deciders.get(name, 0)}" for name in MODALITIES)
    unsure = f" {len(new) - len(sure)} items were too close to call." if len(sure) < len(new) else ""
    print(
        terminal_safe(
            f"{len(sure)} items labelled from {(labels.given != '').sum()}: {classes or 'none'}. "
            f"Decided by {shares}.{unsure}"
        )
    )
    print(readable_path(path))


def run(arguments: argparse.Namespace) -> None:
    """Run an experiment, or find its scores where they are kept."""
    from .experiments.grid import METHODS
    from .experiments.runs import load_scores

    for method in arguments.methods or ():
        check_choice(method, METHODS, "method")
    scores = load_scores(
        arguments.corpus,
        chosen_protocol(arguments),
        arguments.experiment,
        datasets=arguments.datasets,
        classifiers=arguments.classifier,
        budgets=chosen_budgets(arguments.corpus, arguments),
        workers=arguments.workers,
        scheduler=arguments.scheduler,
    )
    varied = [name for name in ("preprocessing", "classifier") if scores[name].nunique() > 1]
    means = scores.pivot_table(
        index=["dataset", *varied, "modality"], columns="method", values="balanced_accuracy", sort=False
    )
    wanted = arguments.methods or METHODS
    means = means[[method for method in METHODS if method in wanted and method in means]].dropna(how="all")
    print(means.to_string(float_format="{:.3f}".format, na_rep=""))


def table(arguments: argparse.Namespace) -> None:
    """Print a table of the paper."""
    from .analysis.tables import TABLES, csv_text
    from .analysis.tables import table as make_table

    check_choice(arguments.number, TABLES, "table")
    made = make_table(arguments.number, table_input(arguments), arguments.statistics)
    print(csv_text(made) if arguments.csv else made.to_string(index=False, float_format="{:.3f}".format, na_rep=""))


def table_input(arguments: argparse.Namespace) -> DataFrame:
    """What a table is made of: class counts for Table I, else the scores of its experiment."""
    from .analysis.tables import CLASSIFIERS_SHOWN, EXPERIMENT_OF_TABLE
    from .experiments.published import printed_table
    from .experiments.sources import PUBLISHED, source_scores

    if arguments.number == "1" and arguments.source == PUBLISHED:
        return printed_table(1)
    if arguments.number == "1":
        return class_counts(load(arguments.source), arguments.datasets)
    return source_scores(
        arguments.source,
        EXPERIMENT_OF_TABLE[arguments.number],
        chosen_protocol(arguments),
        datasets=arguments.datasets,
        classifiers=CLASSIFIERS_SHOWN.get(arguments.number),
        budgets=chosen_budgets(arguments.source, arguments),
        compute=False,
    )


def chosen_budgets(source: str, arguments: argparse.Namespace, usual: tuple[int, ...] = BUDGETS) -> tuple[int, ...]:
    """The budgets of --budgets; by default the usual ones, those left out that a user's corpus is too small for."""
    if arguments.budgets or source not in own_corpora():
        return tuple(arguments.budgets or usual)
    kept = drawable_budgets(source, arguments.datasets, usual)
    if kept != usual:
        told = f"{kept[0]} to {kept[-1]}" if len(kept) > 2 else " and ".join(map(str, kept))
        print(f"Budgets {told}, as many as the smallest class of {source} allows.", file=sys.stderr)
    return kept


def chosen_protocol(arguments: argparse.Namespace) -> Protocol:
    """The protocol that --protocol names, with the choices that --change changes."""
    pairs = [change.partition("=") for change in arguments.change]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise CmcslError(f"--change takes FIELD=VALUE, for example seeds=replacement, got {wrong[0]}.")
    return protocol(arguments.protocol).changed(**{name: value for name, _, value in pairs})


def fetch(arguments: argparse.Namespace) -> None:
    """Get what the repository does not ship."""
    from .corpora import mm_imdb
    from .corpora.items_file import items_path, report_path
    from .experiments.published import fetch as fetch_published

    check_choice(arguments.what, ("published-scores", mm_imdb.NAME, "imagenet-weights"), "thing to fetch")
    if arguments.what == mm_imdb.NAME:
        set_aside = mm_imdb.fetch(arguments.source)
        print(f"{len(load(mm_imdb.NAME).items)} films: {readable_path(items_path(mm_imdb.NAME))}")
        print_set_aside(set_aside, report_path(mm_imdb.NAME))
    elif arguments.source:
        raise CmcslError(
            "--from goes with mm-imdb: set CMCSL_PUBLISHED_SCORES to a folder of the authors' arrays, or "
            "name weights with `cmcsl extract --weights FILE`."
        )
    elif arguments.what == "imagenet-weights":
        from .extraction import fetch_imagenet_weights

        print(fetch_imagenet_weights())
    else:
        print(fetch_published())


def study(arguments: argparse.Namespace) -> None:
    """Make the numbers of a study."""
    from .studies import drift, simulation
    from .studies.catalogue import STUDIES, load_study

    makers = {"simulation": simulation.make_map, "drift": drift.make_streams}
    if check_choice(arguments.what, (*STUDIES, *makers), "study") in makers:
        print(readable_path(makers[arguments.what](arguments.to, workers=arguments.workers)))
        return
    budgets = chosen_budgets(arguments.corpus, arguments, STUDIES[arguments.what].budgets)
    scores = load_study(
        arguments.what,
        arguments.corpus,
        chosen_protocol(arguments),
        datasets=arguments.datasets,
        budgets=budgets,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
    )
    varied = [name for name in ("disturbance", "choice", "share") if name in scores]
    means = scores.pivot_table(
        index=[*varied, "method"], columns=["modality", "budget"], values="balanced_accuracy", sort=False
    )
    print(means.to_string(float_format="{:.3f}".format, na_rep=""))


def notebooks(arguments: argparse.Namespace) -> None:
    """Execute notebooks over a grid of corpora, protocols and statistics; only what is missing."""
    from .book.batch import FAILED, LEFT_OUT, STATES, run_notebooks

    outcomes = []
    for outcome in run_notebooks(
        arguments.names,
        arguments.to,
        corpora=arguments.corpus,
        protocols=arguments.protocol,
        statistics=arguments.statistics,
        datasets=arguments.datasets,
        budgets=arguments.budgets,
        workers=arguments.workers,
    ):
        print(f"{outcome.state:10} {outcome.page.name}", flush=True)
        outcomes.append(outcome)
    for outcome in outcomes:
        if outcome.reason:
            print(f"\n{outcome.page.name}: {outcome.reason}" if outcome.state == LEFT_OUT else f"\n{outcome.reason}")
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in STATES}
    print(
        "\n"
        + ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        + f": {readable_path(arguments.to)}"
    )
    if counts[FAILED] or (arguments.names and counts[LEFT_OUT]):
        raise CmcslError(
            f"Not executed: {counts[FAILED]} failed and {counts[LEFT_OUT]} were left out of "
            f"{len(outcomes)} notebooks, for the reasons above."
        )


def book(arguments: argparse.Namespace) -> None:
    """Execute the notebooks that changed and build the HTML book."""
    from .book.schedule import build

    print(
        build(
            arguments.corpus,
            workers=arguments.workers,
            names=arguments.datasets,
            budgets=arguments.budgets,
            pdf=arguments.pdf,
        )
    )


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
    extracting.add_argument("corpus", metavar="CORPUS", help="a corpus; or folder or arrays: your own data")
    extracting.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all that --min-class lets through")
    extracting.add_argument("--min-class", type=int, help=f"{MIN_CLASS_HELP}, of your own data 1")
    extracting.add_argument("--start", default="auto", help="weights of ResNet-18: auto, imagenet, pooled")
    extracting.add_argument("--to", type=Path, metavar="FOLDER", help="default: features/CORPUS in CMCSL_HOME")
    extracting.add_argument("--name", default="default", help="of these features, for `run --change features=NAME`")
    extracting.add_argument("--seed", type=int, default=RANDOM_STATE, help="of the network's training")
    extracting.add_argument("--split-seed", type=int, default=RANDOM_STATE, help="of the 20%% it is trained on")
    extracting.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    extracting.add_argument("--precision", default="auto", help="auto (mixed where the device gains), single, mixed")
    extracting.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="of ResNet-18 to start from, instead of those of `fetch imagenet-weights`",
    )
    extracting.add_argument(
        "--orientation",
        default="upright",
        help="of images: upright, or swapped (height and width, as the published code fed them)",
    )
    extracting.add_argument("--finetune", default="yes", help="yes, or no: the start gives the visual features")

    own_data_arguments(extracting)

    labeling = command(label, "label")
    labeling.add_argument("corpus", metavar="CORPUS")
    labeling.add_argument("dataset", nargs="?", metavar="DATASET", help="needed if the corpus has several")
    labeling.add_argument("--to", type=Path, metavar="FILE", help="default: labels/CORPUS/DATASET.csv in CMCSL_HOME")
    labeling.add_argument("--preprocessing", default="L2STD", help="RAW, L2, STD, MM or L2STD")
    labeling.add_argument(
        "--min-margin", type=float, default=0.0, help="items whose margin, 0 to 1, is smaller get no label; default 0"
    )

    running = command(run, "run")
    running.add_argument("experiment", metavar="EXPERIMENT", help="number of the paper's experiment")
    running.add_argument("--corpus", default="openclipart")
    running.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    protocol_arguments(running)
    running.add_argument("--classifier", nargs="+", help="GNB, LR, CART; default: the experiment's own")
    running.add_argument("--methods", nargs="+", metavar="METHOD", help="methods to print; default all")
    running.add_argument("--budgets", nargs="+", type=int, help=BUDGETS_HELP)
    running.add_argument("--workers", type=int, default=1, help="processes")
    running.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster, instead of --workers")

    printing = command(table, "table")
    printing.add_argument("number", metavar="NUMBER", help="number of the paper's table")
    printing.add_argument("--source", default="openclipart", help="a corpus, or published: the authors' arrays")
    printing.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    printing.add_argument("--budgets", nargs="+", type=int, help=BUDGETS_HELP)
    protocol_arguments(printing)
    printing.add_argument("--statistics", default="corrected", help="corrected or published")
    printing.add_argument("--csv", action="store_true", help="comma-separated values, as the paper prints them")

    fetching = command(fetch, "fetch")
    fetching.add_argument(
        "what",
        metavar="WHAT",
        help="published-scores: the authors' arrays; mm-imdb: their corpus; imagenet-weights: of ResNet-18",
    )
    fetching.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="archive or unpacked folder of mm-imdb, instead of a download of several GB",
    )

    dividing = command(divide, "divide")
    dividing.add_argument("corpus", metavar="CORPUS", help="mm-imdb")
    dividing.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all of the corpus")
    dividing.add_argument("--min-class", type=int, default=MIN_CLASS, help=MIN_CLASS_HELP)
    dividing.add_argument("--check", action="store_true", help="a difference from Table I is an error")
    dividing.add_argument("--csv", action="store_true", help="comma-separated values")

    studying = command(study, "study")
    studying.add_argument(
        "what",
        metavar="WHAT",
        help="peers, robustness or seeds, on the datasets of a corpus; "
        "simulation: the map of strengths; drift: streams",
    )
    studying.add_argument("--corpus", default="openclipart")
    studying.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    protocol_arguments(studying)
    studying.add_argument("--budgets", nargs="+", type=int, help="default: the study's own")
    studying.add_argument("--workers", type=int, default=1, help="processes")
    studying.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster, instead of --workers")
    studying.add_argument("--to", type=Path, metavar="FILE", help="of simulation and drift; default: in CMCSL_HOME")

    batch = command(notebooks, "notebooks")
    batch.add_argument("names", nargs="*", metavar="NOTEBOOK", help="numbers or names, for example 06 08; default: all")
    batch.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="of the executed copies")
    batch.add_argument(
        "--corpus", nargs="+", default=["openclipart"], help="one or several; also published, of the experiments"
    )
    batch.add_argument("--protocol", nargs="+", default=["strict"], help="one or both of " + ", ".join(PROTOCOLS))
    batch.add_argument("--statistics", nargs="+", default=["corrected"], help="one or both of corrected, published")
    batch.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of each corpus")
    batch.add_argument("--budgets", nargs="+", type=int, help="seeds per class; default: each notebook's own")
    batch.add_argument("--workers", type=int, default=2, help="notebooks executed at the same time")

    building = command(book, "book")
    building.add_argument("--corpus", default="openclipart", help="what its pages show")
    building.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    building.add_argument("--budgets", nargs="+", type=int, help=BUDGETS_HELP)
    building.add_argument("--workers", type=int, default=2, help="notebooks executed at the same time")
    building.add_argument("--pdf", action="store_true", help="print the whole book as well; needs Chromium")
    return top


def own_data_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of `extract folder` and `extract arrays`; without defaults, so that it shows who gave which."""
    group = command.add_argument_group("your own data, with folder or arrays")
    group.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="folder: list of images and texts, CSV or Parquet, "
        "image paths counted from its folder; arrays: one .npz or Parquet file of features",
    )
    group.add_argument("--as", metavar="NAME", help="of the corpus; default: the name of FILE without its ending")
    group.add_argument("--image", metavar="COLUMN", help="folder: paths of images, default image")
    group.add_argument(
        "--visual",
        metavar="NAME",
        help="arrays: features of images, a key or column of FILE, default "
        "visual; without --items a .npy file, as are --text, --label and --id",
    )
    group.add_argument("--text", metavar="NAME", help="texts, or their features; default text")
    group.add_argument("--label", metavar="NAME", help="labels, empty where there is none; default label")
    group.add_argument("--id", metavar="NAME", help="what names an item; default: path of the image, or row number")
    group.add_argument("--separator", metavar="TEXT", help="divides several labels in one cell")
    group.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME=CLASS,CLASS",
        help="datasets by their classes, needed if items have several labels; default: one dataset of "
        "all classes, named as the corpus",
    )


def protocol_arguments(command: argparse.ArgumentParser) -> None:
    """Add --protocol and --change."""
    command.add_argument("--protocol", default="strict", help=" or ".join(PROTOCOLS))
    command.add_argument(
        "--change",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="choices of the protocol made otherwise, for example seeds=replacement",
    )


def main(words: list[str] | None = None) -> int:
    """Run the command; wrong input gives one sentence on standard error and exit code 2, Ctrl-C one and code 130."""
    arguments = parser().parse_args(words)
    try:
        arguments.function(arguments)
        sys.stdout.flush()
    except CmcslError as error:
        print(f"cmcsl: {terminal_safe(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        # Of files that are read, for example: those that are written have a sentence of their own.
        told = f"{error.filename or 'A file'} can't be used ({error.strerror or error})."
        print(f"cmcsl: {terminal_safe(told)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncmcsl: Stopped; what was finished is kept, and the same command goes on from there.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
