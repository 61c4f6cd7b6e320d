"""The map of the simulation as tables: where CMCSL gains, where it loses, and which modality pays.

A gain counts as one, or as a loss, where it is more than `SURE` standard errors away from zero.
"""

from collections.abc import Sequence

import pandas as pd

SURE = 2.0
#: Gains of the map, by the ends of their columns, and what they are called.
OUTCOMES = {
    "visual": "over UNI, visual",
    "text": "over UNI, text",
    "better": "over UNI, better modality",
    "ef": "over early fusion",
    "lf": "over late fusion",
}
SIDES = ("weaker", "stronger")
SETTING = ["classes", "geometry", "dependence", "rows", "visual", "text", "exchange", "budget"]


def long_gains(table: pd.DataFrame, outcomes: Sequence[str] = tuple(OUTCOMES)) -> pd.DataFrame:
    """The map with one gain per row.

    Parameters
    ----------
    table : DataFrame
        Rows of the map.
    outcomes : sequence of str
        Keys of `OUTCOMES`.

    Returns
    -------
    DataFrame
        Columns `SETTING`, outcome (values of `OUTCOMES`), gain, error.
    """
    return pd.concat(
        [
            table[SETTING].assign(outcome=OUTCOMES[name], gain=table[f"gain_{name}"], error=table[f"error_{name}"])
            for name in outcomes
        ],
        ignore_index=True,
    )


def cell_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of the map's cells where CMCSL gains and where it loses, by outcome and budget.

    Cells where both modalities are at chance are left out: nothing can help or hurt there.

    Parameters
    ----------
    table : DataFrame
        Rows of the map.

    Returns
    -------
    DataFrame
        Columns outcome, budget, share_gaining, share_losing, gain (mean), gain_worst, gain_best.
    """
    cells = long_gains(table[(table.visual > 0) | (table.text > 0)])
    cells = cells.assign(
        share_gaining=cells.gain > SURE * cells.error,
        share_losing=cells.gain < -SURE * cells.error,
        gain_worst=cells.gain,
        gain_best=cells.gain,
    )
    return (
        cells.groupby(["outcome", "budget"], sort=False)
        .agg({"share_gaining": "mean", "share_losing": "mean", "gain": "mean", "gain_worst": "min", "gain_best": "max"})
        .reset_index()
    )


def sides(table: pd.DataFrame) -> pd.DataFrame:
    """Gains over UNI of the weaker and of the stronger modality, over all cells with modalities of unequal strength.

    Parameters
    ----------
    table : DataFrame
        Rows of the map.

    Returns
    -------
    DataFrame
        One row per exchange strategy, budget and side ("weaker", "stronger"): these, gain (mean), share_gaining,
        share_losing.
    """
    unequal = table[table.visual != table.text]
    text_stronger = unequal.text > unequal.visual
    parts = []
    for side, visual in zip(SIDES, (text_stronger, ~text_stronger), strict=True):
        gain, error = (unequal[f"{what}_visual"].where(visual, unequal[f"{what}_text"]) for what in ("gain", "error"))
        parts.append(
            unequal[["exchange", "budget"]].assign(
                side=side, gain=gain, share_gaining=gain > SURE * error, share_losing=gain < -SURE * error
            )
        )
    return pd.concat(parts).groupby(["exchange", "budget", "side"], sort=False).mean().reset_index()
