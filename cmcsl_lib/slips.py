"""Are the published numbers right? What the authors' scores give with each slip of the statistics, and without."""

from dataclasses import replace

import numpy as np
import pandas as pd

from .features import MODALITIES
from .published import AVERAGE_RANK, load_published
from .statistics import VARIANTS, Statistics, combined_f_test, wilcoxon_p_values
from .tables import EXPERIMENTS, KEYS, VERDICT, compare_verdicts, compare_with_printed, table

#: What each switch of `Statistics` is called, in its order.
SLIPS = {
    "halves_paired": "scores of different repetitions paired",
    "full_denominator": "denominator of F halved",
    "two_sided": "two one-sided tests for one question",
    "modalities_apart": "modalities of a dataset as two rows",
    "holm": "no correction for many tests",
    "own_rows": "verdicts from the wrong rows",
}
ROMAN = {"2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI", "7": "VII", "8": "VIII", "9": "IX"}
AS_PUBLISHED, REPAIRED = "as published", "all slips repaired"
#: Tables whose verdicts "CMCSL is significantly better than UNI" are counted, and whether by modality.
COUNTED = {"5": False, "6": False, "8": True, "9": True}


def all_published() -> pd.DataFrame:
    """The authors' scores of all three experiments, told apart by a first column, experiment.

    Raises
    ------
    Absent
        If the arrays are not on this machine.
    """
    parts = {number: load_published(number) for number in sorted(set(EXPERIMENTS.values()))}
    return pd.concat(parts, names=["experiment"]).reset_index("experiment").reset_index(drop=True)


def _made(scores: pd.DataFrame, number: str, statistics: str | Statistics) -> pd.DataFrame:
    return table(number, scores[scores.experiment == EXPERIMENTS[number]], statistics)


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
    for number, roman in ROMAN.items():
        made = _made(scores, number, "published")
        numbers, verdicts = compare_with_printed(number, made), compare_verdicts(number, made)
        rows.append((roman, len(numbers), (numbers.difference == 0).sum(), numbers.difference.abs().max(),
                     len(verdicts), verdicts.same.sum()))
    made = pd.DataFrame(rows, columns=["table", "numbers", "equal", "largest_difference", "verdicts", "same"])
    total = made.drop(columns="table").sum().to_frame().T.assign(table="all")
    return pd.concat([made, total.assign(largest_difference=made.largest_difference.max())])[made.columns].astype(
        {name: int for name in ("numbers", "equal", "verdicts", "same")}).reset_index(drop=True)


def variants() -> dict[str, Statistics]:
    """Statistics by title: as published, with one slip repaired, with one slip made, and all slips repaired."""
    published, corrected = VARIANTS["published"], VARIANTS["corrected"]
    alone = {}
    for field, title in SLIPS.items():
        alone[_repaired(title)] = replace(published, **{field: True})
        alone[_made_alone(title)] = replace(corrected, **{field: False})
    return {AS_PUBLISHED: published} | alone | {REPAIRED: corrected}


def _repaired(title: str) -> str:
    return f"only repaired: {title}"


def _made_alone(title: str) -> str:
    return f"only slip: {title}"


def verdicts(scores: pd.DataFrame, chosen: dict[str, Statistics] | None = None) -> dict[str, pd.DataFrame]:
    """Every verdict of Tables II to IX, by the titles of `variants`.

    Parameters
    ----------
    scores : DataFrame
        From `all_published`.
    chosen : dict of str to Statistics, optional
        Those of `variants` that are wanted; default: all.

    Returns
    -------
    dict of str to DataFrame
        One row per verdict: table ("2" to "9"), row (what names it, without the modality), modality, column,
        better_than (names, separated by spaces), ranked (whether it is a row of averaged ranks). A verdict over both
        modalities together stands for each of them.
    """
    return {title: pd.concat([_verdicts(number, _made(scores, number, statistics)) for number in ROMAN],
                             ignore_index=True)
            for title, statistics in (chosen or variants()).items()}


def _verdicts(number: str, made: pd.DataFrame) -> pd.DataFrame:
    keys = [key for key in KEYS if key in made]
    long = made.melt(keys, [name for name in made if name.endswith(VERDICT)], var_name="column",
                     value_name="better_than")
    long["column"] = long.column.str.removesuffix(VERDICT)
    if "budget" in keys:
        long[["modality", "column"]] = long.column.str.split("_", expand=True)
    names = list(long.column.unique())
    long["better_than"] = [" ".join(name for name in names if name != own) if told == "all" else told
                           for own, told in zip(long.column, long.better_than, strict=True)]
    named = long[[key for key in keys if key != "modality"]]
    long["ranked"] = (named == AVERAGE_RANK).any(axis=1)
    long["row"] = [_row_name(row) for row in named.to_dict("records")]
    together = long.modality == "both"
    parts = [long[~together], *(long[together].assign(modality=modality) for modality in MODALITIES)]
    return pd.concat(parts).assign(table=number)[["table", "row", "modality", "column", "better_than", "ranked"]]


def _row_name(keys: dict[str, str]) -> str:
    return ", ".join("average rank" if value == AVERAGE_RANK else f"budget {value}" if key == "budget" else value
                     for key, value in keys.items())


def changed_verdicts(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Verdicts that differ between two variants of the statistics.

    Parameters
    ----------
    first, second : DataFrame
        Values of `verdicts`.

    Returns
    -------
    DataFrame
        table (Roman), row, modality, column, as_published (names that `first` finds the column better than) and
        corrected (those of `second`), "none" where there are none; in the order of `first`, row by row.
    """
    both = _beside(first, second)
    return both[both.as_published != both.corrected].drop(columns="ranked").reset_index(drop=True)


def _beside(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    keys = ["table", "row", "modality", "column"]
    both = first.merge(second.drop(columns="ranked"), on=keys, suffixes=("_first", "_second"), validate="one_to_one")
    both = both.rename(columns={"better_than_first": "as_published", "better_than_second": "corrected"})
    rows = both.groupby(["table", "row", "modality"], sort=False).ngroup()
    both = both.iloc[np.argsort(rows, kind="stable")].replace({"as_published": {"": "none"}, "corrected": {"": "none"}})
    return both.assign(table=both.table.map(ROMAN))[[*keys, "as_published", "corrected", "ranked"]]


def changed(told: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """`changed_verdicts` between the published statistics and those with all slips repaired."""
    return changed_verdicts(told[AS_PUBLISHED], told[REPAIRED])


def changed_alone(told: dict[str, pd.DataFrame], slip: str) -> pd.DataFrame:
    """`changed_verdicts` between the published statistics and those with one slip repaired, a key of `SLIPS`."""
    return changed_verdicts(told[AS_PUBLISHED], told[_repaired(SLIPS[slip])])


def changes_by_table(told: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How many verdicts change when all slips are repaired, table by table.

    Parameters
    ----------
    told : dict of str to DataFrame
        From `verdicts`.

    Returns
    -------
    DataFrame
        One row per table and a last one for all: table (Roman), verdicts (cells that hold one), changed.
    """
    both = _beside(told[AS_PUBLISHED], told[REPAIRED])
    both["changed"] = both.as_published != both.corrected
    made = both.groupby("table", sort=False).changed.agg(verdicts="size", changed="sum").reset_index()
    made.loc[len(made)] = ["all", made.verdicts.sum(), made.changed.sum()]
    return made


def global_verdicts(told: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What CMCSL is better than in the rows of averaged ranks of Tables V to IX, as published and corrected.

    Parameters
    ----------
    told : dict of str to DataFrame
        From `verdicts`.
    """
    both = _beside(told[AS_PUBLISHED], told[REPAIRED])
    its = both[both.ranked & (both.column == "CMCSL")]
    return its[["table", "row", "modality", "as_published", "corrected"]].reset_index(drop=True)


def wins_over_uni(told: pd.DataFrame) -> pd.DataFrame:
    """In how many rows of Tables V, VI, VIII and IX CMCSL is significantly better than UNI; averaged ranks don't count.

    Parameters
    ----------
    told : DataFrame
        A value of `verdicts`.

    Returns
    -------
    DataFrame
        table (for example "V", or with the modality "VIII visual"), wins, rows.
    """
    cmcsl = told[(told.column == "CMCSL") & ~told.ranked & told.table.isin(COUNTED)]
    names = cmcsl.table.map(ROMAN) + np.where(cmcsl.table.map(COUNTED), " " + cmcsl.modality, "")
    wins = cmcsl.better_than.str.split().map(lambda beaten: "UNI" in beaten)
    return wins.groupby(names, sort=False).agg(wins="sum", rows="size").rename_axis("table").reset_index()


def repairs(told: dict[str, pd.DataFrame], start: str = AS_PUBLISHED) -> pd.DataFrame:
    """What each slip does alone.

    Parameters
    ----------
    told : dict of str to DataFrame
        From `verdicts`.
    start : {"as published", "all slips repaired"}
        From published statistics each slip is repaired by itself; from corrected ones each is made by itself.

    Returns
    -------
    DataFrame
        The first row is `start`, the last the other end, between them one per slip: statistics, the counts of
        `wins_over_uni` by table, changed_verdicts (of all in Tables II to IX, against the first row).
    """
    titles = [AS_PUBLISHED, *map(_repaired, SLIPS.values()), REPAIRED]
    if start == REPAIRED:
        titles = [REPAIRED, *map(_made_alone, SLIPS.values()), AS_PUBLISHED]
    return pd.DataFrame([{"statistics": title} | wins_over_uni(told[title]).set_index("table").wins.to_dict()
                         | {"changed_verdicts": len(changed_verdicts(told[start], told[title]))} for title in titles])


def wins_by_variant(told: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """`wins_over_uni` as published and with all slips repaired, told apart by a first column, statistics."""
    return pd.concat({title: wins_over_uni(told[title]) for title in (AS_PUBLISHED, REPAIRED)},
                     names=["statistics"]).reset_index("statistics").reset_index(drop=True)


def answer(scores: pd.DataFrame, told: dict[str, pd.DataFrame]) -> str:
    """In sentences: are the published numbers right?

    Parameters
    ----------
    scores : DataFrame
        From `all_published`.
    told : dict of str to DataFrame
        From `verdicts`.
    """
    printed, changes = printed_numbers(scores).iloc[-1], changes_by_table(told).iloc[-1]
    wins = wins_by_variant(told).groupby("statistics")[["wins", "rows"]].sum()
    return (f"With the slips repeated, {printed.equal} of {printed.numbers} printed numbers of Tables II to IX come "
            f"out of the authors' scores digit for digit, and {printed.same} of {printed.verdicts} legible verdicts "
            f"are the same. With the slips repaired, {changes.changed} of all {changes.verdicts} verdicts change, and "
            f"CMCSL is significantly better than UNI in {wins.wins[REPAIRED]} instead of {wins.wins[AS_PUBLISHED]} of "
            f"{wins.rows[REPAIRED]} comparisons in Tables V, VI, VIII and IX. {_told_global(told)}")


def _told_global(told: dict[str, pd.DataFrame]) -> str:
    its = global_verdicts(told)
    its = its[its.table.isin([ROMAN[number] for number in COUNTED])]
    before, after = (int(its[name].str.split().map(lambda beaten: "UNI" in beaten).sum())
                     for name in ("as_published", "corrected"))
    return (f"In the rows of averaged ranks of these tables, each modality by itself, it is better than UNI in {after} "
            f"instead of {before} of {len(its)}.")


def f_test_variants(differences: np.ndarray) -> pd.DataFrame:
    """The combined F test of one list of differences, with each of its two slips, both and none.

    Parameters
    ----------
    differences : ndarray of shape (5, 2)
        By repetition and fold.

    Returns
    -------
    DataFrame
        statistics, F, p_value.
    """
    right = VARIANTS["corrected"]
    chosen = {"right": right, SLIPS["halves_paired"]: replace(right, halves_paired=False),
              SLIPS["full_denominator"]: replace(right, full_denominator=False),
              "both slips": replace(right, halves_paired=False, full_denominator=False)}
    return pd.DataFrame([(title, *combined_f_test(differences, each)) for title, each in chosen.items()],
                        columns=["statistics", "F", "p_value"])


def wilcoxon_variants(values: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon tests of every two methods, two-sided and one-sided, without Holm's correction.

    Parameters
    ----------
    values : DataFrame
        One row per dataset, one column per method.

    Returns
    -------
    DataFrame
        better, than, then the p-values two_sided, which is that of the pair, and one_sided.
    """
    uncorrected = replace(VARIANTS["corrected"], holm=False)
    two, one = (wilcoxon_p_values(values.to_numpy(), replace(uncorrected, two_sided=each)) for each in (True, False))
    return pd.DataFrame([(first, second, two[i, j], one[i, j]) for i, first in enumerate(values)
                         for j, second in enumerate(values) if i != j],
                        columns=["better", "than", "two_sided", "one_sided"])
