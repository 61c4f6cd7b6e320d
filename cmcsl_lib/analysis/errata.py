"""Are the published numbers right? What the authors' scores give with each slip of the statistics, and without."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..experiments.grid import EXPERIMENTS
from ..experiments.published import AVERAGE_RANK, load_published
from .statistics import VARIANTS, Statistics
from .tables import KEYS, ROMAN, TABLES, VERDICT, compare_verdicts, compare_with_printed, paper_table

#: What each switch of `Statistics` is called where it is off, in its order.
SLIPS = {
    "halves_paired": "halves of different repetitions paired",
    "full_denominator": "F doubled",
    "two_sided": "one-sided tests in both directions",
    "modalities_apart": "modalities as two rows",
    "holm": "no correction for several tests",
    "own_rows": "verdicts from the wrong rows",
}
AS_PUBLISHED, REPAIRED = "as published", "all repaired"


def all_published() -> pd.DataFrame:
    """The authors' scores of all three experiments in one table, with their numbers in a first column, experiment.

    Returns
    -------
    DataFrame
        Columns experiment and `scores.COLUMNS`.

    Raises
    ------
    Absent
        If the arrays are not on this machine.
    """
    parts = {number: load_published(number) for number in EXPERIMENTS}
    return pd.concat(parts, names=["experiment"]).reset_index("experiment").reset_index(drop=True)


def _table(number: str, scores: pd.DataFrame, statistics: str | Statistics) -> pd.DataFrame:
    return paper_table(number, scores[scores.experiment == TABLES[number].experiment], statistics)


def printed_numbers(scores: pd.DataFrame) -> pd.DataFrame:
    """Tables II to IX with the slips repeated, beside those that the paper prints.

    Parameters
    ----------
    scores : DataFrame
        From `all_published`.

    Returns
    -------
    DataFrame
        One row per table: numbers that it prints, how many of them are equal at the printed precision,
        largest_difference; verdicts that could be read, how many of them are the same. Last a row "all".
    """
    rows = []
    for number in TABLES:
        ours = _table(number, scores, "published")
        numbers, verdicts = compare_with_printed(number, ours), compare_verdicts(number, ours)
        rows.append(
            (
                ROMAN[number],
                len(numbers),
                (numbers.difference == 0).sum(),
                numbers.difference.abs().max(),
                len(verdicts),
                verdicts.same.sum(),
            )
        )
    counts = pd.DataFrame(rows, columns=["table", "numbers", "equal", "largest_difference", "verdicts", "same"])
    summed = counts[["numbers", "equal", "verdicts", "same"]].sum()
    counts.loc[len(counts)] = {"table": "all", "largest_difference": counts.largest_difference.max(), **summed}
    return counts


def variants() -> dict[str, Statistics]:
    """Statistics by title: as published, with one slip repaired, with one slip alone, and all slips repaired.

    Returns
    -------
    dict of str to Statistics
        The published variant comes first, the corrected one last.
    """
    published, corrected = VARIANTS["published"], VARIANTS["corrected"]
    repaired = {f"only repaired: {title}": replace(published, **{field: True}) for field, title in SLIPS.items()}
    alone = {f"only slip: {title}": replace(corrected, **{field: False}) for field, title in SLIPS.items()}
    return {AS_PUBLISHED: published} | repaired | alone | {REPAIRED: corrected}


def verdicts(scores: pd.DataFrame, statistics: dict[str, Statistics] | None = None) -> pd.DataFrame:
    """Every verdict of Tables II to IX under several variants of the statistics.

    Parameters
    ----------
    scores : DataFrame
        From `all_published`.
    statistics : dict of str to Statistics, optional
        Variants by title; default: all of `variants`.

    Returns
    -------
    DataFrame
        One row per verdict, in the order of the tables: table (Roman), row (what names it, without the modality),
        modality, column, ranked (whether it is a row of averaged ranks), then one column per variant with the names
        that `column` is significantly better than, separated by spaces, or "none". A verdict over both modalities
        together stands for each of them.
    """
    columns = {
        title: pd.concat([_verdicts(number, scores, variant) for number in TABLES])
        for title, variant in (statistics or variants()).items()
    }
    first = next(iter(columns.values()))
    # Rows of averaged ranks stand elsewhere in tables that take both modalities together.
    return pd.DataFrame({title: column.loc[first.index] for title, column in columns.items()}).reset_index()


def _verdicts(number: str, scores: pd.DataFrame, statistics: Statistics) -> pd.Series:
    """What each column of one table is better than, indexed by what names the verdict."""
    wide = _table(number, scores, statistics)
    keys = [key for key in KEYS if key in wide]
    long = wide.melt(keys, [name for name in wide if name.endswith(VERDICT)], var_name="column", value_name="better")
    long["column"] = long.column.str.removesuffix(VERDICT)
    if "budget" in keys:
        long[["modality", "column"]] = long.column.str.split("_", expand=True)
    names = list(long.column.unique())
    long["better"] = [
        " ".join(name for name in names if name != column) if better == "all" else better or "none"
        for column, better in zip(long.column, long.better, strict=True)
    ]
    row_keys = long[[key for key in keys if key != "modality"]]
    long = long.assign(
        table=ROMAN[number],
        ranked=(row_keys == AVERAGE_RANK).any(axis=1),
        row=[_row_name(row) for row in row_keys.to_dict("records")],
    )
    together = long.modality == "both"
    long = pd.concat([long[~together], *(long[together].assign(modality=modality) for modality in MODALITIES)])
    rows = long.groupby(["row", "modality"], sort=False).ngroup()
    long = long.iloc[np.argsort(rows, kind="stable")]
    return long.set_index(["table", "row", "modality", "column", "ranked"]).better


def _row_name(keys: dict[str, str]) -> str:
    return ", ".join(
        "average rank" if value == AVERAGE_RANK else f"budget {value}" if key == "budget" else value
        for key, value in keys.items()
    )
