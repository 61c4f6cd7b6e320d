"""Figures of the paper that need more than a line of seaborn."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from scikit_posthocs import critical_difference_diagram

from ..analysis.statistics import ALPHA, rank_comparison, ranks
from ..corpora.features import MODALITIES, Features
from ..files.escaping import figure_safe
from ..method.preprocessing import PREPROCESSINGS, preprocessor
from .base import COLOURS, CURVES, LINES, MARKS, PALETTE, legend_above

#: Place of modalities and preprocessings among the panels of a figure.
ORDER = {name: place for place, name in enumerate((*MODALITIES, *PREPROCESSINGS))}


def budget_curves(scores: pd.DataFrame, row: str = "dataset", column: str = "modality") -> pd.DataFrame:
    """Balanced accuracy against the budget, averaged over all else: Figures 4 and 5, and the curves of Figure 3.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one protocol and classifier. EF and LF, one classifier for both modalities, are drawn
        for either.
    row, column : str
        Columns of the scores; there is one panel for each of their values, modalities and preprocessings in their
        usual order, others in order of appearance.

    Returns
    -------
    DataFrame
        What is drawn: row, column, method, budget (0 for methods that know all labels, which are lines across the
        panel), balanced_accuracy.
    """
    fused = scores.modality == "both"
    apart = pd.concat([scores[~fused], *(scores[fused].assign(modality=modality) for modality in MODALITIES)])
    means = apart.groupby([row, column, "method", "budget"], sort=False).balanced_accuracy.mean().reset_index()
    rows, columns = (sorted(means[name].unique(), key=lambda value: ORDER.get(value, -1)) for name in (row, column))
    size = (max(9, 2.2 * len(columns)), 2.6 * len(rows))
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, sharex=True, sharey="row", squeeze=False)
    for line, title in zip(axes, rows, strict=True):
        for place, name in zip(line, columns, strict=True):
            panel = means[(means[row] == title) & (means[column] == name)]
            _draw_budgets(place, panel.set_index(["method", "budget"]).balanced_accuracy)
            place.set_title(figure_safe(f"{title}, {name}"), fontsize=11)
        line[0].set_ylabel("Balanced accuracy")
    for place in axes[-1]:
        place.set_xlabel("Seeds per class")
    legend_above(figure, axes[0, 0])
    return means


def _draw_budgets(place: Axes, means: pd.Series) -> None:
    """The panel of one row and column; `means` is indexed by method and budget."""
    methods = means.index.unique("method")
    for method, style in LINES.items():
        if method in methods:
            place.axhline(means[method].item(), color=PALETTE[method], linestyle=style, linewidth=1, label=method)
    for method, marker in CURVES.items():
        if method in methods:
            curve = means[method].sort_index()
            place.plot(curve, marker, linestyle="-", color=PALETTE[method], markersize=3.5, linewidth=1.2, label=method)
    place.locator_params(axis="x", integer=True)


def feature_histograms(features: Features) -> pd.DataFrame:
    """Histograms of Figure 3: the mean of each item's features by class, one column per preprocessing.

    The area of every class is 1, which is what the paper's oversampling to equal class sizes aims at.

    Parameters
    ----------
    features : Features
        Of one dataset.

    Returns
    -------
    DataFrame
        What is drawn: modality, preprocessing, class, mean_feature (the middle of a bar), density.
    """
    figure, axes = plt.subplots(2, len(PREPROCESSINGS), figsize=(11, 5))
    drawn = []
    for line, modality in zip(axes, MODALITIES, strict=True):
        for place, name in zip(line, PREPROCESSINGS, strict=True):
            means = preprocessor(name).fit_transform(getattr(features, modality)).mean(axis=1)
            drawn.append(_draw_histogram(place, means, features).assign(modality=modality, preprocessing=name))
            place.set_title(f"{modality}, {name}", fontsize=11)
        line[0].set_ylabel("Density")
    for place in axes[-1]:
        place.set_xlabel("Mean feature")
    figure.tight_layout()
    # Names of users' classes may be longer than a panel is wide.
    short = sum(map(len, features.classes)) < 100
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        frameon=False,
        ncols=len(features.classes) if short else 1,
    )
    sns.despine(figure)
    return pd.concat(drawn, ignore_index=True)[["modality", "preprocessing", "class", "mean_feature", "density"]]


def _draw_histogram(place: Axes, means: np.ndarray, features: Features) -> pd.DataFrame:
    edges = np.histogram_bin_edges(means, bins=25)
    drawn = []
    for index, label in enumerate(features.classes):
        density, _ = np.histogram(means[features.y == index], bins=edges, density=True)
        colour = sns.color_palette("colorblind")[index % 10]
        place.stairs(density, edges, color=colour, fill=True, alpha=0.35, label=figure_safe(label))
        place.stairs(density, edges, color=colour, linestyle=("-", "--", ":", "-.")[index % 4])
        drawn.append(pd.DataFrame({"class": label, "mean_feature": (edges[1:] + edges[:-1]) / 2, "density": density}))
    place.locator_params(axis="x", nbins=3)
    return pd.concat(drawn)


def rank_diagrams(means: pd.DataFrame) -> pd.DataFrame:
    """Critical-difference diagrams: average ranks, with a bar over neighbours that tests cannot tell apart.

    A bar never covers two methods that differ significantly.

    Parameters
    ----------
    means : DataFrame
        Balanced accuracies, one column per method, indexed by group, modality and dataset. There is one diagram per
        group and modality; tests are two-sided Wilcoxon signed-rank tests over datasets with Holm's correction.

    Returns
    -------
    DataFrame
        What is drawn, one row per pair of methods: group, modality, method, average_rank, other, p_value.
    """
    groups = means.index.unique("group")
    figure, axes = plt.subplots(len(groups), 2, figsize=(10, 1.9 * len(groups)), squeeze=False)
    colours = {name: PALETTE[name] for name in means} if set(means) <= set(PALETTE) else {}
    drawn = []
    for line, group in zip(axes, groups, strict=True):
        for place, modality in zip(line, MODALITIES, strict=True):
            values = means.xs((group, modality), level=["group", "modality"])
            average, p_values = rank_comparison(values)
            critical_difference_diagram(
                average,
                _of_runs(average, p_values),
                ax=place,
                alpha=ALPHA,
                label_props={"fontsize": 10},
                label_fmt_left="{label} ({rank:.2f})",
                label_fmt_right="({rank:.2f}) {label}",
                color_palette=colours,
                text_h_margin=0.02 * len(average),
            )
            place.set_title(f"{group}, {modality} ({len(values)} dataset{'s' * (len(values) > 1)})", fontsize=10)
            pairs = p_values.rename_axis(index="method", columns="other").stack().rename("p_value").reset_index()
            pairs.insert(1, "average_rank", pairs.method.map(average))
            drawn.append(pairs[pairs.method != pairs.other].assign(group=group, modality=modality))
    figure.tight_layout()
    return pd.concat(drawn, ignore_index=True)[["group", "modality", "method", "average_rank", "other", "p_value"]]


def _of_runs(average: pd.Series, p_values: pd.DataFrame) -> pd.DataFrame:
    """The p-values, with 0 for pairs between whose ranks any two methods differ: no bar can span these."""
    runs = p_values.copy()
    for one, other in combinations(average.index, 2):
        low, high = sorted((average[one], average[other]))
        names = average.index[average.between(low, high)]
        if (p_values.loc[names, names].to_numpy() < ALPHA).any():
            runs.loc[one, other] = runs.loc[other, one] = 0.0
    return runs


def ranks_beside_gains(means: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Average ranks, and beside them by how much each method is above one of them, dataset by dataset.

    A rank says how often a method is ahead, a gain by how much; neither says the other. Sources stand below each other
    in each line, since their datasets may be others.

    Parameters
    ----------
    means : DataFrame
        Balanced accuracies, one column per method, indexed by source, modality and dataset.
    reference : str
        The method that gains are over.

    Returns
    -------
    DataFrame
        What is drawn, one row per dataset and method: source, modality, dataset, method, rank, gain.
    """
    places = pd.DataFrame(ranks(means.to_numpy()), means.index, means.columns)
    columns = {"rank": places, "gain": means.sub(means[reference], axis=0)}
    drawn = pd.DataFrame({name: table.rename_axis(columns="method").stack() for name, table in columns.items()})
    drawn = drawn.reset_index()
    labels = {"rank": f"Average rank of {means.shape[1]} (right is better)", "gain": f"Balanced accuracy − {reference}"}
    sources, height = drawn.source.unique(), 0.8 + 0.3 * means.shape[1]
    options = {"y": "method", "hue": "source", "hue_order": sources, "palette": list(COLOURS[: len(sources)])}
    figure, axes = plt.subplots(len(MODALITIES), 2, figsize=(9, 2 * height), sharex="col", sharey=True)
    for line, modality in zip(axes, MODALITIES, strict=True):
        rows = drawn[drawn.modality == modality]
        sns.stripplot(rows, x="gain", dodge=True, size=3, alpha=0.4, ax=line[1], legend=False, **options)
        line[1].axvline(0, color="#888888", linewidth=0.8)
        for place, (quantity, label) in zip(line, labels.items(), strict=True):
            # Marks stand in the middle of the points of their source.
            apart = 0.8 - 0.8 / len(sources)
            style = {"linestyle": "none", "errorbar": None, "markers": list(MARKS[: len(sources)]), "markersize": 7}
            sns.pointplot(rows, x=quantity, dodge=apart, ax=place, legend=place is axes[0, 0], **style, **options)
            place.set(title=modality, xlabel=label, ylabel="", ylim=(means.shape[1] - 0.4, -0.6))
            place.locator_params(axis="x", nbins=5)
    axes[0, 0].get_legend().remove()
    legend_above(figure, axes[0, 0])
    return drawn[["source", "modality", "dataset", "method", "rank", "gain"]]
