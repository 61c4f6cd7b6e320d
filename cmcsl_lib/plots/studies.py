"""The figure that the pages on peers and on the choice of seeds share."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ..studies.comparison import BETTER, WORSE
from .base import COLOURS, MARKS, legend_above

TITLES = {"visual": "visual", "text": "text", "both": "both together"}


def gains_by_method(table: pd.DataFrame, column: str = "method", reference: str = "CMCSL") -> pd.DataFrame:
    """Draw how far every method is above or below the reference, one line each.

    There is a panel per modality and a mark per budget; filled ones are significantly better or worse. The figure is
    pyplot's current one.

    Parameters
    ----------
    table : DataFrame
        From `studies.comparison.compared`.
    column, reference : str
        What is compared, and the value of this column that stands at zero; as in `compared`.

    Returns
    -------
    DataFrame
        The rows of the table that are drawn, one per mark.
    """
    drawn = table[table[column] != reference]
    names, budgets, modalities = (list(drawn[name].unique()) for name in (column, "budget", "modality"))
    size = 3 * len(modalities) + 1, 1.4 + 0.08 * (len(budgets) + 1) * len(names)
    figure, axes = plt.subplots(1, len(modalities), figsize=size, sharex=True, sharey=True, squeeze=False)
    offsets = (np.arange(len(budgets)) - (len(budgets) - 1) / 2) / (len(budgets) + 1)
    for panel, modality in zip(axes[0], modalities, strict=True):
        panel.axvline(0, color="#888888", linewidth=0.8)
        for budget, offset, mark, colour in zip(budgets, offsets, cycle(MARKS), cycle(COLOURS), strict=False):
            rows = drawn[(drawn.modality == modality) & (drawn.budget == budget)].set_index(column).reindex(names)
            significant = rows.verdict.isin([BETTER, WORSE]).to_numpy()
            y, label = np.arange(len(names)) + offset, f"{budget} seed{'s' if budget > 1 else ''} per class"
            style = {"marker": mark, "s": 24, "edgecolors": colour, "linewidths": 1.1, "zorder": 3}
            panel.scatter(rows.gain[significant], y[significant], c=colour, label=label, **style)
            panel.scatter(rows.gain[~significant], y[~significant], c="white", **style)
        panel.set(title=TITLES[modality], xlabel=f"Gain over {reference}")
        panel.xaxis.get_major_locator().set_params(nbins=4)
        panel.grid(axis="y", color="#EEEEEE")
    axes[0, 0].set_yticks(np.arange(len(names)), names)
    axes[0, 0].invert_yaxis()
    legend_above(figure, axes[0, 0])
    return drawn
