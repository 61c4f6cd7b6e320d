"""Commands that execute notebooks, and build the book from them."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from ..files.errors import CmcslError
from ..files.escaping import print_safe
from ..files.extras import require
from ..files.paths import in_checkout
from .data import print_left_out
from .parsing import Commands, command


def check_place(command: str) -> None:
    """Raise unless notebooks and what they need are there: a checkout, and the extra."""
    if not in_checkout():
        raise CmcslError(
            f"`cmcsl {command}` needs the notebooks, which the installed package does not hold: give the command in a "
            "checkout of the repository, where `make book` installs what it needs."
        )
    require("book", f"`cmcsl {command}`")


def notebooks(
    names: list[str] | None = None,
    *,
    to: Path,
    corpus: Sequence[str] = ("openclipart",),
    protocol: Sequence[str] = ("strict",),
    statistics: Sequence[str] = ("corrected",),
    datasets: list[str] | None = None,
    budgets: list[int] | None = None,
    workers: int = 2,
) -> None:
    """Execute notebooks for every combination of corpora, protocols and statistics; only what is missing."""
    check_place("notebooks")
    from ..book.batch import FAILED, STATES, run_notebooks
    from ..files.paths import readable_path

    check_environment()
    for name in corpus:
        print_left_out(name, datasets)
    outcomes = []
    for outcome in run_notebooks(names, to, corpus, protocol, statistics, datasets, budgets, workers):
        print(f"{outcome.state:10} {outcome.page.name}", flush=True)
        outcomes.append(outcome)
    for outcome in outcomes:
        if outcome.reason:
            print_safe(f"\n{outcome.reason}")
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in STATES}
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    print_safe(f"\n{summary}: {readable_path(to)}")
    if counts[FAILED]:
        raise CmcslError(f"{counts[FAILED]} of {len(outcomes)} notebooks failed, for the reasons above.")


def book(
    corpus: str = "openclipart",
    datasets: list[str] | None = None,
    budgets: list[int] | None = None,
    workers: int = 2,
    pdf: bool = False,
) -> None:
    """Execute the notebooks that changed and build the HTML book."""
    check_place("book")
    from ..book.schedule import build

    check_environment()
    print_left_out(corpus, datasets)
    print_safe(str(build(corpus, datasets, budgets, workers, pdf)))


def check_environment() -> None:
    """Raise a `CmcslError` if the command stands in an environment that was copied: it runs that one's original."""
    folder = Path(sys.argv[0]).resolve().parents[1]
    original = Path(sys.prefix).resolve()
    if (folder / "pyvenv.cfg").is_file() and folder != original:
        raise CmcslError(
            f"The environment {folder} is a copy whose commands run what is installed in {original}: "
            "`make book` in its checkout makes it anew."
        )


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    parser = command(commands, notebooks, "cmcsl notebooks 06 08 --corpus openclipart my-corpus --to FOLDER")
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="by number or name, such as 06; default: all")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="of the executed copies")
    corpora = "one or several, also published, the authors' scores; default: openclipart"
    parser.add_argument("--corpus", nargs="+", metavar="CORPUS", help=corpora)
    parser.add_argument("--protocol", nargs="+", metavar="NAME", help="strict, paper, or both; default: strict")
    variants = "corrected, published, or both; default: corrected"
    parser.add_argument("--statistics", nargs="+", metavar="VARIANT", help=variants)
    add_common_options(parser)

    parser = command(commands, book, "cmcsl book --corpus my-corpus --pdf")
    parser.add_argument("--corpus", metavar="CORPUS", help="what the pages show; default: openclipart")
    add_common_options(parser)
    parser.add_argument("--pdf", action="store_true", help="print the whole book as PDF as well; needs Chromium")


def add_common_options(parser: ArgumentParser) -> None:
    """Add the options of both commands."""
    parser.add_argument("--datasets", nargs="+", metavar="DATASET", help="default: all of the corpus")
    budgets = "seeds per class; default: those of each notebook"
    parser.add_argument("--budgets", nargs="+", type=int, metavar="N", help=budgets)
    parser.add_argument("--workers", type=int, metavar="N", help="notebooks executed at the same time; default: 2")
