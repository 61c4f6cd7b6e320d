"""Figures of the studies of peers, robustness and choice of seeds."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..studies.comparison import BETTER, WORSE
from .base import PALETTE, legend_above, subplots
from .sensitivity import COLOURS, MARKS

CURVES = {"CMCSL": (PALETTE["CMCSL"], "-", "o"), "UNI": (PALETTE["UNI"], "--", "s"),
          "concatenation": (PALETTE["EF"], ":", "^")}
TITLES = {"visual": "visual", "text": "text", "both": "both together"}


def gains_by_method(table: pd.DataFrame, column: str = "method", reference: str = "CMCSL") -> Figure:
    """How far every method is above or below the reference: one line each, one panel per modality, a mark per budget.

    Filled marks are significantly better or worse.

    Parameters
    ----------
    table : DataFrame
        From `studies.comparison.compared`.
    column, reference : str
        As there.
    """
    shown = table[table[column] != reference]
    names, budgets, modalities = (list(shown[name].unique()) for name in (column, "budget", "modality"))
    figure, axes = subplots(1, len(modalities), figsize=(4 * len(modalities), 1.8 + 0.36 * len(names)), sharey=True,
                             squeeze=False)
    figure.data = shown
    offsets = 0.22 * (np.arange(len(budgets)) - (len(budgets) - 1) / 2)
    for place, modality in zip(axes[0], modalities, strict=True):
        place.axvline(0, color="#888888", linewidth=0.8)
        for number, (budget, offset) in enumerate(zip(budgets, offsets, strict=True)):
            its = shown[(shown.modality == modality) & (shown.budget == budget)].set_index(column).reindex(names)
            colour, y = COLOURS[number % len(COLOURS)], np.arange(len(names)) + offset
            sure = its.verdict.isin([BETTER, WORSE]).to_numpy()
            told = f"{budget} seed{'s' if budget > 1 else ''} per class"
            for chosen, face, label in ((sure, colour, told), (~sure, "white", None)):
                place.scatter(its.gain[chosen], y[chosen], marker=MARKS[number % len(MARKS)], s=26, c=face,
                              edgecolors=colour, linewidths=1.1, label=label, zorder=3)
        place.set_title(TITLES[modality], fontsize=13)
        place.set_xlabel(f"Balanced accuracy less that of {reference}", fontsize=11)
        place.xaxis.get_major_locator().set_params(nbins=5)
        place.grid(axis="y", color="#EEEEEE")
    axes[0, 0].set_yticks(np.arange(len(names)), names, fontsize=12)
    axes[0, 0].invert_yaxis()
    legend_above(figure, axes[0, 0])
    return figure


def disturbance_curves(table: pd.DataFrame) -> Figure:
    """Balanced accuracy of the fused prediction against the share of a disturbance: one column each, a row per budget.

    Parameters
    ----------
    table : DataFrame
        From `studies.comparison.curves`; only the modality ``both`` is drawn.
    """
    shown = table[table.modality == "both"]
    disturbances, budgets = shown.disturbance.unique(), sorted(shown.budget.unique())
    figure, axes = subplots(len(budgets), len(disturbances), figsize=(3 * len(disturbances), 2.6 * len(budgets)),
                             sharex="col", sharey="row", squeeze=False)
    figure.data = shown
    for line, budget in zip(axes, budgets, strict=True):
        for place, disturbance in zip(line, disturbances, strict=True):
            for method, (colour, style, marker) in CURVES.items():
                its = shown[(shown.disturbance == disturbance) & (shown.budget == budget) & (shown.method == method)]
                place.plot(its.share, its.balanced_accuracy, style, color=colour, marker=marker, markersize=4,
                           label=method)
            place.set_title(f"{disturbance}, {budget} seed{'s' if budget > 1 else ''}", fontsize=12)
        line[0].set_ylabel("Balanced accuracy", fontsize=12)
    for place, disturbance in zip(axes[-1], disturbances, strict=True):
        place.set_xlabel("Share of seeds" if "seed" in disturbance else "Share of rows", fontsize=12)
    legend_above(figure, axes[0, 0])
    return figure


def noise_curves(table: pd.DataFrame) -> Figure:
    """Balanced accuracy in each modality against the share of wrong seed labels: a line per method and budget.

    Parameters
    ----------
    table : DataFrame
        From `studies.comparison.curves`; one disturbance, modalities visual and text.
    """
    budgets = sorted(table.budget.unique())
    modalities = [name for name in TITLES if name in set(table.modality) and name != "both"]
    figure, axes = subplots(len(budgets), len(modalities), figsize=(4 * len(modalities), 2.6 * len(budgets)),
                             sharex=True, squeeze=False)
    figure.data = table[table.modality.isin(modalities)]
    for line, budget in zip(axes, budgets, strict=True):
        for place, modality in zip(line, modalities, strict=True):
            its = figure.data[(figure.data.budget == budget) & (figure.data.modality == modality)]
            sns.lineplot(its, x="share", y="balanced_accuracy", hue="method", style="method", markers=["o", "s"],
                         palette=[PALETTE["CMCSL"], PALETTE["UNI"]], hue_order=["CMCSL", "UNI"],
                         style_order=["CMCSL", "UNI"], ax=place)
            place.get_legend().remove()
            place.set(title=f"{modality}, {budget} seed{'s' if budget > 1 else ''} per class",
                      xlabel="Share of wrong seed labels", ylabel="Balanced accuracy")
            place.title.set_fontsize(9)
    legend_above(figure, axes[0, 0])
    return figure
