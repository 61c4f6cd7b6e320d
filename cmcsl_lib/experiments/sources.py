"""Scores by the name of where they come from: a corpus, or the authors' published arrays."""

from collections.abc import Sequence

import pandas as pd

from ..corpora.dataset_classes import datasets as catalogue
from ..corpora.dataset_classes import known_corpora
from ..files.errors import check_choice, check_positive
from .grid import experiment
from .protocol import Protocol, drawable_budgets, protocol
from .published import absent, available, load_published
from .runs import load_scores
from .scores import BUDGETS

PUBLISHED = "published"


def source_scores(
    source: str,
    number: int,
    rules: Protocol | str = "strict",
    *,
    datasets: list[str] | str | None = None,
    classifiers: tuple[str, ...] | None = None,
    budgets: tuple[int, ...] = BUDGETS,
    compute: bool = True,
    workers: int = 1,
) -> pd.DataFrame:
    """Scores of an experiment from any source.

    Parameters
    ----------
    source : str
        A corpus, whose scores are found or computed, or ``published``: the authors' scores, which were made on MM-IMDb
        with their own protocol; as means over halves where their arrays are absent (`published.load_published`).
    number : {1, 2, 3}
        The experiment.
    rules : Protocol or {"strict", "paper"}
        Of a corpus; the published scores have their own.
    datasets : list of str or str, optional
        Default: all.
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Default: the experiment's own.
    budgets : tuple of int
        Seeds per class.
    compute : bool
        False raises where scores are missing.
    workers : int
        Processes on this machine.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`.

    Raises
    ------
    Absent
        If the source is not on this machine, or the budgets are not all 20 and the authors' arrays are absent.
    CmcslError
        If a name is unknown.
    """
    check_choice(source, [*known_corpora(), PUBLISHED], "source")
    check_positive(budgets, "Budgets")
    if source != PUBLISHED:
        return load_scores(
            source,
            protocol(rules),
            number,
            datasets=datasets,
            classifiers=classifiers,
            budgets=budgets,
            compute=compute,
            workers=workers,
        )
    if not available() and not set(BUDGETS) <= set(budgets):
        raise absent("Published scores of some budgets")
    scores = load_published(number)
    return scores[
        scores.dataset.isin(catalogue("mm-imdb", datasets))
        & scores.budget.isin([0, *budgets])
        & scores.classifier.isin(classifiers or experiment(number).classifiers)
    ].reset_index(drop=True)


def source_budgets(
    source: str, names: list[str] | str | None = None, budgets: Sequence[int] = BUDGETS
) -> tuple[int, ...]:
    """Those budgets that the datasets of a source can give: no more seeds than the smallest class has training rows.

    Parameters
    ----------
    source : str
        A corpus, or ``published``, which has them all.
    names : list of str or str, optional
        Datasets; default: all.
    budgets : sequence of int
        Seeds per class that are wanted.

    Returns
    -------
    tuple of int
        At least one.
    """
    return tuple(budgets) if source == PUBLISHED else drawable_budgets(source, names, budgets)
