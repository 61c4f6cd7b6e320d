"""By which rule each claim of the paper is judged from scores and statistics; `published.paper_claims` has the words.

A rule is the same for every source and variant of the statistics: "most" means more than half, and significance is that
of the chosen variant, at the level 0.05. It says what is not so (CMCSL significantly worse) as well as what is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..experiments.published import AVERAGE_RANK
from ..files.errors import CmcslError
from ..method.preprocessing import PREPROCESSINGS
from .effects import FIT, gains, halves_compared, same, share_unprocessed
from .labels import WITH_SEEDS
from .statistics import (
    ALPHA,
    Statistics,
    better_by_wilcoxon,
    can_be_significant,
    variant,
    wilcoxon_p_values,
)
from .tables import GROUPS, VERDICT, better_rows, better_within, dataset_rows, paper_table

#: Weaker: the direction is right, but not the strength or the significance. Mixed: true of one modality or group of
#: datasets, while the opposite is true of another. Not testable: the scores say nothing on the claim.
HOLDS, WEAKER, MIXED, FAILS, NOT_TESTABLE = VERDICTS = ("holds", "weaker", "mixed", "fails", "not testable")
#: A sign for each, which says the same without colour.
SIGNS = dict(zip(VERDICTS, "✓≈±✗?", strict=True))
#: Differences of balanced accuracy up to this do not matter in practice.
CLOSE = 0.01
#: Budgets that "few seeds" and "many seeds" mean.
FEW, MANY = range(1, 6), range(16, 21)


class Source:
    """Scores of one source with one variant of the statistics: what a claim is judged by.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of the Experiments 1, 2 and 3 in one, the last with all three classifiers; a fit that
        experiments have in common stands there once. What is absent is left out.
    statistics : {"corrected", "published"} or Statistics
    """

    def __init__(self, scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> None:
        self.scores, self.statistics = scores, variant(statistics)
        self._tables: dict[int, pd.DataFrame] = {}

    def rows(self, **values: str) -> pd.DataFrame:
        """Scores that hold the given values; raises `CmcslError` if there are none."""
        scores = self.scores
        for column, value in values.items():
            scores = scores[scores[column] == value]
        if scores.empty:
            wanted = ", ".join(f"{column} {value}" for column, value in values.items())
            raise CmcslError(f"There are no scores with {wanted}.")
        return scores

    def gains(self, *by: str) -> pd.DataFrame:
        """`effects.gains` of the scores that Tables V and VI compare."""
        return gains(self.rows(preprocessing="L2STD", classifier="GNB"), by)

    def gains_by_modality(self) -> pd.DataFrame:
        """The gain of every dataset, one column per modality."""
        return self.gains().pivot(index="dataset", columns="modality", values="gain")[list(MODALITIES)]

    def table(self, number: int) -> pd.DataFrame:
        """A table of the paper, computed once."""
        if number not in self._tables:
            self._tables[number] = paper_table(number, self.scores, self.statistics)
        return self._tables[number]

    def rank_rows(self, number: int, **keys: str) -> pd.DataFrame:
        """Rows of averaged ranks of one of the Tables II to VII, if a test over so many datasets can be significant."""
        rows = self.table(number)
        for key, value in keys.items():
            rows = rows[rows[key] == value]
        methods = sum(name.endswith(VERDICT) for name in rows)
        _check_enough("datasets", dataset_rows(rows).dataset.nunique(), methods)
        return rows[rows.dataset == AVERAGE_RANK]


#: Numbers behind a verdict by their names, for example rank_GNB_visual.
Numbers = dict[str, Any]
#: The verdict on a claim, and the numbers behind it.
Rule = Callable[[Source], tuple[str, Numbers]]


def _verdict(holds: bool, weaker: bool, mixed: bool = False) -> str:
    return HOLDS if holds else MIXED if mixed else WEAKER if weaker else FAILS


def _check_enough(what: str, count: int, methods: int) -> None:
    if not can_be_significant(count, methods * (methods - 1) // 2):
        raise CmcslError(f"Too few {what} ({count}) for a test of {methods} methods.")


def _rank_numbers(rows: pd.DataFrame, names: list[str], keys: tuple[str, ...] = ("modality",)) -> Numbers:
    return {"_".join(["rank", name, *row[list(keys)]]): row[name] for _, row in rows.iterrows() for name in names}


def _best(source: Source, name: str, number: int, **keys: str) -> tuple[str, Numbers]:
    """Whether a column of a table is the best over datasets."""
    rows = source.rank_rows(number, **keys)
    names = [column for column in rows if column + VERDICT in rows]
    highest, significant = (rows[name] == rows[names].max(axis=1)).sum(), (rows[name + VERDICT] == "all").sum()
    worse = np.any([better_rows(rows, other, name) for other in names if other != name], axis=0).sum()
    numbers = {"rows": len(rows), "highest": highest, "significantly_best": significant, "significantly_worse": worse}
    verdict = _verdict(
        significant == len(rows), highest == len(rows) or significant > 0, mixed=significant > 0 and worse > 0
    )
    return verdict, numbers | _rank_numbers(rows, names)


def _gnb_and_lr(source: Source) -> tuple[str, Numbers]:
    """Whether GNB and LR do not differ on binary datasets."""
    rows = source.rank_rows(2, group="binary")
    different = (better_rows(rows, "GNB", "LR") | better_rows(rows, "LR", "GNB")).sum()
    numbers = {"rows": len(rows), "different": different}
    return _verdict(different == 0, different < len(rows)), numbers | _rank_numbers(rows, ["GNB", "LR"])


def _cart_worst(source: Source) -> tuple[str, Numbers]:
    """Whether GNB and LR are better than CART in both groups."""
    rows = pd.concat([source.rank_rows(2, group=group) for group in GROUPS])
    significant = (better_rows(rows, "GNB", "CART") & better_rows(rows, "LR", "CART")).sum()
    better = (better_rows(rows, "CART", "GNB") | better_rows(rows, "CART", "LR")).sum()
    lowest = (rows.CART < rows[["GNB", "LR"]].min(axis=1)).sum()
    numbers = {"rows": len(rows), "lowest": lowest, "significantly_worst": significant, "significantly_better": better}
    mixed = significant > 0 and better > 0
    return _verdict(significant == len(rows), lowest == len(rows), mixed), numbers


def _with_all_labels(source: Source, method: str) -> pd.DataFrame:
    """Balanced accuracy of naive Bayes by one method, one row per dataset and one column per modality."""
    scores = source.rows(preprocessing="L2STD", classifier="GNB", method=method)
    return scores.pivot_table(index="dataset", columns="modality", values="balanced_accuracy")


def _text_stronger(source: Source) -> tuple[str, Numbers]:
    """Whether FULL is higher in text than in images."""
    full = _with_all_labels(source, "FULL")
    stronger, datasets = (full.text > full.visual).sum(), len(full)
    means = {"mean_text": full.text.mean(), "mean_visual": full.visual.mean()}
    numbers = {"datasets": datasets, "text_stronger": stronger} | means
    return _verdict(stronger == datasets, 2 * stronger > datasets), numbers


def _joined_space(source: Source) -> tuple[str, Numbers]:
    """Whether, with all labels, a classifier of the joined features is worse than that of the better modality."""
    better = _with_all_labels(source, "FULL").max(axis=1)
    means = pd.DataFrame({"better": better, "joined": _with_all_labels(source, "EF")["both"]}).dropna()
    _check_enough("datasets", len(means), 2)
    difference = means.joined - means.better
    numbers = {
        "datasets": len(means),
        "joined_below": (difference < 0).sum(),
        "mean_joined": means.joined.mean(),
        "mean_better_modality": means.better.mean(),
        "p_value": wilcoxon_p_values(means.to_numpy(), source.statistics)[0, 1],
    }
    holds = difference.mean() < 0 and numbers["p_value"] < ALPHA
    return _verdict(holds, 2 * numbers["joined_below"] > len(means)), numbers


def _one_sided(source: Source, preprocessing: str, modality: str) -> tuple[str, Numbers]:
    """Whether all labels come from one modality: there CMCSL's classifiers score exactly as UNI's."""
    arm = {"preprocessing": preprocessing, "classifier": "GNB", "modality": modality}
    scores = pd.concat([source.rows(method=method, **arm) for method in ("UNI", "CMCSL")])
    compared = halves_compared(scores, "CMCSL", "UNI")
    if compared is None:
        fits = scores.pivot(index=FIT, columns="method", values="balanced_accuracy").dropna()
        counts = len(fits), same(fits.UNI, fits.CMCSL).sum(), ((fits.UNI - fits.CMCSL).abs() <= CLOSE).sum()
    else:
        counts = tuple(compared[["fits", "equal", "close"]].sum())
    fits, equal, close = counts[0], counts[1] / counts[0], counts[2] / counts[0]
    return _verdict(equal >= 0.95, close > 0.5), {"fits": fits, "share_equal": equal, "share_close": close}


def _std_harms(source: Source) -> tuple[str, Numbers]:
    """Whether STD alone is worse than no preprocessing."""
    rows = pd.concat([source.rank_rows(number) for number in (3, 4)])
    significant, lower = better_rows(rows, "RAW", "STD").sum(), (rows.STD < rows.RAW).sum()
    higher = better_rows(rows, "STD", "RAW").sum()
    numbers = {"rows": len(rows), "lower": lower, "significantly_lower": significant, "significantly_higher": higher}
    mixed = significant > 0 and higher > 0
    return _verdict(significant == len(rows), lower == len(rows), mixed), numbers


def _only_l2std(source: Source) -> tuple[str, Numbers]:
    """Whether only L2STD lets CMCSL improve on UNI in both modalities."""
    gain = gains(source.rows(classifier="GNB"), ["preprocessing"])
    gain = gain.pivot_table(index="preprocessing", columns="modality", values="gain").reindex(PREPROCESSINGS).round(3)
    if gain.isna().any(axis=None):
        raise CmcslError(f"Scores with {', '.join(PREPROCESSINGS)} are needed.")
    both = gain.index[(gain > 0).all(axis=1)].tolist()
    numbers = {f"gain_{name}_{modality}": gain.loc[name, modality] for name in gain.index for modality in MODALITIES}
    return _verdict(both == ["L2STD"], "L2STD" in both), numbers


def _weaker_helps(source: Source) -> tuple[str, Numbers]:
    """Whether labels of the modality that is weaker under full labels raise the stronger one."""
    higher = lower = significant = datasets = 0
    for preprocessing, labels, other in (("RAW", "text", "visual"), ("L2", "visual", "text")):
        scores = source.rows(preprocessing=preprocessing, classifier="GNB")
        full = scores[scores.method == "FULL"].pivot_table(
            index="dataset", columns="modality", values="balanced_accuracy"
        )
        for dataset in full.index[full[labels] < full[other]]:
            part = scores[(scores.dataset == dataset) & (scores.modality == other)]
            folds = part.pivot_table("balanced_accuracy", ["method", "repetition"], "fold")
            pair = np.stack([folds.loc[method].to_numpy() for method in ("CMCSL", "UNI")])
            higher += pair[0].mean() > pair[1].mean()
            arm = {"preprocessing": preprocessing, "classifier": "GNB"}
            test = [(dataset, other, "all")]
            better = better_within(pair, source.statistics, test, "method", ("CMCSL", "UNI"), **arm)
            significant += better[0, 1]
            lower += better[1, 0]
            datasets += 1
    if not datasets:
        raise CmcslError("In no dataset do the labels come from the weaker modality.")
    numbers = {"datasets": datasets, "higher": higher, "significantly_higher": significant}
    numbers["significantly_lower"] = lower
    return _verdict(significant > lower == 0, higher > 0, mixed=significant > 0), numbers


def _over_all_datasets(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is better than UNI over all datasets of both groups, and by more than does not matter."""
    means = source.gains()
    _check_enough("datasets", means.dataset.nunique(), 2)
    apart = source.statistics.modalities_apart
    better, worse, matters = [], [], []
    numbers: Numbers = {}
    for name, part in means.groupby("modality", sort=False) if apart else [("both", means)]:
        values = part[["UNI", "CMCSL"]].to_numpy()
        significant = better_by_wilcoxon(values, source.statistics)
        better.append(significant[1, 0])
        worse.append(significant[0, 1])
        matters.append(part.gain.mean() > CLOSE)
        numbers |= {
            f"gain_{name}": part.gain.mean(),
            f"above_{name}": (part.gain > 0).sum(),
            f"rows_{name}": len(part),
            f"p_value_{name}": wilcoxon_p_values(values, source.statistics)[1, 0],
        }
    return _verdict(all(better) and all(matters), any(better), mixed=any(better) and any(worse)), numbers


def _binary_tends(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is above UNI in most binary datasets."""
    rows = dataset_rows(source.table(5))
    above, datasets = (rows.CMCSL > rows.UNI).groupby(rows.modality).sum(), len(rows) // 2
    numbers = {"datasets": datasets} | {f"above_{name}": above[name] for name in MODALITIES}
    numbers["significantly_above"] = better_rows(rows, "CMCSL", "UNI").sum()
    most, fewest = 2 * above > datasets, 2 * above < datasets
    return _verdict(most.all(), 2 * above.sum() > len(rows), mixed=most.any() and fewest.any()), numbers


def _visual_multiclass(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is better than both others within most multiclass datasets, visual modality."""
    rows = dataset_rows(source.table(6)).query("modality == 'visual'")
    numbers = {
        "datasets": len(rows),
        "highest": (rows.CMCSL > rows[["PRE", "UNI"]].max(axis=1)).sum(),
        "significantly_above_UNI": better_rows(rows, "CMCSL", "UNI").sum(),
        "significantly_below_UNI": better_rows(rows, "UNI", "CMCSL").sum(),
        "significantly_best": (rows["CMCSL" + VERDICT] == "all").sum(),
    }
    mixed = numbers["significantly_above_UNI"] > 0 and numbers["significantly_below_UNI"] > 0
    holds = 2 * numbers["significantly_best"] > len(rows) and not mixed
    return _verdict(holds, 2 * numbers["highest"] > len(rows), mixed), numbers


def _fusion_harms(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is above UNI, visual, in datasets where a fusion is below the better modality alone."""
    rows = pd.concat([dataset_rows(source.table(number)) for number in (5, 6)])
    wide = rows.pivot(index="dataset", columns="modality", values=["FULL", "EF", "LF", "CMCSL", "UNI"])
    alone = wide["FULL"].max(axis=1)
    harmed = wide[(wide["EF"].visual < alone) | (wide["LF"].visual < alone)]
    if harmed.empty:
        raise CmcslError("In no dataset is a fusion below the better modality alone.")
    above = (harmed["CMCSL"].visual > harmed["UNI"].visual).sum()
    return _verdict(2 * above > len(harmed), False, mixed=above > 0), {"datasets": len(harmed), "above": above}


def _no_gain(source: Source, classifier: str) -> tuple[str, Numbers]:
    """Whether a classifier gains nothing from the exchange, where it was trained on the labels of L2STD."""
    rows = pd.concat([source.rank_rows(7, group=group, classifier=classifier) for group in GROUPS])
    _check_preprocessed(source, classifier)
    wins, losses = better_rows(rows, "CMCSL", "UNI").sum(), better_rows(rows, "UNI", "CMCSL").sum()
    numbers = {"rows": len(rows), "significantly_above": wins, "significantly_below": losses}
    numbers |= _rank_numbers(rows, ["UNI", "CMCSL"], ("group", "modality"))
    return _verdict(wins == 0, 2 * wins <= len(rows), mixed=losses > 0), numbers


def _check_preprocessed(source: Source, classifier: str) -> None:
    """Raise `CmcslError` if the scores of L2STD are those without preprocessing, whose labels are others."""
    scores = source.rows(classifier=classifier, method="FULL")
    shares = [share_unprocessed(part) for _, part in scores.groupby("modality")]
    if np.min(shares) > 0.5:
        raise CmcslError(
            f"In at least {min(shares):.1%} of folds FULL scores with {classifier} as it does without preprocessing: "
            f"{classifier} was trained on other labels than GNB."
        )


def _by_budget(source: Source, number: int, modality: str) -> tuple[str, Numbers]:
    """Whether CMCSL is better than UNI at most budgets, averaged over datasets."""
    rows = dataset_rows(source.table(number))
    above = (rows[f"{modality}_CMCSL"] > rows[f"{modality}_UNI"]).sum()
    significant = better_rows(rows, f"{modality}_CMCSL", "UNI").sum()
    numbers = {"budgets": len(rows), "above": above, "significantly_above": significant}
    below = numbers["significantly_below"] = better_rows(rows, f"{modality}_UNI", "CMCSL").sum()
    mixed = significant > 0 and below > 0
    return _verdict(2 * significant > len(rows) and not mixed, 2 * above > len(rows), mixed), numbers


def _text_over_budgets(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is better than UNI in the text of Table IX: not within budgets, but over them."""
    _, numbers = _by_budget(source, 9, "text")
    _check_enough("budgets", numbers["budgets"], 3)
    over = better_rows(source.table(9).query("budget == @AVERAGE_RANK"), "text_CMCSL", "UNI").item()
    numbers["significant_over_budgets"] = int(over)
    return _verdict(over, 2 * numbers["above"] > numbers["budgets"]), numbers


def _few_seeds(source: Source) -> tuple[str, Numbers]:
    """Whether the gain at few seeds is larger than that at many."""
    gain = source.gains("budget")
    few, many = (
        gain[gain.budget.isin(budgets)].groupby("modality").gain.mean().reindex(MODALITIES) for budgets in (FEW, MANY)
    )
    if few.isna().any() or many.isna().any():
        raise CmcslError(f"Scores at {FEW[0]} to {FEW[-1]} and at {MANY[0]} to {MANY[-1]} seeds per class are needed.")
    larger = (few > 0) & (few > many)
    numbers: Numbers = {}
    for name in MODALITIES:
        numbers |= {f"gain_{name}_few_seeds": few[name], f"gain_{name}_many_seeds": many[name]}
    return _verdict(larger.all(), False, mixed=larger.any()), numbers


def _visual_gains_more(source: Source) -> tuple[str, Numbers]:
    """Whether the gain in the visual modality is larger than that in text."""
    gain = source.gains_by_modality()
    _check_enough("datasets", len(gain), 2)
    numbers = {
        "gain_visual": gain.visual.mean(),
        "gain_text": gain.text.mean(),
        "datasets": len(gain),
        "visual_gains_more": (gain.visual > gain.text).sum(),
        "p_value": wilcoxon_p_values(gain.to_numpy(), source.statistics)[0, 1],
    }
    larger = numbers["gain_visual"] > numbers["gain_text"]
    return _verdict(larger and numbers["p_value"] < ALPHA, larger), numbers


def _both_gain(source: Source) -> tuple[str, Numbers]:
    """Whether both modalities gain in most datasets."""
    gain = source.gains_by_modality()
    both = (gain > 0).all(axis=1).sum()
    return _verdict(2 * both > len(gain), both > 0), {"datasets": len(gain), "both_gain": both}


def _every_label(source: Source) -> tuple[str, Numbers]:
    """Whether CMCSL is better, in text, than a classifier that is trained on all labels that CMCSL's features took."""
    scores = source.rows(preprocessing="L2STD", classifier="GNB", modality="text")
    taught = source.rows(method=WITH_SEEDS)
    compared = scores[scores.method.isin(["CMCSL", WITH_SEEDS]) & scores.budget.isin(taught.budget)]
    means = compared.pivot_table(index="dataset", columns="method", values="balanced_accuracy")
    means = means.reindex(columns=["CMCSL", WITH_SEEDS]).dropna()
    _check_enough("datasets", len(means), 2)
    difference = means.CMCSL - means[WITH_SEEDS]
    numbers = {
        "gain": difference.mean(),
        "above": (difference > 0).sum(),
        "datasets": len(means),
        "p_value": wilcoxon_p_values(means.to_numpy(), source.statistics)[0, 1],
        "mean_labels": taught.n_labels.mean(),
    }
    holds = numbers["gain"] > 0 and numbers["p_value"] < ALPHA
    return _verdict(holds, 2 * numbers["above"] > len(means)), numbers


#: The rule of every claim, by its name in ``data/paper/claims.csv``.
RULES: dict[str, Rule] = {
    "gnb-multiclass": partial(_best, name="GNB", number=2, group="multiclass"),
    "gnb-binary": _gnb_and_lr,
    "cart-worst": _cart_worst,
    "text-stronger": _text_stronger,
    "joined-space": _joined_space,
    "l2std-binary": partial(_best, name="L2STD", number=3),
    "l2std-multiclass": partial(_best, name="L2STD", number=4),
    "raw-text": partial(_one_sided, preprocessing="RAW", modality="text"),
    "l2-visual": partial(_one_sided, preprocessing="L2", modality="visual"),
    "std-harms": _std_harms,
    "only-l2std": _only_l2std,
    "weaker-helps": _weaker_helps,
    "cmcsl-binary": partial(_best, name="CMCSL", number=5),
    "cmcsl-multiclass": partial(_best, name="CMCSL", number=6),
    "rq2": _over_all_datasets,
    "binary-tends": _binary_tends,
    "visual-multiclass": _visual_multiclass,
    "fusion-harms": _fusion_harms,
    "budgets-binary-visual": partial(_by_budget, number=8, modality="visual"),
    "budgets-binary-text": partial(_by_budget, number=8, modality="text"),
    "budgets-multiclass-visual": partial(_by_budget, number=9, modality="visual"),
    "budgets-multiclass-text": _text_over_budgets,
    "few-seeds": _few_seeds,
    "visual-gains-more": _visual_gains_more,
    "both-gain": _both_gain,
    "every-label": _every_label,
    "lr-no-gain": partial(_no_gain, classifier="LR"),
    "cart-no-gain": partial(_no_gain, classifier="CART"),
}


def judge(name: str, source: Source) -> tuple[str, dict[str, int | float], str]:
    """Verdict on one claim, the numbers behind it, and the reason where the source cannot test it.

    Parameters
    ----------
    name : str
        Of the claim, one of `RULES`.
    source : Source
        What it is judged by.

    Returns
    -------
    verdict : {"holds", "weaker", "mixed", "fails", "not testable"}
        One of `VERDICTS`, which says what they mean.
    evidence : dict of str to int or float
        Empty where the claim is not testable.
    reason : str
        Empty where it is.
    """
    try:
        verdict, numbers = RULES[name](source)
    except CmcslError as error:
        return NOT_TESTABLE, {}, str(error)
    return (
        verdict,
        {key: value.item() if isinstance(value, np.generic) else value for key, value in numbers.items()},
        "",
    )
