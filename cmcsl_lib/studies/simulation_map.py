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
        Columns `SETTING`, outcome (values of `OUTCOMES`), gain, error, gaining and losing (whether it surely is).
    """
    parts = [
        table[SETTING].assign(outcome=OUTCOMES[name], gain=table[f"gain_{name}"], error=table[f"error_{name}"])
        for name in outcomes
    ]
    cells = pd.concat(parts, ignore_index=True)
    return cells.assign(gaining=cells.gain > SURE * cells.error, losing=cells.gain < -SURE * cells.error)


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
    cells = long_gains(table[(table.visual > 0) | (table.text > 0)]).groupby(["outcome", "budget"], sort=False)
    return cells.agg(
        share_gaining=("gaining", "mean"),
        share_losing=("losing", "mean"),
        gain=("gain", "mean"),
        gain_worst=("gain", "min"),
        gain_best=("gain", "max"),
    ).reset_index()


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
    cells = long_gains(table[table.visual != table.text], ["visual", "text"])
    stronger = (cells.outcome == OUTCOMES["visual"]) == (cells.visual > cells.text)
    cells = pd.concat([cells[~stronger].assign(side="weaker"), cells[stronger].assign(side="stronger")])
    return (
        cells.groupby(["exchange", "budget", "side"], sort=False)
        .agg(gain=("gain", "mean"), share_gaining=("gaining", "mean"), share_losing=("losing", "mean"))
        .reset_index()
    )
