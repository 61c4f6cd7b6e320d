"""Figures of the sensitivity page: means with intervals, row by row."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from .base import COLOURS, MARKS, PALETTE, legend_above


def forest(table: pd.DataFrame, row: str, series: str, value: str, *, xlabel: str, ylabel: str = "") -> pd.DataFrame:
    """A forest plot: one line per row, one column per modality, a mark with its interval per series.

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
        Labels of the axes.

    Returns
    -------
    DataFrame
        The rows of the table that are drawn.
    """
    drawn = table[table.modality.isin(MODALITIES)]
    lines, names = drawn[row].unique(), drawn[series].unique()
    size = 10, 1.4 + 0.14 * len(lines) * (1 + len(names))
    figure, axes = plt.subplots(1, 2, figsize=size, sharex=True, sharey=True)
    offsets = 0.2 * (np.arange(len(names)) - (len(names) - 1) / 2)
    for axis, modality in zip(axes, MODALITIES, strict=True):
        for name, offset, mark, colour in zip(names, offsets, cycle(MARKS), cycle(COLOURS), strict=False):
            part = drawn[(drawn.modality == modality) & (drawn[series] == name)].set_index(row).reindex(lines)
            y, colour = np.arange(len(lines)) + offset, PALETTE.get(name, colour)
            axis.hlines(y, part.low, part.high, color=colour, linewidth=1)
            axis.plot(part[value], y, mark, color=colour, markersize=4, label=name)
        axis.axvline(0, color="#888888", linewidth=0.8)
        axis.set(title=modality.capitalize(), xlabel=xlabel)
        axis.xaxis.get_major_locator().set_params(nbins=6)
    axes[0].set_yticks(np.arange(len(lines)), [str(line) for line in lines])
    axes[0].set(ylabel=ylabel, ylim=(max(1, len(lines)) - 0.5, -0.5))
    legend_above(figure, axes[0])
    return drawn
