"""One function per figure of the paper."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scikit_posthocs import critical_difference_diagram

from ..escaping import figure_safe
from ..features import MODALITIES, Features, load_features
from ..preprocessing import PREPROCESSINGS, preprocessor
from ..published import AVERAGE_RANK
from ..statistics import ALPHA, rank_comparison
from ..tables import VERDICT, datasets_of, groups_of, table
from .base import CURVES, LINES, PALETTE, legend_above, subplots


def budget_curves(scores: pd.DataFrame, datasets: Sequence[str]) -> Figure:
    """Figure 4: balanced accuracy against the budget, one row per dataset and one column per modality.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one protocol, classifier and preprocessing.
    datasets : sequence of str
        Datasets to draw, one row each.
    """
    return _budget_panels(scores, {name: [name] for name in datasets})


def group_curves(scores: pd.DataFrame) -> Figure:
    """Figure 5: balanced accuracy against the budget, averaged over the binary and over the multiclass datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one protocol, classifier and preprocessing.
    """
    groups = {group: datasets_of(scores, group) for group in groups_of(scores)}
    return _budget_panels(scores, {f"{len(names)} {group} datasets": names for group, names in groups.items()})


def _budget_panels(scores: pd.DataFrame, lines: dict[str, Sequence[str]]) -> Figure:
    """One row of two panels, visual and text, for each named list of datasets."""
    figure, axes = subplots(len(lines), 2, figsize=(9, 2.6 * len(lines)), sharex=True, sharey="row", squeeze=False)
    drawn = []
    for line, (title, names) in zip(axes, lines.items(), strict=True):
        for place, modality in zip(line, MODALITIES, strict=True):
            chosen = scores[scores.dataset.isin(names) & scores.modality.isin([modality, "both"])]
            drawn.append(_draw_budgets(place, chosen).assign(datasets=title, modality=modality))
            place.set_title(f"{title}, {modality}", fontsize=10)
        line[0].set_ylabel("Balanced accuracy", fontsize=9)
    figure.data = pd.concat(drawn)[["datasets", "modality", "method", "budget", "balanced_accuracy"]]
    for place in axes[-1]:
        place.set_xlabel("Labelled samples per class")
    legend_above(figure, axes[0, 0])
    return figure


def _draw_budgets(place: Axes, scores: pd.DataFrame) -> pd.DataFrame:
    means = scores.groupby(["method", "budget"]).balanced_accuracy.mean()
    there = means.index.unique("method")
    for method, style in LINES.items():
        if method in there:
            place.axhline(means[method].item(), color=PALETTE[method], linestyle=style, linewidth=1, label=method)
    for method, marker in CURVES.items():
        place.plot(means[method], color=PALETTE[method], marker=marker, markersize=3.5, linewidth=1.2, label=method)
    place.xaxis.get_major_locator().set_params(integer=True)
    return means.reset_index()


def preprocessing_panels(scores: pd.DataFrame, dataset: str | None = None) -> Figure:
    """Figure 3: what each preprocessing does to one dataset, one column per preprocessing.

    The first two rows are histograms of each sample's mean feature, in both modalities; published scores come
    without features, so these rows are left out. The area of every class is 1, which is what the paper's
    oversampling to equal class sizes aims at.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 2.
    dataset : str, optional
        Default: AT as in the paper, else the first one in the scores.
    """
    dataset = dataset or ("AT" if "AT" in set(scores.dataset) else scores.dataset.iloc[0])
    published = (scores.protocol == "published").all()
    features = None if published else load_features(scores.corpus.iloc[0], dataset)
    kinds = (["histogram"] if features else []) + ["balanced_accuracy"]
    lines = [(kind, modality) for kind in kinds for modality in MODALITIES]
    figure, axes = subplots(len(lines), len(PREPROCESSINGS), figsize=(13, 2.5 * len(lines)), squeeze=False)
    drawn = []
    for line, (kind, modality) in zip(axes, lines, strict=True):
        for place, name in zip(line, PREPROCESSINGS, strict=True):
            if kind == "histogram":
                drawn.append(_draw_histogram(place, features, modality, name))
            else:
                its = scores[(scores.dataset == dataset) & (scores.modality == modality)
                             & (scores.preprocessing == name)]
                drawn.append(_draw_budgets(place, its).rename(columns={"method": "series", "budget": "x",
                                                                       "balanced_accuracy": "y"}))
                place.sharey(line[0])
            drawn[-1] = drawn[-1].assign(panel=kind, modality=modality, preprocessing=name)
            place.set_xlabel("Mean feature" if kind == "histogram" else "Labelled samples per class", fontsize=11)
        line[0].set_ylabel(f"{'Density' if kind == 'histogram' else 'Balanced accuracy'},\n{modality}", fontsize=12)
    for place, name in zip(axes[0], PREPROCESSINGS, strict=True):
        place.set_title(f"{dataset}, {name}", fontsize=13)
    figure.data = pd.concat(drawn)[["panel", "modality", "preprocessing", "series", "x", "y"]]
    if features:
        axes[0, 0].legend(fontsize=10, frameon=False)
    legend_above(figure, axes[-1, 0])
    return figure


def _draw_histogram(place: Axes, features: Features, modality: str, preprocessing: str) -> pd.DataFrame:
    X = preprocessor(preprocessing).fit_transform(getattr(features, modality))
    means = X.mean(axis=1)
    edges = np.histogram_bin_edges(means, bins=25)
    drawn = []
    for index, label in enumerate(features.classes):
        density, _ = np.histogram(means[features.y == index], bins=edges, density=True)
        colour = sns.color_palette("colorblind")[index % 10]
        place.stairs(density, edges, color=colour, fill=True, alpha=0.35, label=figure_safe(label))
        place.stairs(density, edges, color=colour, linestyle=("-", "--", ":", "-.")[index % 4])
        drawn.append(pd.DataFrame({"series": label, "x": (edges[1:] + edges[:-1]) / 2, "y": density}))
    place.xaxis.get_major_locator().set_params(nbins=3)
    return pd.concat(drawn)


def rank_diagrams(tables: dict[str, pd.DataFrame]) -> Figure:
    """Critical-difference diagrams: average ranks, joined by a bar where tests find no difference.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Title and one of the Tables III to VI, or one group of Table II. There is one diagram per table and
        modality; tests are two-sided Wilcoxon signed-rank tests over datasets with Holm's correction.
    """
    figure, axes = subplots(len(tables), 2, figsize=(10, 1.9 * len(tables)), squeeze=False)
    drawn = []
    for line, (title, made) in zip(axes, tables.items(), strict=True):
        compared = [name for name in made if name + VERDICT in made]
        for place, modality in zip(line, MODALITIES, strict=True):
            its = made[(made.modality == modality) & (made.dataset != AVERAGE_RANK)]
            comparison = rank_comparison(its[compared])
            colours = {name: PALETTE[name] for name in compared} if set(compared) <= set(PALETTE) else {}
            critical_difference_diagram(comparison.ranks, comparison.p_values, ax=place, alpha=ALPHA,
                                        label_props={"fontsize": 10}, color_palette=colours,
                                        text_h_margin=0.02 * len(compared))
            place.set_title(f"{title}, {modality} ({len(its)} datasets)", fontsize=10)
            pairs = comparison.p_values.rename_axis("method").reset_index().melt("method", var_name="other",
                                                                                 value_name="p_value")
            drawn.append(pairs[pairs.method != pairs.other].assign(
                diagram=title, modality=modality, average_rank=lambda d, r=comparison.ranks: d.method.map(r)))
    figure.data = pd.concat(drawn)[["diagram", "modality", "method", "average_rank", "other", "p_value"]]
    figure.tight_layout()
    return figure


def rank_diagrams_of(scores: pd.DataFrame, numbers: dict[str, int]) -> Figure:
    """`rank_diagrams` of the paper's tables by their numbers, leaving out those that the scores can't fill.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of the tables' experiment.
    numbers : dict of str to int
        Group of datasets, for example ``"Binary"``, and number of its table.
    """
    there = [group.capitalize() for group in groups_of(scores)]
    return rank_diagrams({title: table(number, scores) for title, number in numbers.items() if title in there})


def rank_diagrams_by_group(scores: pd.DataFrame) -> Figure:
    """`rank_diagrams` of Table II, one row for each of its groups of datasets."""
    return rank_diagrams({group.capitalize(): its for group, its in table(2, scores).groupby("group")})
