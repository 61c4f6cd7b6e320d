"""Figures of the simulation's page: maps of gains, datasets among them, who decides, and foretold beside measured."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..features import MODALITIES
from .base import MODALITY_COLOURS, subplots

#: Marks of the sources of datasets; the colour says the same again.
SOURCES = {"openclipart": ("o", "#F0E442"), "mm-imdb": ("s", "#CC79A7"), "published": ("^", "#56B4E9")}
#: Gains beyond this have the colour of this one; the data hold them as they are.
LIMIT = 0.1
LINE_STYLES = (":", "-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))


def gain_maps(told: pd.DataFrame, row: str, column: str, place: pd.DataFrame | None = None) -> Figure:
    """Heat maps of gains over the strengths of both modalities, one panel per value of two columns.

    A cell bears + or - where the gain is more than two standard errors from zero.

    Parameters
    ----------
    told : DataFrame
        From `simulation_answers.long_gains`, with one gain per cell of a panel.
    row, column : str
        Columns whose values are the lines and columns of panels.
    place : DataFrame, optional
        Datasets to mark: source, visual, text; where it has the column `row` too, only in panels of that value, or in
        all lines where it is missing.
    """
    lines, columns = told[row].unique(), told[column].unique()
    figure, axes = subplots(len(lines), len(columns), figsize=(2.5 * len(columns) + 1.2, 2.45 * len(lines) + 0.6),
                             sharex=True, sharey=True, squeeze=False)
    figure.data = told
    for line, name in zip(axes, lines, strict=True):
        for panel, other in zip(line, columns, strict=True):
            mesh = _draw_map(panel, told[(told[row] == name) & (told[column] == other)])
            if place is not None:
                there = place[place[row].isna() | (place[row] == name)] if row in place else place
                _mark(panel, there)
        line[0].set_ylabel(f"{_heading(row, name)}\n\nText", fontsize=12)
    for panel, other in zip(axes[0], columns, strict=True):
        panel.set_title(_heading(column, other), fontsize=12)
    for panel in axes[-1]:
        panel.set_xlabel("Visual", fontsize=12)
    figure.tight_layout(rect=(0, 0, 0.92, 1))
    bar = figure.colorbar(mesh, cax=figure.add_axes((0.935, 0.3, 0.012, 0.4)), extend="both")
    bar.set_label("Gain of CMCSL", fontsize=12)
    if place is not None:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower right", frameon=False, fontsize=10)
    return figure


def _heading(column: str, value: object) -> str:
    return f"{column.capitalize()} {value:g}" if isinstance(value, float) else str(value)


def _draw_map(panel: Axes, its: pd.DataFrame):
    grid = its.pivot(index="text", columns="visual", values="gain")
    error = its.pivot(index="text", columns="visual", values="error")
    mesh = panel.pcolormesh(grid.columns, grid.index, grid, cmap="PuOr", vmin=-LIMIT, vmax=LIMIT, shading="nearest")
    for (text, visual), gain in grid.stack().items():
        if abs(gain) > 2 * error.loc[text, visual]:
            panel.text(visual, text, "+" if gain > 0 else "\N{MINUS SIGN}", ha="center", va="center", fontsize=10,
                       color="white" if abs(gain) > 0.75 * LIMIT else "black")
    panel.set_aspect("equal")
    panel.tick_params(labelsize=9)
    return mesh


def _mark(panel: Axes, place: pd.DataFrame) -> None:
    for source, (mark, colour) in SOURCES.items():
        its = place[place.source == source]
        if its.empty:
            continue
        panel.scatter(its.visual, its.text, marker=mark, s=16, color=colour, edgecolor="black", linewidth=0.6,
                      label=source, zorder=3)


def places(place: pd.DataFrame) -> Figure:
    """Where datasets lie, by name: strength of the text against that of the visual modality, binary and multiclass.

    Parameters
    ----------
    place : DataFrame
        Columns source, dataset, kind, visual, text.
    """
    kinds = list(dict.fromkeys(place.kind))
    figure, axes = subplots(1, len(kinds), figsize=(5.4 * len(kinds), 7), sharex=True, sharey=True, squeeze=False)
    figure.data = place
    for panel, kind in zip(axes[0], kinds, strict=True):
        its = place[place.kind == kind]
        _mark(panel, its)
        # Names of the paper's datasets stand on the other side.
        _name(panel, its[its.source != "published"], 0.012, "left")
        _name(panel, its[its.source == "published"], -0.012, "right")
        panel.axline((0, 0), slope=1, color="#888888", linewidth=0.8)
        panel.set(title=kind.capitalize(), xlabel="Strength of the visual modality")
    axes[0, 0].set(ylabel="Strength of the text", xlim=(place.visual.min() - 0.15, place.visual.max() + 0.06),
                   ylim=(place.text.min() - 0.06, place.text.max() + 0.06))
    axes[0, 0].legend(frameon=False, loc="lower right")
    sns.despine(figure)
    figure.tight_layout()
    return figure


def _name(panel: Axes, place: pd.DataFrame, side: float, aligned: str) -> None:
    """Write names beside marks, from below, each high enough above those near it, with a line to its mark."""
    written = []
    for row in place.sort_values("text").itertuples():
        near = [y for x, y in written if abs(x - row.visual) < 0.2]
        y = max([row.text, *(other + 0.016 for other in near)])
        written.append((row.visual, y))
        panel.annotate(row.dataset, (row.visual, row.text), xytext=(row.visual + side, y), fontsize=8.5, ha=aligned,
                       va="center", arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "#888888",
                                                "shrinkA": 0, "shrinkB": 3})


def who_decides(simulated: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Share of the differing labels that the text decides, against the budget.

    Parameters
    ----------
    simulated : DataFrame
        Columns series, budget, text_decides: one curve per series.
    measured : DataFrame
        From `placement.deciders`: one mark per dataset and budget, and the mean.
    """
    figure, panel = subplots(figsize=(6.4, 4))
    figure.data = pd.concat([simulated[["series", "budget", "text_decides"]],
                             measured[["dataset", "budget", "text_decides"]].rename(columns={"dataset": "series"})],
                            ignore_index=True)
    for (name, its), style in zip(simulated.groupby("series", sort=False), ("-", "--", ":", "-."), strict=False):
        panel.plot(its.budget, its.text_decides, linestyle=style, color="black", label=name)
    panel.plot(measured.budget, measured.text_decides, "o", color=MODALITY_COLOURS["text"], markersize=3, alpha=0.5,
               label="one dataset")
    panel.plot(measured.groupby("budget").text_decides.mean(), "D", color=MODALITY_COLOURS["visual"], markersize=6,
               label="mean of the datasets")
    panel.axhline(0.5, color="#888888", linewidth=0.8)
    budgets = sorted(set(simulated.budget) | set(measured.budget))
    panel.set_xscale("log")
    panel.set_xticks(budgets, [str(budget) for budget in budgets])
    panel.minorticks_off()
    panel.set(xlabel="Labelled samples per class", ylabel="Share decided by the text", ylim=(0, 1.02))
    panel.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(figure)
    figure.tight_layout()
    return figure


def foretold(compared: pd.DataFrame) -> Figure:
    """Measured against foretold CMCSL - UNI, one panel per modality; signs agree in the shaded quarters.

    Parameters
    ----------
    compared : DataFrame
        Columns source, dataset, modality, budget, gain, predicted.
    """
    figure, axes = subplots(1, 2, figsize=(10, 4.6))
    figure.data = compared
    for panel, modality in zip(axes, MODALITIES, strict=True):
        its = compared[compared.modality == modality]
        (left, right), (low, high) = _ends(its.predicted), _ends(its.gain)
        panel.fill_between([0, right], 0, high, color="#EEEEEE")
        panel.fill_between([left, 0], low, 0, color="#EEEEEE")
        for source, (mark, colour) in SOURCES.items():
            own = its[its.source == source]
            if own.empty:
                continue
            panel.scatter(own.predicted, own.gain, marker=mark, color=colour, edgecolor="black", linewidth=0.4, s=18,
                          label=source)
        panel.axhline(0, color="#888888", linewidth=0.8)
        panel.axvline(0, color="#888888", linewidth=0.8)
        panel.set(title=modality.capitalize(), xlabel="CMCSL - UNI, foretold by the map")
    axes[0].set_ylabel("CMCSL - UNI, measured")
    axes[0].legend(frameon=False)
    sns.despine(figure)
    figure.tight_layout()
    return figure


def drifting(streams: pd.DataFrame) -> Figure:
    """Balanced accuracy on each batch before it is learnt; one line of panels per modality, one column per turn.

    Parameters
    ----------
    streams : DataFrame
        From `drift.means`.
    """
    turns = streams.turn.unique()
    figure, axes = subplots(2, len(turns), figsize=(3.6 * len(turns), 6), sharex=True, sharey=True, squeeze=False)
    figure.data = streams
    for line, modality in zip(axes, MODALITIES, strict=True):
        for panel, turn in zip(line, turns, strict=True):
            its = streams[(streams.modality == modality) & (streams.turn == turn)]
            for (name, own), style, mark, colour in zip(its.groupby("learner", sort=False), LINE_STYLES, "os^Dv",
                                                        sns.color_palette("colorblind"), strict=False):
                panel.plot(own.batch, own.balanced_accuracy, linestyle=style, marker=mark, markersize=3, color=colour,
                           linewidth=1.2, label=name)
            panel.axhline(0.5, color="#888888", linewidth=0.8)
            panel.set_title(f"{modality.capitalize()}, turn {turn:.0f}°", fontsize=10)
        line[0].set_ylabel("Balanced accuracy", fontsize=9)
    for panel in axes[-1]:
        panel.set_xlabel("Batch", fontsize=9)
        panel.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper center", ncols=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.91))
    sns.despine(figure)
    return figure


def _ends(values: pd.Series) -> tuple[float, float]:
    """Limits of an axis that shows all values, and zero."""
    return min(1.1 * values.min(), -0.005), max(1.1 * values.max(), 0.005)
