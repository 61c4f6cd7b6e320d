"""Figures of the pages that answer the research questions."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..features import MODALITIES
from .base import MODALITY_COLOURS, subplots

MODALITY_LINES = {"visual": "-", "text": "--"}


def gain_points(table: pd.DataFrame, by: str) -> Figure:
    """The gain in every dataset as points, one row of panels per source and one column per modality; bars are means.

    Parameters
    ----------
    table : DataFrame
        Columns source, modality, dataset, gain, and the one that `by` names.
    by : str
        Column whose values stand side by side.
    """
    sources, names = table.source.unique(), list(table[by].unique())
    figure, axes = subplots(len(sources), 2, figsize=(10, 2.8 * len(sources)), sharex=True, squeeze=False)
    figure.data = table
    for line, source in zip(axes, sources, strict=True):
        for place, modality in zip(line, MODALITIES, strict=True):
            its = table[(table.source == source) & (table.modality == modality)]
            place.axhline(0, color="#888888", linewidth=0.8)
            sns.stripplot(its, x=by, y="gain", order=names, color=MODALITY_COLOURS[modality], size=4, alpha=0.7,
                          jitter=False, ax=place)
            means = its.groupby(by).gain.mean().reindex(names)
            place.hlines(means, np.arange(len(names)) - 0.3, np.arange(len(names)) + 0.3, color="black", linewidth=2)
            place.set(title=f"{source}, {modality}", xlabel="", ylabel="CMCSL - UNI")
            place.title.set_fontsize(10)
    figure.tight_layout()
    sns.despine(figure)
    return figure


def gain_curves(table: pd.DataFrame) -> Figure:
    """The mean gain over datasets against the budget, one panel per source.

    Parameters
    ----------
    table : DataFrame
        Columns source, modality, budget, gain, as `summaries.gains` gives them.
    """
    sources = table.source.unique()
    figure, axes = subplots(1, len(sources), figsize=(5 * len(sources), 3.2), sharey=True, squeeze=False)
    figure.data = table
    for place, source in zip(axes[0], sources, strict=True):
        place.axhline(0, color="#888888", linewidth=0.8)
        for modality in MODALITIES:
            its = table[(table.source == source) & (table.modality == modality)]
            place.plot(its.budget, its.gain, MODALITY_LINES[modality], color=MODALITY_COLOURS[modality], marker="o",
                       markersize=3.5, label=modality)
        place.set_title(source, fontsize=10)
        place.set_xlabel("Labelled samples per class")
        place.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("Mean gain, CMCSL - UNI")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    sns.despine(figure)
    return figure
