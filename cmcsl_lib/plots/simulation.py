"""Figures of the simulation's page: maps of gains with datasets on them, and where the datasets lie, by name."""

from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from ..experiments.sources import PUBLISHED
from ..files.escaping import figure_safe

#: Marks and colours of the paper's datasets, and of those of a corpus.
PAPER_MARK, CORPUS_MARK = ("^", "#56B4E9"), ("o", "#F0E442")
#: Gains beyond this have the colour of this one; the data hold them as they are.
LIMIT = 0.1
#: In `places`, in units of strength: half a mark's width, a letter's width, and the height of a line.
MARK, LETTER, LINE = 0.012, 0.018, 0.018


def gain_maps(cells: pd.DataFrame, row: str, column: str, place: pd.DataFrame | None = None) -> pd.DataFrame:
    """Heat maps of gains over the strengths of both modalities, one panel per value of two columns.

    A cell bears + or - where it gains or loses by more than `simulation_map.SURE` standard errors. The figure is
    Matplotlib's current one.

    Parameters
    ----------
    cells : DataFrame
        From `simulation_map.long_gains`, with one gain per cell of a panel.
    row, column : str
        Columns whose values are the lines and columns of panels.
    place : DataFrame, optional
        Datasets to mark: source (a corpus, or "published"), dataset, visual, text; where it has the column `row` too,
        only in panels of that value, or in all lines where it is missing.

    Returns
    -------
    DataFrame
        What is drawn, one row per cell and per mark of a dataset in a panel: `row`, `column`, source ("map" for a
        cell), dataset, visual, text, gain, error.
    """
    lines, columns = cells[row].unique(), cells[column].unique()
    size = 2.5 * len(columns) + 1.2, 2.45 * len(lines) + 0.6
    figure, axes = plt.subplots(len(lines), len(columns), sharex=True, sharey=True, squeeze=False, figsize=size)
    drawn = [cells[[row, column, "visual", "text", "gain", "error"]].assign(source="map", dataset="")]
    for panels, line in zip(axes, lines, strict=True):
        for panel, other in zip(panels, columns, strict=True):
            mesh = _draw_map(panel, cells[(cells[row] == line) & (cells[column] == other)])
            if place is not None:
                inside = place[place[row].isna() | (place[row] == line)] if row in place else place
                _mark(panel, inside)
                drawn.append(inside[["source", "dataset", "visual", "text"]].assign(**{row: line, column: other}))
        panels[0].set_ylabel(f"{_heading(row, line)}\n\nText", fontsize=12)
    for panel, other in zip(axes[0], columns, strict=True):
        panel.set_title(_heading(column, other), fontsize=12)
    for panel in axes[-1]:
        panel.set_xlabel("Visual", fontsize=12)
    figure.tight_layout(rect=(0, 0, 0.92, 1))
    bar = figure.colorbar(mesh, cax=figure.add_axes((0.935, 0.3, 0.012, 0.4)), extend="both")
    bar.set_label("Gain of CMCSL", fontsize=12)
    if place is not None:
        entries: dict[str, Artist] = {}
        for panel in axes.flat:
            handles, names = panel.get_legend_handles_labels()
            entries |= zip(names, handles, strict=True)
        below = {"bbox_to_anchor": (0.5, 0.0), "ncols": 2, "frameon": False, "fontsize": 11}
        figure.legend(entries.values(), entries, loc="upper center", **below)
    return pd.concat(drawn, ignore_index=True)[[row, column, "source", "dataset", "visual", "text", "gain", "error"]]


def _heading(column: str, value: object) -> str:
    if column == "budget":
        return f"{value} seed{'' if value == 1 else 's'} per class"
    return f"{column.capitalize()} {value:g}" if isinstance(value, float) else str(value)


def _draw_map(panel: Axes, cells: pd.DataFrame) -> QuadMesh:
    gains = cells.pivot(index="text", columns="visual", values="gain")
    mesh = panel.pcolormesh(gains.columns, gains.index, gains, cmap="PuOr", vmin=-LIMIT, vmax=LIMIT, shading="nearest")
    for cell in cells[cells.gaining | cells.losing].itertuples():
        sign, colour = "+" if cell.gaining else "\N{MINUS SIGN}", "white" if abs(cell.gain) > 0.75 * LIMIT else "black"
        panel.text(cell.visual, cell.text, sign, ha="center", va="center", fontsize=10, color=colour)
    panel.set_aspect("equal")
    panel.tick_params(labelsize=9)
    return mesh


def _mark(panel: Axes, place: pd.DataFrame) -> None:
    for source, datasets in place.groupby("source", sort=False):
        mark, colour = PAPER_MARK if source == PUBLISHED else CORPUS_MARK
        label = "datasets of the paper" if source == PUBLISHED else f"datasets of {figure_safe(source)}"
        style: dict[str, Any] = {"marker": mark, "color": colour, "s": 18, "edgecolor": "black", "linewidth": 0.6}
        panel.scatter(datasets.visual, datasets.text, label=label, zorder=3, **style)


def places(place: pd.DataFrame) -> pd.DataFrame:
    """Where datasets lie, by name: strength of the text against that of the visual modality, binary and multiclass.

    The figure is Matplotlib's current one.

    Parameters
    ----------
    place : DataFrame
        Columns source (a corpus, or "published"), dataset, kind, visual, text.

    Returns
    -------
    DataFrame
        These columns: what is drawn, one row per dataset.
    """
    kinds = list(dict.fromkeys(place.kind))
    figure, axes = plt.subplots(1, len(kinds), figsize=(5.4 * len(kinds), 6), sharex=True, sharey=True, squeeze=False)
    for panel, kind in zip(axes[0], kinds, strict=True):
        datasets = place[place.kind == kind]
        _mark(panel, datasets)
        _name(panel, datasets)
        panel.axline((0, 0), slope=1, color="#888888", linewidth=0.8)
        panel.set(title=kind.capitalize(), xlabel="Strength of the visual modality")
        panel.legend(frameon=False, loc="lower right")
    margin = min(0.05 + LETTER * place.dataset.str.len().max(), 0.25)
    axes[0, 0].set(
        ylabel="Strength of the text",
        xlim=(place.visual.min() - margin, place.visual.max() + margin),
        ylim=(place.text.min() - 0.12, place.text.max() + 0.06),
    )
    sns.despine(figure)
    figure.tight_layout()
    return place[["source", "dataset", "kind", "visual", "text"]]


def _name(panel: Axes, place: pd.DataFrame) -> None:
    """Write names beside marks, as near as other names and marks let them be, with a line to the mark."""
    taken = [(row.visual - MARK, row.visual + MARK, row.text) for row in place.itertuples()]
    arrow = {"arrowstyle": "-", "linewidth": 0.4, "color": "#888888", "shrinkA": 0, "shrinkB": 3}
    for row in place.sort_values("text").itertuples():
        for step, sign, side in product(range(200), (1, -1), (1, -1)):
            y = row.text + sign * step * LINE / 6
            near, far = row.visual + side * MARK, row.visual + side * (MARK + LETTER * len(row.dataset))
            left, right = sorted((near, far))
            if not any(start < right and left < end and abs(y - other) < LINE for start, end, other in taken):
                break
        taken.append((left, right, y))
        text: dict[str, Any] = {"fontsize": 8.5, "va": "center", "ha": "left" if side > 0 else "right"}
        panel.annotate(figure_safe(row.dataset), (row.visual, row.text), (near, y), arrowprops=arrow, **text)
