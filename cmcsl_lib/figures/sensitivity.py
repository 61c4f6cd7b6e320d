"""Figures of the sensitivity page: means with intervals, row by row, and the items that datasets share."""

from itertools import cycle

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..features import MODALITIES
from .base import PALETTE, subplots

MARKS = "osD^v"
COLOURS = ("#000000", "#0072B2", "#009E73", "#D55E00", "#CC79A7")


def forest(table: pd.DataFrame, row: str, series: str, value: str, *, xlabel: str, ylabel: str = "") -> Figure | None:
    """A forest plot: one line per row, one column per modality, a mark with its interval per series; None of no rows.

    Parameters
    ----------
    table : DataFrame
        Columns modality, low, high, and those that the other parameters name; one row per mark. An interval whose ends
        are NaN is not drawn, nor is what belongs to both modalities.
    row : str
        Column whose values are the lines, in their order.
    series : str
        Column that tells marks of one line apart; five values have marks of their own.
    value : str
        Column of means.
    xlabel, ylabel : str
    """
    table = table[table.modality.isin(MODALITIES)]
    if table.empty:
        return None
    lines, names = table[row].unique(), table[series].unique()
    figure, axes = subplots(1, 2, figsize=(10, 1.4 + 0.14 * len(lines) * (1 + len(names))), sharey=True)
    figure.data = table
    offsets = 0.2 * (np.arange(len(names)) - (len(names) - 1) / 2)
    for place, modality in zip(axes, MODALITIES, strict=True):
        for name, offset, mark, colour in zip(names, offsets, cycle(MARKS), cycle(COLOURS), strict=False):
            its = table[(table.modality == modality) & (table[series] == name)].set_index(row).reindex(lines)
            y, colour = np.arange(len(lines)) + offset, PALETTE.get(name, colour)
            place.hlines(y, its.low, its.high, color=colour, linewidth=1)
            place.plot(its[value], y, mark, color=colour, markersize=4, label=name)
        place.axvline(0, color="#888888", linewidth=0.8)
        place.set(title=modality.capitalize(), xlabel=xlabel)
        place.xaxis.get_major_locator().set_params(nbins=6)
    axes[0].set_yticks(np.arange(len(lines)), [str(line) for line in lines])
    axes[0].set_ylabel(ylabel)
    axes[0].invert_yaxis()
    handles, told = axes[0].get_legend_handles_labels()
    figure.legend(handles, told, loc="upper center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    sns.despine(figure)
    return figure


def shared_items_map(shared: pd.DataFrame) -> Figure:
    """Shares of common items of every two datasets.

    Parameters
    ----------
    shared : DataFrame
        From `sensitivity.shared_items`.
    """
    figure, axes = subplots(figsize=(8, 7))
    figure.data = shared.rename_axis("dataset").reset_index().melt("dataset", var_name="other", value_name="shared")
    sns.heatmap(shared, vmin=0, vmax=1, cmap="Blues", square=True, ax=axes, xticklabels=True, yticklabels=True,
                cbar_kws={"label": "Share of common items", "shrink": 0.8})
    figure.tight_layout()
    return figure
