"""By which rule each claim of the paper is judged from scores and statistics; `published.paper_claims` has the words.

A rule is the same for every source and variant of the statistics: "most" means more than half, and significance is that
of the variant that is asked, at the level 0.05.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..experiments.published import AVERAGE_RANK
from ..files.errors import CmcslError
from ..method.preprocessing import PREPROCESSINGS
from .effects import gains
from .statistics import (
    ALPHA,
    Statistics,
    better_by_f_test,
    better_by_wilcoxon,
    can_be_significant,
    variant,
    wilcoxon_p_values,
)
from .tables import GROUPS, VERDICT, table

HOLDS, WEAKER, FAILS, CANNOT_TELL = VERDICTS = ("holds", "weaker", "fails", "cannot tell")
#: Differences of balanced accuracy up to this do not matter in practice.
CLOSE = 0.01
#: Budgets that "few seeds" and "many seeds" mean.
FEW, MANY = range(1, 6), range(16, 21)
#: The numbers behind a verdict, by what they are.
Numbers = dict[str, int | float]


class Source:
    """Scores of one source with one variant of the statistics: what a claim is judged by.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of the Experiments 1, 2 and 3 in one, the last with all three classifiers; a fit that
        experiments have in common stands there once. What is absent is left out.
    statistics : str or Statistics
    """

    def __init__(self, scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> None:
        self.scores, self.statistics = scores, statistics
        self._tables: dict[int, pd.DataFrame] = {}

    def rows(self, **values: str) -> pd.DataFrame:
        """Scores that hold the given values.

        Raises
        ------
        CmcslError
            If there are none.
        """
        scores = self.scores
        for column, value in values.items():
            scores = scores[scores[column] == value]
        if scores.empty:
            wanted = ", ".join(f"{column} {value}" for column, value in values.items())
            raise CmcslError(f"There are no scores with {wanted}.")
        return scores

    def experiment_3(self) -> pd.DataFrame:
        """Scores of the methods as Tables V and VI compare them."""
        return self.rows(preprocessing="L2STD", classifier="GNB")

    def table(self, number: int) -> pd.DataFrame:
        """A table of the paper, computed once."""
        if number not in self._tables:
            self._tables[number] = table(number, self.scores, self.statistics)
        return self._tables[number]

    def dataset_rows(self, number: int) -> pd.DataFrame:
        """Rows of datasets, or of budgets, of one of the Tables II to IX."""
        rows = self.table(number)
        return rows[rows["budget" if "budget" in rows else "dataset"] != AVERAGE_RANK]

    def rank_rows(self, number: int, **keys: str) -> pd.DataFrame:
        """Rows of averaged ranks of one of the Tables II to VII.

        Raises
        ------
        CmcslError
            If they stand for so few datasets that no test could be significant.
        """
        rows = self.table(number)
        for key, value in keys.items():
            rows = rows[rows[key] == value]
        ranks = rows.dataset == AVERAGE_RANK
        check_enough("datasets", rows[~ranks].dataset.nunique(), sum(name.endswith(VERDICT) for name in rows))
        return rows[ranks]


Rule = Callable[[Source], tuple[str, Numbers]]


def graded(holds: bool, weaker: bool) -> str:
    """Holds, else weaker, else fails."""
    return HOLDS if holds else WEAKER if weaker else FAILS


def check_enough(what: str, count: int, methods: int) -> None:
    """Raise if a two-sided Wilcoxon test over so many rows, with Holm's correction, can't be significant."""
    if not can_be_significant(count, methods * (methods - 1) // 2):
        raise CmcslError(f"Too few {what} ({count}) for a test of {methods} methods.")


def most(count: int, of: int) -> bool:
    """Whether it is more than half."""
    return 2 * count > of


def beats(rows: pd.DataFrame, name: str, other: str) -> np.ndarray:
    """In which rows of a table one column is significantly better than another."""
    return np.array([verdict == "all" or other in verdict.split() for verdict in rows[name + VERDICT]], dtype=bool)


def rank_numbers(rows: pd.DataFrame, names: list[str], keys: tuple[str, ...] = ("modality",)) -> Numbers:
    """Averaged ranks of rows by their keys, for example rank_GNB_visual."""
    return {
        "_".join(["rank", name, *(row[key] for key in keys)]): float(row[name])
        for _, row in rows.iterrows()
        for name in names
    }


def best(name: str, number: int, **keys: str) -> Rule:
    """Whether a column of a table is the best over datasets."""

    def rule(source: Source) -> tuple[str, Numbers]:
        rows = source.rank_rows(number, **keys)
        names = [column for column in rows if column + VERDICT in rows]
        highest = int((rows[name] == rows[names].max(axis=1)).sum())
        significant = int((rows[name + VERDICT] == "all").sum())
        return (
            graded(significant == len(rows), highest == len(rows) or significant > 0),
            {"rows": len(rows), "highest": highest, "significantly_best": significant} | rank_numbers(rows, names),
        )

    return rule


def gnb_and_lr(source: Source) -> tuple[str, Numbers]:
    """Whether GNB and LR differ on binary datasets."""
    rows = source.rank_rows(2, group="binary")
    different = int((beats(rows, "GNB", "LR") | beats(rows, "LR", "GNB")).sum())
    return (
        graded(different == 0, different < len(rows)),
        {"rows": len(rows), "different": different} | rank_numbers(rows, ["GNB", "LR"]),
    )


def cart_worst(source: Source) -> tuple[str, Numbers]:
    """Whether GNB and LR are better than CART in both groups."""
    rows = pd.concat([source.rank_rows(2, group=group) for group in GROUPS])
    significant = int((beats(rows, "GNB", "CART") & beats(rows, "LR", "CART")).sum())
    lowest = int((rows.CART < rows[["GNB", "LR"]].min(axis=1)).sum())
    return (
        graded(significant == len(rows), lowest == len(rows)),
        {"rows": len(rows), "lowest": lowest, "significantly_worst": significant},
    )


def one_sided(preprocessing: str, modality: str) -> Rule:
    """Whether all labels come from one modality: there CMCSL's classifiers score exactly as UNI's."""

    def rule(source: Source) -> tuple[str, Numbers]:
        scores = source.rows(preprocessing=preprocessing, classifier="GNB", modality=modality)
        fits = scores.pivot(
            index=["dataset", "budget", "repetition", "fold"], columns="method", values="balanced_accuracy"
        )[["UNI", "CMCSL"]].dropna()
        difference = (fits.UNI - fits.CMCSL).abs()
        equal, close = float((difference == 0).mean()), float((difference <= CLOSE).mean())
        return graded(equal >= 0.95, close > 0.5), {"fits": len(fits), "share_equal": equal, "share_close": close}

    return rule


def standardising_harms(source: Source) -> tuple[str, Numbers]:
    """Whether STD alone is worse than no preprocessing."""
    rows = pd.concat([source.rank_rows(number) for number in (3, 4)])
    significant, lower = int(beats(rows, "RAW", "STD").sum()), int((rows.STD < rows.RAW).sum())
    return (
        graded(significant == len(rows), lower == len(rows)),
        {"rows": len(rows), "lower": lower, "significantly_lower": significant},
    )


def only_l2std(source: Source) -> tuple[str, Numbers]:
    """Which preprocessings let CMCSL improve on UNI in both modalities."""
    gain = gains(source.rows(classifier="GNB"), ["preprocessing"])
    gain = gain.pivot_table(index="preprocessing", columns="modality", values="gain").reindex(PREPROCESSINGS).round(3)
    if gain.isna().any(axis=None):
        raise CmcslError(f"Scores with {', '.join(PREPROCESSINGS)} are needed.")
    both = gain.index[(gain > 0).all(axis=1)].tolist()
    return (
        graded(both == ["L2STD"], "L2STD" in both),
        {
            f"gain_{name}_{modality}": float(gain.loc[name, modality])
            for name in PREPROCESSINGS
            for modality in MODALITIES
        },
    )


def weaker_helps(source: Source) -> tuple[str, Numbers]:
    """Whether labels of the modality that is weaker under full labels raise the stronger one."""
    higher, significant, number = 0, 0, 0
    for preprocessing, labels in (("RAW", "text"), ("L2", "visual")):
        scores = source.rows(preprocessing=preprocessing, classifier="GNB")
        full = scores[scores.method == "FULL"].pivot_table(
            index="dataset", columns="modality", values="balanced_accuracy"
        )
        other = next(each for each in MODALITIES if each != labels)
        for dataset in full.index[full[labels] < full[other]]:
            part = scores[(scores.dataset == dataset) & (scores.modality == other)]
            folds = part.groupby(["method", "repetition", "fold"]).balanced_accuracy.mean()
            pair = np.stack([folds[method].to_numpy().reshape(5, 2) for method in ("CMCSL", "UNI")])
            higher += int(pair[0].mean() > pair[1].mean())
            significant += int(better_by_f_test(pair, source.statistics)[0, 1])
            number += 1
    if not number:
        raise CmcslError("In no dataset do the labels come from the weaker modality.")
    return (
        graded(significant > 0, higher > 0),
        {"datasets": number, "higher": higher, "significantly_higher": significant},
    )


def over_all_datasets(source: Source) -> tuple[str, Numbers]:
    """CMCSL against UNI over all datasets of both groups."""
    means = gains(source.experiment_3())
    check_enough("datasets", means.dataset.nunique(), 2)
    pooled = not variant(source.statistics).modalities_apart
    parts = {"both": means} if pooled else dict(list(means.groupby("modality", sort=False)))
    better, numbers = [], {}
    for name, part in parts.items():
        values = part[["UNI", "CMCSL"]].to_numpy()
        better.append(better_by_wilcoxon(values, source.statistics)[1, 0])
        numbers |= {
            f"gain_{name}": float(part.gain.mean()),
            f"above_{name}": int((part.gain > 0).sum()),
            f"rows_{name}": len(part),
            f"p_value_{name}": float(wilcoxon_p_values(values, source.statistics)[1, 0]),
        }
    return graded(all(better), any(better)), numbers


def tends_higher(source: Source) -> tuple[str, Numbers]:
    """CMCSL against UNI within binary datasets."""
    rows = source.dataset_rows(5)
    above = {name: int((part.CMCSL > part.UNI).sum()) for name, part in rows.groupby("modality")}
    datasets = len(rows) // 2
    return (
        graded(all(most(count, datasets) for count in above.values()), most(sum(above.values()), len(rows))),
        {"datasets": datasets}
        | {f"above_{name}": above[name] for name in MODALITIES}
        | {"significantly_above": int(beats(rows, "CMCSL", "UNI").sum())},
    )


def visual_multiclass(source: Source) -> tuple[str, Numbers]:
    """CMCSL against both others within multiclass datasets, visual modality."""
    rows = source.dataset_rows(6).query("modality == 'visual'")
    significant = int((rows["CMCSL" + VERDICT] == "all").sum())
    highest = int((rows.CMCSL > rows[["PRE", "UNI"]].max(axis=1)).sum())
    return (
        graded(most(significant, len(rows)), most(highest, len(rows))),
        {
            "datasets": len(rows),
            "highest": highest,
            "significantly_above_UNI": int(beats(rows, "CMCSL", "UNI").sum()),
            "significantly_best": significant,
        },
    )


def where_fusion_harms(source: Source) -> tuple[str, Numbers]:
    """CMCSL against UNI, visual, in datasets where a fusion is below the better modality alone."""
    rows = pd.concat([source.dataset_rows(number) for number in (5, 6)])
    wide = rows.pivot(index="dataset", columns="modality", values=["FULL", "EF", "LF", "CMCSL", "UNI"])
    alone = wide["FULL"].max(axis=1)
    harmed = (wide["EF"].visual < alone) | (wide["LF"].visual < alone)
    if not harmed.any():
        raise CmcslError("In no dataset is a fusion below the better modality alone.")
    above, number = int((wide["CMCSL"].visual > wide["UNI"].visual)[harmed].sum()), int(harmed.sum())
    return graded(most(above, number), above > 0), {"datasets": number, "above": above}


def no_gain(classifier: str) -> Rule:
    """Whether a classifier gains nothing from the exchange."""

    def rule(source: Source) -> tuple[str, Numbers]:
        rows = pd.concat([source.rank_rows(7, group=group, classifier=classifier) for group in GROUPS])
        wins = int(beats(rows, "CMCSL", "UNI").sum())
        return (
            graded(wins == 0, not most(wins, len(rows))),
            {"rows": len(rows), "significantly_above": wins}
            | rank_numbers(rows, ["UNI", "CMCSL"], ("group", "modality")),
        )

    return rule


def by_budget(number: int, modality: str) -> Rule:
    """CMCSL against UNI, budget by budget, averaged over datasets."""

    def rule(source: Source) -> tuple[str, Numbers]:
        numbers = budget_numbers(source, number, modality)
        return (
            graded(
                most(numbers["significantly_above"], numbers["budgets"]), most(numbers["above"], numbers["budgets"])
            ),
            numbers,
        )

    return rule


def budget_numbers(source: Source, number: int, modality: str) -> Numbers:
    """At how many budgets CMCSL is above UNI in Table VIII or IX, and at how many significantly."""
    rows = source.dataset_rows(number)
    return {
        "budgets": len(rows),
        "above": int((rows[f"{modality}_CMCSL"] > rows[f"{modality}_UNI"]).sum()),
        "significantly_above": int(beats(rows, f"{modality}_CMCSL", "UNI").sum()),
    }


def text_over_budgets(source: Source) -> tuple[str, Numbers]:
    """Table IX, text: not within budgets, but over them."""
    numbers = budget_numbers(source, 9, "text")
    check_enough("budgets", numbers["budgets"], 3)
    over = bool(beats(source.table(9).query("budget == @AVERAGE_RANK"), "text_CMCSL", "UNI").item())
    return (graded(over, most(numbers["above"], numbers["budgets"])), numbers | {"significant_over_budgets": int(over)})


def few_seeds(source: Source) -> tuple[str, Numbers]:
    """The gain at few seeds against that at many."""
    gain = gains(source.experiment_3(), ["budget"])
    few, many = (
        gain[gain.budget.isin(budgets)].groupby("modality").gain.mean().reindex(MODALITIES) for budgets in (FEW, MANY)
    )
    if few.isna().any() or many.isna().any():
        raise CmcslError(f"Scores at {FEW[0]} to {FEW[-1]} and at {MANY[0]} to {MANY[-1]} seeds per class are needed.")
    larger = (few > 0) & (few > many)
    return (
        graded(larger.all(), larger.any()),
        {
            f"gain_{name}_{when}": float(part[name])
            for name in MODALITIES
            for when, part in (("few_seeds", few), ("many_seeds", many))
        },
    )


def modality_gains(source: Source) -> pd.DataFrame:
    """The gain of every dataset, one column per modality."""
    gain = gains(source.experiment_3())
    return gain.pivot(index="dataset", columns="modality", values="gain")[list(MODALITIES)]


def visual_gains_more(source: Source) -> tuple[str, Numbers]:
    """The gain in the visual modality against that in text."""
    gain = modality_gains(source)
    check_enough("datasets", len(gain), 2)
    p_value = float(wilcoxon_p_values(gain.to_numpy(), source.statistics)[0, 1])
    larger = gain.visual.mean() > gain.text.mean()
    return (
        graded(larger and p_value < ALPHA, larger),
        {
            "gain_visual": float(gain.visual.mean()),
            "gain_text": float(gain.text.mean()),
            "datasets": len(gain),
            "visual_gains_more": int((gain.visual > gain.text).sum()),
            "p_value": p_value,
        },
    )


def both_gain(source: Source) -> tuple[str, Numbers]:
    """Datasets in which both modalities gain."""
    gain = modality_gains(source)
    both = int((gain > 0).all(axis=1).sum())
    return graded(most(both, len(gain)), both > 0), {"datasets": len(gain), "both_gain": both}


def text_is_stronger(source: Source) -> tuple[str, Numbers]:
    """FULL in text against FULL in images."""
    scores = source.rows(preprocessing="L2STD", classifier="GNB", method="FULL")
    full = scores.pivot_table(index="dataset", columns="modality", values="balanced_accuracy")
    stronger = int((full.text > full.visual).sum())
    return (
        graded(stronger == len(full), most(stronger, len(full))),
        {
            "datasets": len(full),
            "text_stronger": stronger,
            "mean_text": float(full.text.mean()),
            "mean_visual": float(full.visual.mean()),
        },
    )


#: The rule of every claim, by its name in ``data/paper/claims.csv``.
RULES: dict[str, Rule] = {
    "gnb-multiclass": best("GNB", 2, group="multiclass"),
    "gnb-binary": gnb_and_lr,
    "cart-worst": cart_worst,
    "text-stronger": text_is_stronger,
    "l2std-binary": best("L2STD", 3),
    "l2std-multiclass": best("L2STD", 4),
    "raw-text": one_sided("RAW", "text"),
    "l2-visual": one_sided("L2", "visual"),
    "std-harms": standardising_harms,
    "only-l2std": only_l2std,
    "weaker-helps": weaker_helps,
    "cmcsl-binary": best("CMCSL", 5),
    "cmcsl-multiclass": best("CMCSL", 6),
    "rq2": over_all_datasets,
    "binary-tends": tends_higher,
    "visual-multiclass": visual_multiclass,
    "fusion-harms": where_fusion_harms,
    "budgets-binary-visual": by_budget(8, "visual"),
    "budgets-binary-text": by_budget(8, "text"),
    "budgets-multiclass-visual": by_budget(9, "visual"),
    "budgets-multiclass-text": text_over_budgets,
    "few-seeds": few_seeds,
    "visual-gains-more": visual_gains_more,
    "both-gain": both_gain,
    "lr-no-gain": no_gain("LR"),
    "cart-no-gain": no_gain("CART"),
}
