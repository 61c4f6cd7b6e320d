"""One function per figure of the paper, and drawings of items."""

from collections.abc import Sequence
from textwrap import wrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from scikit_posthocs import critical_difference_diagram

from ..corpora import Corpus
from ..corpora.pictures import decoded
from ..escaping import figure_safe
from ..features import MODALITIES, Features
from ..preprocessing import PREPROCESSINGS, preprocessor
from ..statistics import ALPHA, rank_comparison
from .base import CURVES, LINES, MODALITY_COLOURS, PALETTE, legend_above, subplots


def scheme() -> Figure:
    """Figure 1, our own drawing: from images and texts to one classifier per modality."""
    figure, axes = subplots(figsize=(10, 3.4))
    boxes = {
        "20% of images,\nfor fine-tuning": (0.0, 0.78), "80% images": (0.0, 0.44), "80% texts": (0.0, 0.08),
        "ResNet-18\n512 features": (2.3, 0.44), "MiniLM-L6-v2\n384 features": (2.3, 0.08),
        "L2STD,\nnearest seed": (4.6, 0.44), "L2STD,\n nearest seed": (4.6, 0.08),
        "Exchange:\nsmaller distance\ngives the label": (6.9, 0.26),
        "Classifier\nof images": (9.2, 0.44), "Classifier\nof texts": (9.2, 0.08),
    }
    arrows = [(0, 3), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 7), (7, 8), (7, 9)]
    places = list(boxes.values())
    steps = [" ".join(text.split()) for text in boxes]
    figure.data = pd.DataFrame([(steps[start], steps[end]) for start, end in arrows], columns=["from", "to"])
    for text, (x, y) in boxes.items():
        axes.add_patch(FancyBboxPatch((x, y), 1.6, 0.2, boxstyle="round,pad=0.04", fc="#F2F2F2", ec="#444444"))
        axes.text(x + 0.8, y + 0.1, text, ha="center", va="center", fontsize=9)
    for start, end in arrows:
        (x0, y0), (x1, y1) = places[start], places[end]
        axes.annotate("", (x1 - 0.06, y1 + 0.1), (x0 + 1.66, y0 + 0.1), arrowprops={"arrowstyle": "->"})
    axes.set(xlim=(-0.1, 11), ylim=(0, 1.05))
    axes.axis("off")
    return figure


def class_bars(counts: pd.DataFrame) -> Figure:
    """Figure 2: how many items each class of one dataset has.

    Parameters
    ----------
    counts : DataFrame
        Columns dataset, class, samples, as in Table I; one dataset.
    """
    figure, axes = subplots(figsize=(6, 0.6 + 0.5 * len(counts)))
    figure.data = counts
    sns.barplot(x=counts.samples, y=counts["class"].map(figure_safe), color=MODALITY_COLOURS["visual"], ax=axes)
    axes.bar_label(axes.containers[0], padding=3)
    axes.set(title=f"Classes of {counts.dataset.iloc[0]}", xlabel="Items", ylabel="")
    sns.despine(figure)
    return figure


def training_curves(losses: dict[str, Sequence[float]], title: str) -> Figure:
    """Mean training loss of each epoch.

    Parameters
    ----------
    losses : dict of str to sequence of float
        Name of each curve and its losses.
    """
    figure, axes = subplots(figsize=(6, 3.4))
    figure.data = pd.DataFrame([(name, epoch, value) for name, values in losses.items()
                                for epoch, value in enumerate(values, start=1)], columns=["training", "epoch", "loss"])
    for (name, values), marker in zip(losses.items(), "os^Dv*" * len(losses), strict=False):
        axes.plot(range(1, len(values) + 1), values, marker=marker, markersize=4, label=name)
    axes.set(title=title, xlabel="Epoch", ylabel="Mean loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, ncols=2)
    sns.despine(figure)
    return figure


def gallery(corpus: Corpus, rows: Sequence[int], captions: Sequence[str], columns: int = 6,
            places: Sequence[int] | None = None) -> Figure:
    """Images of items with a caption below each.

    Parameters
    ----------
    rows : sequence of int
        Row numbers of the corpus.
    captions : sequence of str
        One per row.
    places : sequence of int, optional
        Where each image stands, counted line by line from 0; default: one after the other.
    """
    places = range(len(rows)) if places is None else places
    lines = max(places, default=0) // columns + 1
    items = corpus.items.iloc[list(rows)]
    wrapped = [[short for line in caption.splitlines() for short in wrap(line, 16, max_lines=3, placeholder=" …")]
               for caption in captions]
    # Inches: room for an image, and below it for the longest caption.
    side, gap = 1.7, 0.15 + 0.2 * max(map(len, wrapped), default=0)
    height = lines * (side + gap)
    room = {"left": 0, "right": 1, "bottom": gap / height, "top": 1, "wspace": 0.06, "hspace": gap / side}
    figure, axes = subplots(lines, columns, figsize=(1.8 * columns, height), squeeze=False, gridspec_kw=room)
    figure.data = pd.DataFrame({"id": items.id.to_numpy(), "caption": list(captions)})
    for place in axes.flat:
        place.axis("off")
        place.set_anchor("S")
    for number, content, caption in zip(places, items.image, wrapped, strict=True):
        place = axes.flat[number]
        place.imshow(decoded(content))
        place.set_title(figure_safe("\n".join(caption)), fontsize=12, y=-0.02, va="top", pad=0)
    return figure


def distances(labeled: pd.DataFrame) -> Figure:
    """Distance of each row to its nearest seed in both modalities; below the diagonal the text decides.

    Parameters
    ----------
    labeled : DataFrame
        From `exchange.exchange_table`: columns visual_distance, text_distance, agree, right.
    """
    outcome = np.select([labeled.agree, labeled.right], ["modalities agree", "differ, right label kept"],
                        "differ, wrong label kept")
    figure, axes = subplots(figsize=(5.4, 5))
    figure.data = labeled[["id", "visual_distance", "text_distance"]].assign(outcome=outcome)
    order = ["modalities agree", "differ, right label kept", "differ, wrong label kept"]
    sns.scatterplot(x=labeled.visual_distance, y=labeled.text_distance, hue=outcome, style=outcome, hue_order=order,
                    style_order=order, palette=["#BBBBBB", "#009E73", "#D55E00"], s=28, ax=axes)
    both = labeled[["visual_distance", "text_distance"]].to_numpy()
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xlabel="Distance to the nearest seed, visual", ylabel="Distance to the nearest seed, text")
    axes.legend(frameon=False, title=None, loc="lower left", bbox_to_anchor=(0, 1))
    sns.despine(figure)
    return figure


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
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(max(9, 2.2 * len(columns)), 2.6 * len(rows)),
                                sharex=True, sharey="row", squeeze=False)
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
            place.plot(means[method].sort_index(), color=PALETTE[method], marker=marker, markersize=3.5, linewidth=1.2,
                       label=method)
    place.xaxis.get_major_locator().set_params(integer=True)


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
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0.0), frameon=False,
                  ncols=len(features.classes) if short else 1)
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
    place.xaxis.get_major_locator().set_params(nbins=3)
    return pd.concat(drawn)


def rank_diagrams(means: pd.DataFrame) -> pd.DataFrame:
    """Critical-difference diagrams: average ranks, joined by a bar where tests find no difference.

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
            critical_difference_diagram(average, p_values, ax=place, alpha=ALPHA, label_props={"fontsize": 10},
                                        label_fmt_left="{label} ({rank:.2f})", label_fmt_right="({rank:.2f}) {label}",
                                        color_palette=colours, text_h_margin=0.02 * len(average))
            place.set_title(f"{group}, {modality} ({len(values)} dataset{'s' * (len(values) > 1)})", fontsize=10)
            pairs = p_values.rename_axis(index="method", columns="other").stack().rename("p_value").reset_index()
            pairs.insert(1, "average_rank", pairs.method.map(average))
            drawn.append(pairs[pairs.method != pairs.other].assign(group=group, modality=modality))
    figure.tight_layout()
    return pd.concat(drawn, ignore_index=True)[["group", "modality", "method", "average_rank", "other", "p_value"]]
