"""Commands that compute scores, and the paper's tables from them."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.errors import check_choice
from ..files.escaping import print_safe
from .data import print_left_out
from .parsing import Commands, command, split_pairs

if TYPE_CHECKING:
    import pandas as pd

    from ..experiments.protocol import Protocol


def run(
    experiment: str,
    *,
    corpus: str = "openclipart",
    datasets: list[str] | None = None,
    protocol: str = "strict",
    change: Sequence[str] = (),
    classifier: list[str] | None = None,
    methods: list[str] | None = None,
    budgets: list[int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
) -> None:
    """Run an experiment of the paper and print its mean scores; scores that exist are not computed again."""
    from ..experiments.grid import METHODS
    from ..experiments.runs import load_scores
    from ..experiments.scores import BUDGETS

    for method in methods or ():
        check_choice(method, METHODS, "method")
    print_left_out(corpus, datasets)
    scores = load_scores(
        corpus,
        changed_protocol(protocol, change),
        experiment,
        datasets=datasets,
        classifiers=tuple(classifier) if classifier else None,
        budgets=feasible_budgets(corpus, datasets, budgets, BUDGETS),
        workers=workers,
        scheduler=scheduler,
    )
    varied = [name for name in ("preprocessing", "classifier") if scores[name].nunique() > 1]
    means = mean_scores(scores, index=["dataset", *varied, "modality"], columns="method")
    shown = [name for name in METHODS if name in (methods or METHODS) and name in means]
    print_safe(readable(means[shown].dropna(how="all"), index=True))


def study(
    what: str,
    *,
    corpus: str = "openclipart",
    datasets: list[str] | None = None,
    protocol: str = "strict",
    change: Sequence[str] = (),
    budgets: list[int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    to: Path | None = None,
) -> None:
    """Compute a study beyond the paper."""
    from ..files.paths import readable_path
    from ..studies.results import SIMULATIONS, STUDIES, load_study, make_simulation

    check_choice(what, (*STUDIES, *SIMULATIONS), "study")
    if what in SIMULATIONS:
        print_safe(readable_path(make_simulation(what, to, workers)))
        return
    print_left_out(corpus, datasets)
    if what == "stream":
        print_times(corpus, datasets, protocol, change)
    scores = load_study(
        what,
        corpus,
        changed_protocol(protocol, change),
        datasets=datasets,
        budgets=feasible_budgets(corpus, datasets, budgets, STUDIES[what].budgets),
        workers=workers,
        scheduler=scheduler,
    )
    varied = [name for name in ("order", "disturbance", "choice", "share") if name in scores]
    print_safe(readable(mean_scores(scores, index=[*varied, "method"], columns=["modality", "budget"]), index=True))


def table(
    number: str,
    *,
    source: str = "openclipart",
    datasets: list[str] | None = None,
    protocol: str = "strict",
    change: Sequence[str] = (),
    budgets: list[int] | None = None,
    statistics: str = "corrected",
    csv: bool = False,
) -> None:
    """Print a table of the paper from scores that exist."""
    from ..analysis.tables import ROMAN, TABLES, csv_text, paper_table
    from ..corpora import class_counts, known_corpora, load
    from ..experiments.published import printed_table
    from ..experiments.scores import BUDGETS
    from ..experiments.sources import PUBLISHED, source_scores

    if check_choice(number, ROMAN, "table") == "1":
        numbers = printed_table(1) if source == PUBLISHED else class_counts(load(source), datasets)
    else:
        check_choice(source, [*known_corpora(), PUBLISHED], "source")
        print_left_out(source, datasets)
        numbers = source_scores(
            source,
            TABLES[number].experiment,
            changed_protocol(protocol, change),
            datasets=datasets,
            classifiers=TABLES[number].classifiers or None,
            budgets=feasible_budgets(source, datasets, budgets, BUDGETS),
            compute=False,
        )
    filled = paper_table(number, numbers, statistics)
    # A file gets comma-separated values as they are.
    if csv and not sys.stdout.isatty():
        print(csv_text(filled))
    else:
        print_safe(csv_text(filled) if csv else readable(filled, index=False))


def print_times(corpus: str, datasets: list[str] | None, protocol: str, change: Sequence[str]) -> None:
    """Print how many items of each dataset have a time, from when to when."""
    from ..corpora.features import extracted_datasets, load_features
    from ..studies.stream import dated_items

    features = changed_protocol(protocol, change).features
    for dataset in extracted_datasets(corpus, datasets, features):
        dated = dated_items(load_features(corpus, dataset, features))
        print_safe(
            f"{dataset}: {dated['items']} items, of times from {dated['first']:.10g} to {dated['last']:.10g}; "
            f"{dated['without_time']} without a time are left out.",
            file=sys.stderr,
        )


def changed_protocol(name: str, changes: Sequence[str]) -> "Protocol":
    """The protocol that ``--protocol`` names, with the changes of ``--change``."""
    from ..experiments.protocol import protocol

    return protocol(name).changed(**split_pairs(changes, "--change", "FIELD=VALUE", "seeds=replacement"))


def feasible_budgets(
    corpus: str, datasets: list[str] | None, budgets: list[int] | None, default: tuple[int, ...]
) -> tuple[int, ...]:
    """The budgets of ``--budgets``, else of `default` those that a corpus is large enough for."""
    from ..experiments.protocol import drawable_budgets
    from ..experiments.sources import PUBLISHED

    # The shipped datasets, whose features take a second to read, are large enough, and so are the paper's.
    if budgets or corpus in ("openclipart", PUBLISHED):
        return tuple(budgets or default)
    feasible = drawable_budgets(corpus, datasets, default)
    if feasible != default:
        contiguous = len(feasible) > 2 and feasible == tuple(range(feasible[0], feasible[-1] + 1))
        listed = f"{feasible[0]} to {feasible[-1]}" if contiguous else ", ".join(map(str, feasible))
        print(
            f"Budget{'s' if len(feasible) > 1 else ''} {listed}, as many as the smallest class of {corpus} allows.",
            file=sys.stderr,
        )
    return feasible


def mean_scores(scores: "pd.DataFrame", index: list[str], columns: str | list[str]) -> "pd.DataFrame":
    """Balanced accuracy averaged over everything but `index` and `columns`."""
    return scores.pivot_table(index=index, columns=columns, values="balanced_accuracy", sort=False)


def readable(table: "pd.DataFrame", index: bool) -> str:
    """A table as text with three decimals."""
    return table.to_string(index=index, float_format="{:.3f}".format, na_rep="")


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    parser = command(
        commands,
        run,
        "cmcsl run 3 --datasets AF AFP",
        "cmcsl run 3 --change seeds=replacement",
        "cmcsl run 3 --classifier LR CART --workers 2",
    )
    parser.add_argument("experiment", metavar="EXPERIMENT", help="1, 2 or 3, as the paper numbers them")
    parser.add_argument("--corpus", metavar="CORPUS", help="default: openclipart")
    add_choices(parser)
    parser.add_argument("--classifier", nargs="+", metavar="NAME", help="GNB, LR, CART; default: the experiment's own")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="methods to print; default: all")
    add_workers(parser)

    csv = "cmcsl table 5 --source published --statistics published --csv"
    parser = command(commands, table, "cmcsl table 5", csv)
    parser.add_argument("number", metavar="NUMBER", help="1 to 9, as the paper numbers its tables")
    parser.add_argument("--source", help="a corpus, or published: the authors' scores; default: openclipart")
    add_choices(parser)
    parser.add_argument("--statistics", metavar="VARIANT", help="corrected or published; default: corrected")
    parser.add_argument("--csv", action="store_true", help="print comma-separated values, as the paper rounds them")

    parser = command(commands, study, "cmcsl study peers --datasets AF AFP", "cmcsl study simulation --workers 2")
    studies = (
        "peers, related, robustness, seeds, exchange, decisions or finetuning, on a corpus; stream: its items in the "
        "order of their times; simulation: the map of strengths; or drift: simulated streams"
    )
    parser.add_argument("what", metavar="STUDY", help=studies)
    parser.add_argument("--corpus", metavar="CORPUS", help="default: openclipart")
    add_choices(parser, "the study's own")
    add_workers(parser)
    parser.add_argument("--to", type=Path, metavar="FILE", help="of simulation and drift; default: in CMCSL_HOME")


def add_choices(parser: ArgumentParser, budgets: str = "1 to 20, or as many as your own data allow") -> None:
    """Add the options that say which scores of a corpus are meant."""
    parser.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    parser.add_argument("--protocol", metavar="NAME", help="strict or paper; default: strict")
    change = "replace choices of the protocol, for example seeds=replacement"
    parser.add_argument("--change", nargs="+", metavar="FIELD=VALUE", help=change)
    parser.add_argument("--budgets", nargs="+", type=int, metavar="N", help=f"seeds per class; default: {budgets}")


def add_workers(parser: ArgumentParser) -> None:
    """Add the options that say where scores are computed."""
    parser.add_argument("--workers", type=int, metavar="N", help="parallel processes; default: 1")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a dask.distributed cluster, instead of --workers")
