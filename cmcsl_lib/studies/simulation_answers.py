"""What the map of the simulation says, as tables and computed sentences: where CMCSL helps, where it loses, and why.

A gain counts as one, or as a loss, where it is more than twice its standard error away from zero.
"""

from collections.abc import Sequence

import pandas as pd

from ..features import MODALITIES
from .placement import MEAN, agreement

SURE = 2.0
#: Gains of the map, and what they are called.
OUTCOMES = {"visual": "over UNI, visual", "text": "over UNI, text", "better": "over UNI, better modality",
            "ef": "over early fusion", "lf": "over late fusion"}
SIDES = ("weaker", "stronger")


def world(table: pd.DataFrame, geometry: str = "openclipart", rows: int = 100, **choices: object) -> pd.DataFrame:
    """Rows of the map with one geometry, number of rows, and further choices: columns and their values."""
    chosen = (table.geometry == geometry) & (table.rows == rows)
    for column, value in choices.items():
        chosen &= table[column] == value
    return table[chosen]


def long_gains(table: pd.DataFrame, outcomes: Sequence[str] = tuple(OUTCOMES)) -> pd.DataFrame:
    """One row per gain of the map: its columns, outcome (as in `OUTCOMES`), gain, error."""
    keys = ["classes", "geometry", "dependence", "rows", "visual", "text", "exchange", "budget"]
    return pd.concat([
        table[keys].assign(outcome=OUTCOMES[name], gain=table[f"gain_{name}"], error=table[f"error_{name}"])
        for name in outcomes], ignore_index=True)


def with_budget(told: pd.DataFrame) -> pd.DataFrame:
    """Gains with a column for headings, seeds: the budget in words."""
    return told.assign(seeds=[f"{budget} seed{'s' * (budget > 1)} per class" for budget in told.budget])


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of the map's cells where CMCSL gains and where it loses, by outcome and budget.

    Cells where both modalities are at chance are left out: nothing can help or hurt there.

    Returns
    -------
    DataFrame
        Columns outcome, budget, share_gaining, share_losing, gain (mean), gain_worst, gain_best.
    """
    told = long_gains(table[(table.visual > 0) | (table.text > 0)])
    told = told.assign(share_gaining=told.gain > SURE * told.error, share_losing=told.gain < -SURE * told.error,
                       gain_worst=told.gain, gain_best=told.gain)
    return told.groupby(["outcome", "budget"], sort=False).agg(
        {"share_gaining": "mean", "share_losing": "mean", "gain": "mean", "gain_worst": "min", "gain_best": "max"}
    ).reset_index()


def sides(table: pd.DataFrame) -> pd.DataFrame:
    """Gains over UNI of the weaker and of the stronger modality, by exchange strategy and budget.

    Returns
    -------
    DataFrame
        Columns exchange, budget, and for each side S gain_S (mean over cells with modalities of unequal strength),
        share_gaining_S, share_losing_S.
    """
    unequal = table[table.visual != table.text]
    stronger = (unequal.text > unequal.visual).map({True: "text", False: "visual"})
    found = unequal[["exchange", "budget"]].copy()
    for side, modality in zip(SIDES, (stronger.map({"text": "visual", "visual": "text"}), stronger), strict=True):
        gain, error = (unequal[f"{what}_visual"].where(modality == "visual", unequal[f"{what}_text"])
                       for what in ("gain", "error"))
        found[f"gain_{side}"] = gain
        found[f"share_gaining_{side}"], found[f"share_losing_{side}"] = gain > SURE * error, gain < -SURE * error
    return found.groupby(["exchange", "budget"], sort=False).mean().reset_index()


def losses_told(table: pd.DataFrame) -> str:
    """Sentences: how often CMCSL gains and loses on the map at its smallest and largest budget."""
    made, told = verdicts(table), []
    ends = [made.budget.min(), made.budget.max()]
    for outcome, its in made.groupby("outcome", sort=False):
        parts = [f"at {_seeds(row.budget)} it gains in {row.share_gaining:.0%} of the cells and loses in "
                 f"{row.share_losing:.0%} (from {row.gain_worst:+.3f} to {row.gain_best:+.3f})"
                 for row in its[its.budget.isin(ends)].itertuples()]
        told.append(f"- CMCSL {outcome}: {'; '.join(parts)}.")
    return "\n".join(told)


def sides_told(table: pd.DataFrame) -> str:
    """Sentences: what each exchange strategy gives to the weaker and takes from the stronger modality."""
    made = sides(table)
    told = []
    for budget in (made.budget.min(), made.budget.max()):
        its = made[made.budget == budget].set_index("exchange")
        paper, best = its.loc["distance"], its.loc[(its.gain_weaker + its.gain_stronger).idxmax()]
        told.append(
            f"With {_seeds(budget)} and distances as they are, the weaker modality gains {paper.gain_weaker:+.3f} and "
            f"the stronger one {paper.gain_stronger:+.3f} on average; the sum of both is largest with "
            f"`{best.name}`: {best.gain_weaker:+.3f} and {best.gain_stronger:+.3f}.")
    return " ".join(told)


def why_told(simulated: pd.DataFrame, measured: pd.DataFrame) -> str:
    """Sentences: who decides with few and with many seeds, and how often this is right.

    Parameters
    ----------
    simulated : DataFrame
        From `placement.simulated_deciders`.
    measured : DataFrame
        From `placement.deciders`.
    """
    told = []
    budgets = sorted(set(simulated.budget) & set(measured.budget))
    for budget in dict.fromkeys([budgets[0], budgets[-1]]):
        its = simulated[simulated.budget == budget].set_index("exchange")
        paper, real = its.loc["distance"], measured[measured.budget == budget].mean(numeric_only=True)
        told.append(
            f"With {_seeds(budget)} the text decides {paper.text_decides:.0%} of the labels that differ in the "
            f"simulation, and {real.text_decides:.0%} on these datasets. In the simulation the text is right in "
            f"{paper.right_text:.0%} of them, the image in {paper.right_visual:.0%}, what CMCSL keeps in "
            f"{paper.right_kept:.0%}, and a coin that names the text as often in {paper.right_coin:.0%}; on the "
            f"datasets {real.right_text:.0%}, {real.right_visual:.0%} and {real.right_kept:.0%}. With `probability` "
            f"the text decides {its.loc['probability'].text_decides:.0%}, and {its.loc['probability'].right_kept:.0%} "
            "are right.")
    return "\n\n".join(told)


def agreement_told(compared: pd.DataFrame, what: str) -> str:
    """Sentences: how often the map names the sign of CMCSL - UNI in each modality.

    Parameters
    ----------
    compared : DataFrame
        As `placement.agreement` takes it.
    what : str
        Whose datasets, for example ``"openclipart"``.
    """
    made = agreement(compared).set_index("modality")
    parts = [f"in {modality} {row.share_agreeing:.0%} of {row.compared:.0f} (always naming the commoner sign: "
             f"{row.share_commoner:.0%}; rank correlation {row.rank_correlation:.2f}; mean measured "
             f"{row.gain_measured:+.3f}, foretold {row.gain_predicted:+.3f})"
             for modality, row in made.loc[list(MODALITIES)].iterrows()]
    how = "gains averaged over budgets" if (compared.budget == MEAN).all() else "gains, dataset by dataset and budget"
    return f"The map names the right sign of {what}'s {how}: {'; '.join(parts)}."


def _seeds(budget: int) -> str:
    return f"{budget} seed{'s' * (budget > 1)} per class"
