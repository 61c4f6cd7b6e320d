"""Figures of the page on one's own data."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..features import MODALITIES
from .base import MODALITY_COLOURS, subplots


def margin_histogram(labels: pd.DataFrame) -> Figure:
    """How sure the made labels are: histogram of their margins, by the modality that decided.

    Parameters
    ----------
    labels : DataFrame
        From `own_data.pseudo_labels`.
    """
    made = labels[(labels.given == "") & (labels.label != "")]
    figure, axes = subplots(figsize=(6, 3.2))
    edges = np.histogram_bin_edges(made.margin, bins=20)
    drawn, below = [], np.zeros(len(edges) - 1)
    for modality in MODALITIES:
        counts, _ = np.histogram(made.margin[made.modality == modality], bins=edges)
        hatch = "//" if modality == MODALITIES[1] else None
        axes.bar(edges[:-1], counts, np.diff(edges), below, align="edge", label=f"{modality} decided",
                 color=MODALITY_COLOURS[modality], edgecolor="white", linewidth=0.3, hatch=hatch)
        below = below + counts
        drawn.append(pd.DataFrame({"modality": modality, "from": edges[:-1], "to": edges[1:], "items": counts}))
    figure.data = pd.concat(drawn, ignore_index=True)
    axes.set(xlabel="Margin", ylabel="Items")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    sns.despine(figure)
    return figure


def sureness_curve(beside: pd.DataFrame) -> Figure:
    """Share of right labels among the surest ones, against how many of them are kept.

    Parameters
    ----------
    beside : DataFrame
        From `own_data.judged`.
    """
    ordered = beside.sort_values("margin", ascending=False)
    kept = np.arange(1, len(ordered) + 1)
    figure, axes = subplots(figsize=(6, 3.2))
    figure.data = pd.DataFrame({"kept": kept / len(ordered), "share_right": ordered.right.to_numpy().cumsum() / kept,
                                "smallest_margin": ordered.margin.to_numpy()})
    # The first few labels are too few for a share.
    its = figure.data[kept >= min(20, len(ordered))]
    axes.plot(its.kept, its.share_right, color="black")
    axes.set(xlabel="Share of the labels kept, the surest first", ylabel="Share of them that is right")
    sns.despine(figure)
    return figure
