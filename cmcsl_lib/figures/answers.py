"""Figures of the page on the published numbers."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..slips import AS_PUBLISHED, REPAIRED
from .base import subplots

VARIANT_COLOURS = {AS_PUBLISHED: "#D55E00", REPAIRED: "#0072B2"}


def win_bars(wins: pd.DataFrame) -> Figure:
    """Verdicts "CMCSL is significantly better than UNI", as published and with all slips repaired.

    Parameters
    ----------
    wins : DataFrame
        From `slips.wins_by_variant`.
    """
    figure, axes = subplots(figsize=(8, 3.4))
    figure.data = wins
    sns.barplot(wins, x="table", y="wins", hue="statistics", palette=VARIANT_COLOURS, ax=axes)
    for bars, hatch in zip(axes.containers, ("", "//"), strict=True):
        axes.bar_label(bars)
        for bar in bars:
            bar.set(hatch=hatch, edgecolor="white")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="Table", ylabel=f"Verdicts, of {wins.rows.max()}")
    axes.legend(frameon=False, title=None, loc="upper left", bbox_to_anchor=(0, 1.2), ncols=2)
    sns.despine(figure)
    return figure
