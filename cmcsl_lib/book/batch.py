"""Execute notebooks over a grid of parameters, outside the book: in parallel, and only what is missing."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import papermill

from ..analysis.statistics import VARIANTS
from ..experiments.protocol import protocol
from ..experiments.sources import PUBLISHED
from ..files.errors import check_choice, check_positive
from ..files.paths import locked
from .execution import execute
from .freshness import stale
from .pages import (
    ALSO_PUBLISHED,
    ONLY_PUBLISHED,
    Page,
    check_corpus,
    check_parameters,
    page_parameters,
    source_notebooks,
)

UP_TO_DATE, EXECUTED, FAILED = STATES = ("up to date", "executed", "failed")


class Outcome(NamedTuple):
    """What became of one notebook with one set of parameters.

    Attributes
    ----------
    page : Page
    state : {"up to date", "executed", "failed"}
    reason : str
        The cell that failed with its error.
    """

    page: Page
    state: str
    reason: str = ""


def select_notebooks(names: Sequence[str] | None = None) -> list[Path]:
    """Source notebooks by their numbers or names, for example ``06`` or ``06_experiment_3``; default: all."""
    notebooks = {path.stem: path for path in source_notebooks()}
    numbers = {stem.partition("_")[0]: stem for stem in notebooks}
    stems = [numbers.get(name, name) for name in names or notebooks]
    return [notebooks[check_choice(stem, notebooks, "notebook")] for stem in dict.fromkeys(stems)]


def batch_pages(
    notebooks: Iterable[Path],
    to: Path,
    corpora: Iterable[str],
    protocols: Iterable[str],
    statistics: Iterable[str],
    **further: object,
) -> list[Page]:
    """Every notebook with every combination of parameters, each in a folder that is named by its parameters.

    Combinations that differ only in what a notebook does not declare among its parameters are one page. The corpus
    ``published`` goes with the notebooks that can show the authors' scores by themselves.
    """
    by_output = {}
    for notebook, corpus, protocol_name, variant in product(notebooks, corpora, protocols, statistics):
        if corpus == PUBLISHED and notebook.stem not in (*ALSO_PUBLISHED, *ONLY_PUBLISHED):
            continue
        combination = {"corpus": corpus, "protocol": protocol_name, "statistics": variant}
        declared = papermill.inspect_notebook(str(notebook))
        varied = {name: combination[name] for name in combination if name in declared}
        output = to / ", ".join(varied.values()) / notebook.name
        by_output[output] = Page(notebook, output, varied | further, to)
    return list(by_output.values())


def run_notebooks(
    names: Sequence[str] | None,
    to: Path,
    corpora: Sequence[str],
    protocols: Sequence[str],
    statistics: Sequence[str],
    datasets: Sequence[str] | None,
    budgets: Sequence[int] | None,
    workers: int,
) -> Iterable[Outcome]:
    """Execute notebooks over a grid of corpora, protocols and variants of the statistics.

    A copy that was made from the same notebook, parameters, library, data and packages is not made again; a notebook
    that fails does not keep the others from being executed.

    Parameters
    ----------
    names : sequence of str, optional
        Numbers or names of notebooks; None: all.
    to : Path
        Folder of the executed copies.
    corpora, protocols, statistics : sequence of str
        Names; notebooks are executed with every combination of them.
    datasets : sequence of str, optional
        Of each corpus; None: all.
    budgets : sequence of int, optional
        Seeds per class; None: each notebook's own.
    workers : int
        Notebooks executed at the same time, each in its own process.

    Yields
    ------
    Outcome
        In the order of the grid, as they are finished.

    Raises
    ------
    CmcslError
        Before any notebook is executed, if a name is unknown or a corpus is not on this machine.
    """
    check_positive([workers], "--workers")
    notebooks = select_notebooks(names)
    for notebook in notebooks:
        check_parameters(notebook)
    for name in protocols:
        protocol(name)
    for name in statistics:
        check_choice(name, VARIANTS, "statistics")
    for corpus in corpora:
        check_corpus(corpus, datasets)
    grid = batch_pages(notebooks, to, corpora, protocols, statistics, **page_parameters(datasets, budgets))
    with locked(to), ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_outcome, grid)


def _outcome(page: Page) -> Outcome:
    if not stale(page):
        return Outcome(page, UP_TO_DATE)
    failure = execute(page)
    return Outcome(page, FAILED, failure.get_msg().strip()) if failure else Outcome(page, EXECUTED)
